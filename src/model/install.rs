//! Puts a model folder among others: only what was verified gets there, whole or not at all.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{Error, Manifest};

/// Files that a licence or a reader may want, taken along although no graph needs them.
const PAPERS: [&str; 5] = ["LICENSE", "LICENCE", "NOTICE", "README.md", "USE_POLICY.md"];

/// How a model folder gets among others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Install {
    /// Copied, with nothing that its manifest does not list but licences and notices.
    Copy,
    /// As a link to where it is.
    Link,
}

/// What became of a model folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Installed {
    /// It is here now.
    Now(PathBuf),
    /// It was here already, the same to the last byte.
    Already(PathBuf),
}

/// Puts `folder` into the folder `library`, under this name, which must be one part of a path.
///
/// The files are held against their hashes where they come from and, copied, where they end; that the model computes here
/// what it should is [`super::Flamingo::load`]'s to find out, before.
pub fn install(folder: &Path, library: &Path, name: &str, how: Install) -> Result<Installed, Error> {
    let target = library.join(name);
    let refuse = |problem: String| Error::Install { target: target.clone(), problem };
    let plain =
        !name.starts_with('.') && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    if name.is_empty() || !plain {
        return Err(refuse("is no name for a folder: letters, digits, `-`, `.` and `_` are".into()));
    }
    let manifest = Manifest::read(folder)?;
    manifest.verify(folder)?;
    if target.symlink_metadata().is_ok() {
        let there = Manifest::read(&target).and_then(|there| there.verify(&target).map(|()| there.sha256));
        return match there {
            Ok(hash) if hash == manifest.sha256 => Ok(Installed::Already(target)),
            Ok(_) => Err(refuse("holds another model; delete it, or give this one another name".into())),
            Err(error) => Err(refuse(format!("is there and no whole model ({error}); delete it"))),
        };
    }
    let failed = |error: io::Error| refuse(format!("cannot be written ({error})"));
    fs::create_dir_all(library).map_err(failed)?;
    if how == Install::Link {
        let origin = folder.canonicalize().map_err(failed)?;
        std::os::unix::fs::symlink(origin, &target).map_err(failed)?;
        return Ok(Installed::Now(target));
    }
    // under a name that nobody takes for a model, until it is whole
    let unfinished = library.join(format!(".{name}.unfinished"));
    let copied = copy(folder, &unfinished, &manifest).map_err(failed);
    let whole = copied.and_then(|()| manifest.verify(&unfinished)).and_then(|()| {
        // another one may have come meanwhile: renaming does not replace a folder that holds anything
        fs::rename(&unfinished, &target).map_err(failed)
    });
    if whole.is_err() {
        drop(fs::remove_dir_all(&unfinished)); // what failed is told
    }
    whole.map(|()| Installed::Now(target))
}

fn copy(from: &Path, to: &Path, manifest: &Manifest) -> io::Result<()> {
    if to.exists() {
        fs::remove_dir_all(to)?; // what an earlier try left
    }
    fs::create_dir_all(to)?;
    let papers = PAPERS.into_iter().filter(|name| from.join(name).is_file());
    for name in manifest.files.keys().map(String::as_str).chain(["manifest.json"]).chain(papers) {
        let target = to.join(name);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::copy(from.join(name), &target)?;
        fs::File::open(&target)?.sync_all()?;
    }
    Ok(())
}
