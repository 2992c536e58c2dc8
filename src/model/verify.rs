//! Trusts no model folder: can this version serve what the manifest says, and are the files those it means?
//!
//! All of it happens before ONNX Runtime sees a byte of the folder.

use std::{
    collections::BTreeSet,
    fs::File,
    io::Read,
    path::{Component, Path},
};

use sha2::{Digest, Sha256};

use super::{
    Error, graph_file,
    manifest::{EXPORT_AGAIN, FileEntry, FrameMode, Manifest, MediaRule, Part, Scope, Slot},
};

/// Read this much of a file at a time.
const CHUNK_BYTES: usize = 1 << 20;

impl Manifest {
    /// Whether this version can serve what the manifest says; looks at no file.
    pub(super) fn check(&self, folder: &Path) -> Result<(), Error> {
        self.check_files(folder)?;
        self.check_supported(folder)?;
        self.check_numbers(folder)?;
        self.check_examples(folder)?;
        self.check_prompt(folder)
    }

    fn check_files(&self, folder: &Path) -> Result<(), Error> {
        for name in self.files.keys() {
            let plain = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
            if name.is_empty() || name.contains('\\') || !plain {
                return Err(Error::manifest(
                    folder,
                    format!("files.{name}"),
                    format!("`{name}` leads out of the model folder"),
                    "name files by their path inside the folder, without `..`",
                ));
            }
        }
        let numbers = self.golden_numbers();
        let graphs = self.graphs.each().into_iter().map(|(role, name)| (format!("graphs.{}", role.name()), name));
        let others =
            [("golden.file", self.golden.file.as_str()), ("golden.file", &numbers), ("files", "tokenizer.json")];
        for (key, name) in graphs.chain(others.map(|(key, name)| (key.to_owned(), name))) {
            if !self.files.contains_key(name) {
                return Err(Error::manifest(
                    folder,
                    key,
                    format!("`{name}` is not listed in `files`"),
                    "list it with its size and SHA-256",
                ));
            }
        }
        Ok(())
    }

    fn check_supported(&self, folder: &Path) -> Result<(), Error> {
        let refuse = |key: &str, value: String, can: &str| {
            let problem = format!("`{}` is not served by this version, which knows {can}", value.to_lowercase());
            Err(Error::manifest(folder, key, problem, "use a model of another kind, or a newer wader"))
        };
        if self.decoder.media_rule != MediaRule::Latest {
            return refuse("decoder.media_rule", format!("{:?}", self.decoder.media_rule), "`latest`");
        }
        if self.resampler.scope != Scope::Window {
            return refuse("resampler.scope", format!("{:?}", self.resampler.scope), "`window`");
        }
        if !matches!(self.resampler.frame_mode, FrameMode::Timed | FrameMode::Pooled | FrameMode::Single) {
            let mode = format!("{:?}", self.resampler.frame_mode);
            return refuse("resampler.frame_mode", mode, "`timed`, `pooled` and `single`");
        }
        Ok(())
    }

    fn check_numbers(&self, folder: &Path) -> Result<(), Error> {
        let (vision, resampler, decoder) = (&self.vision, &self.resampler, &self.decoder);
        let sizes = [
            ("vision.width", vision.width as usize),
            ("vision.height", vision.height as usize),
            ("vision.tokens", vision.tokens),
            ("vision.dim", vision.dim),
            ("resampler.latents", resampler.latents),
            ("resampler.max_frames", resampler.max_frames),
            ("decoder.self_layers", decoder.self_layers),
            ("decoder.cross_layers", decoder.cross_layers),
            ("decoder.heads", decoder.heads),
            ("decoder.kv_heads", decoder.kv_heads),
            ("decoder.head_dim", decoder.head_dim),
            ("decoder.cross_kv_heads", decoder.cross_kv_heads),
            ("decoder.cross_head_dim", decoder.cross_head_dim),
            ("decoder.vocab", decoder.vocab),
            ("decoder.max_positions", decoder.max_positions),
            ("limits.max_media_per_call", self.limits.max_media_per_call),
            ("limits.max_new_tokens", self.limits.max_new_tokens),
        ];
        if let Some((key, value)) = sizes.into_iter().find(|&(_, value)| value == 0 || value > 1 << 24) {
            return Err(Error::manifest(folder, key, format!("`{value}` is not a possible size"), EXPORT_AGAIN));
        }
        let units = resampler.time.units_per_second;
        let tolerance = &self.golden.tolerance;
        for (key, value) in [
            ("resampler.time.units_per_second", units),
            ("golden.tolerance.vision_encoder", tolerance.vision_encoder),
            ("golden.tolerance.resampler", tolerance.resampler),
            ("golden.tolerance.decoder", tolerance.decoder),
            ("golden.tolerance.appearance_encoder", tolerance.appearance_encoder),
            ("golden.tolerance.comparer", tolerance.comparer),
        ] {
            if !value.is_finite() || value <= 0.0 {
                return Err(Error::manifest(folder, key, format!("`{value}` is not above zero"), EXPORT_AGAIN));
            }
        }
        if self.minimum_runtime().is_none() {
            let problem = format!("`{}` is not a version", self.minimum_runtime);
            return Err(Error::manifest(folder, "minimum_runtime", problem, "write it as `1.20`"));
        }
        Ok(())
    }

    /// Two graphs and what they mean by cells, all of it or nothing.
    fn check_examples(&self, folder: &Path) -> Result<(), Error> {
        let (encoder, comparer) = (&self.graphs.appearance_encoder, &self.graphs.comparer);
        let parts = [
            ("graphs.appearance_encoder", encoder.is_some()),
            ("graphs.comparer", comparer.is_some()),
            ("examples", self.examples.is_some()),
        ];
        let there: Vec<_> = parts.iter().filter(|(_, there)| *there).map(|(key, _)| format!("`{key}`")).collect();
        if let (Some((missing, _)), false) = (parts.iter().find(|(_, there)| !there), there.is_empty()) {
            let problem = format!("is missing, and {} is there: they belong together", there.join(" and "));
            return Err(Error::manifest(folder, *missing, problem, EXPORT_AGAIN));
        }
        let Some(examples) = &self.examples else { return Ok(()) };
        let [rows, columns] = examples.cells;
        let sizes = [
            ("examples.cells", rows.min(columns)),
            ("examples.cells", rows.saturating_mul(columns)),
            ("examples.dim", examples.dim),
            ("examples.frames", examples.frames),
            ("examples.max_examples", examples.max_examples),
        ];
        if let Some((key, value)) = sizes.into_iter().find(|&(_, value)| value == 0 || value > 1 << 16) {
            return Err(Error::manifest(folder, key, format!("`{value}` is not a possible size"), EXPORT_AGAIN));
        }
        let share = examples.min_probability_loo;
        if !(0.0..=1.0).contains(&share) {
            let problem = format!("`{share}` is not a share from 0 to 1");
            return Err(Error::manifest(folder, "examples.min_probability_loo", problem, EXPORT_AGAIN));
        }
        Ok(())
    }

    fn check_prompt(&self, folder: &Path) -> Result<(), Error> {
        let questions = |parts: &[Part]| parts.iter().filter(|part| matches!(part, Part::Slot(Slot::Question))).count();
        for (key, parts, wanted) in
            [("prompt.question", &self.prompt.question, 1), ("prompt.caption", &self.prompt.caption, 0)]
        {
            let found = questions(parts);
            if found != wanted {
                let problem = format!("has {found} slots for the question, and {wanted} belong there");
                return Err(Error::manifest(folder, key, problem, EXPORT_AGAIN));
            }
        }
        for (key, empty) in [
            ("prompt.yes", self.prompt.yes.is_empty()),
            ("prompt.no", self.prompt.no.is_empty()),
            ("tokens.eos", self.tokens.eos.is_empty()),
        ] {
            if empty {
                return Err(Error::manifest(folder, key, "is empty", EXPORT_AGAIN));
            }
        }
        match self.prompt.min_mass {
            Some(mass) if !(0.0..=1.0).contains(&mass) => {
                let problem = format!("`{mass}` is no probability between 0 and 1");
                Err(Error::manifest(folder, "prompt.min_mass", problem, EXPORT_AGAIN))
            }
            _ => Ok(()),
        }
    }

    /// Whether every listed file is there, is no link, and has the listed size and SHA-256, and whether the graphs need
    /// nothing that is not listed.
    pub fn verify(&self, folder: &Path) -> Result<(), Error> {
        for (name, entry) in &self.files {
            verify_file(folder, name, entry)?;
        }
        for (_, name) in self.graphs.each() {
            self.verify_graph(folder, name)?;
        }
        Ok(())
    }

    /// A graph may name other files (external data) and foreign operators; both are looked for before it is loaded.
    fn verify_graph(&self, folder: &Path, name: &str) -> Result<(), Error> {
        let bytes = std::fs::read(folder.join(name))
            .map_err(|error| Error::file(folder, name, format!("cannot be read ({error})")))?;
        let needs = graph_file::needs(&bytes)
            .map_err(|problem| Error::file(folder, name, format!("is not an ONNX graph ({problem})")))?;
        let beside = Path::new(name).parent().unwrap_or(Path::new(""));
        let unlisted: BTreeSet<_> = needs
            .external_data
            .iter()
            .filter(|location| !beside.join(location).to_str().is_some_and(|path| self.files.contains_key(path)))
            .collect();
        if !unlisted.is_empty() {
            return Err(Error::file(folder, name, format!("needs files that `files` does not list: {unlisted:?}")));
        }
        if let Some(domain) = needs.domains.iter().find(|domain| !KNOWN_DOMAINS.contains(&domain.as_str())) {
            return Err(Error::file(folder, name, format!("uses operators of the unknown domain `{domain}`")));
        }
        Ok(())
    }
}

/// Operators that ONNX Runtime itself has: the standard's, and its own (`com.microsoft`).
const KNOWN_DOMAINS: [&str; 3] = ["", "ai.onnx", "com.microsoft"];

fn verify_file(folder: &Path, name: &str, entry: &FileEntry) -> Result<(), Error> {
    let mut path = folder.to_owned();
    for part in Path::new(name).components() {
        path.push(part);
        let metadata = std::fs::symlink_metadata(&path)
            .map_err(|error| Error::file(folder, name, format!("is missing or cannot be read ({error})")))?;
        if metadata.is_symlink() {
            return Err(Error::file(folder, name, "is a symbolic link or lies behind one, which is not followed"));
        }
    }
    let read = |error: std::io::Error| Error::file(folder, name, format!("cannot be read ({error})"));
    let mut file = File::open(&path).map_err(read)?;
    let length = file.metadata().map_err(read)?.len();
    if length != entry.bytes {
        return Err(Error::file(folder, name, format!("has `{length}` bytes where `{}` are expected", entry.bytes)));
    }
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = file.read(&mut chunk).map_err(read)?;
        if count == 0 {
            break;
        }
        hash.update(&chunk[..count]);
    }
    let found = format!("{:x}", hash.finalize());
    if !found.eq_ignore_ascii_case(&entry.sha256) {
        return Err(Error::file(folder, name, format!("has SHA-256 `{found}` where `{}` is expected", entry.sha256)));
    }
    Ok(())
}
