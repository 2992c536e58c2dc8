//! Where ONNX Runtime's shared library is; looks only, loads nothing.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use super::Error;

/// What says where to look.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// The operator's word: nothing else is looked at then.
    pub(super) explicit: Option<PathBuf>,
    /// `ORT_DYLIB_PATH`: the same.
    pub(super) variable: Option<OsString>,
    /// Folders of an installed package.
    pub(super) packaged: Vec<PathBuf>,
    /// The user's cache folder, where `./x setup` puts `wader/onnxruntime-VERSION/`.
    pub(super) cache: Option<PathBuf>,
}

impl Places {
    /// The places of this process.
    pub(super) fn of_process(explicit: Option<&Path>) -> Self {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        Self {
            explicit: explicit.map(Path::to_owned),
            variable: set("ORT_DYLIB_PATH"),
            packaged: vec!["/usr/lib/wader".into()],
            cache: set("XDG_CACHE_HOME")
                .map(PathBuf::from)
                .or_else(|| Some(PathBuf::from(set("HOME")?).join(".cache"))),
        }
    }

    /// The library to load; the newest version where a folder holds several.
    pub(super) fn find(&self) -> Result<PathBuf, Error> {
        if let Some(path) = self.explicit.clone().or_else(|| self.variable.clone().map(PathBuf::from)) {
            return if path.is_file() {
                Ok(path)
            } else {
                Err(Error::LibraryMissing { looked: vec![path.display().to_string()] })
            };
        }
        let mut looked = Vec::new();
        for folder in &self.packaged {
            if let Some(found) = newest(folder, "libonnxruntime.so") {
                return Ok(found);
            }
            looked.push(folder.join("libonnxruntime.so*").display().to_string());
        }
        if let Some(cache) = &self.cache {
            let folder = cache.join("wader");
            let mut versions = entries(&folder, "onnxruntime-");
            while let Some(version) = versions.pop() {
                if let Some(found) = newest(&version, "libonnxruntime.so.") {
                    return Ok(found);
                }
            }
            looked.push(folder.join("onnxruntime-*/libonnxruntime.so.*").display().to_string());
        }
        Err(Error::LibraryMissing { looked })
    }
}

/// The version a library's name states: `libonnxruntime.so.1.31.1` is (1, 31). Links are followed first.
pub(super) fn version_of(library: &Path) -> Option<(u32, u32)> {
    let real = library.canonicalize().ok()?;
    version(real.file_name()?.to_str()?.strip_prefix("libonnxruntime.so.")?)
}

/// The first two numbers of a version such as `1.20` or `1.31.1`.
pub(super) fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split('.').map(str::parse::<u32>);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn newest(folder: &Path, prefix: &str) -> Option<PathBuf> {
    entries(folder, prefix).into_iter().rfind(|path| path.is_file())
}

/// What a folder holds under names that begin so, in the order of the numbers in them.
fn entries(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let numbers = |path: &PathBuf| -> Vec<u64> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.split(|letter: char| !letter.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
    };
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path())
        .collect();
    found.sort_by_key(|path| (numbers(path), path.clone()));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(path: &Path) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }

    #[test]
    fn the_newest_version_in_the_cache_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        for version in ["1.9.0", "1.31.1", "1.4.2"] {
            touch(&folder.path().join(format!("wader/onnxruntime-{version}/libonnxruntime.so.{version}")));
        }
        touch(&folder.path().join("wader/onnxruntime-1.31.1/libonnxruntime_providers_shared.so"));
        let places = Places { cache: Some(folder.path().to_owned()), ..Places::default() };
        assert!(places.find().unwrap().ends_with("onnxruntime-1.31.1/libonnxruntime.so.1.31.1"));
        assert_eq!(version_of(&places.find().unwrap()), Some((1, 31)));
    }

    #[test]
    fn an_installed_package_comes_before_the_cache() {
        let folder = tempfile::tempdir().unwrap();
        touch(&folder.path().join("usr/libonnxruntime.so"));
        touch(&folder.path().join("cache/wader/onnxruntime-1.31.1/libonnxruntime.so.1.31.1"));
        let places = Places {
            packaged: vec![folder.path().join("usr")],
            cache: Some(folder.path().join("cache")),
            ..Places::default()
        };
        assert!(places.find().unwrap().ends_with("usr/libonnxruntime.so"));
    }

    #[test]
    fn a_missing_library_is_an_error_that_says_where_it_looked_and_what_to_do() {
        let places =
            Places { packaged: vec!["/nowhere/lib".into()], cache: Some("/nowhere/cache".into()), ..Places::default() };
        insta::assert_snapshot!(places.find().unwrap_err(), @"ONNX Runtime's library was not found (looked at `/nowhere/lib/libonnxruntime.so*`, `/nowhere/cache/wader/onnxruntime-*/libonnxruntime.so.*`); run `./x setup`, or set ORT_DYLIB_PATH to libonnxruntime.so");
        let places = Places { variable: Some("/nowhere/libonnxruntime.so".into()), ..places };
        insta::assert_snapshot!(places.find().unwrap_err(), @"ONNX Runtime's library was not found (looked at `/nowhere/libonnxruntime.so`); run `./x setup`, or set ORT_DYLIB_PATH to libonnxruntime.so");
    }
}
