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

    /// Whether this version can do what the model needs done, and whether its parts go together.
    fn check_supported(&self, folder: &Path) -> Result<(), Error> {
        let refuse = |key: &str, problem: String| Err(Error::manifest(folder, key, problem, EXPORT_AGAIN));
        let (resampler, rule) = (&self.resampler, self.decoder.media_rule);
        let (mode, scope) = (resampler.frame_mode, resampler.scope);
        let of_windows = match mode {
            FrameMode::Timed | FrameMode::Pooled => true,
            FrameMode::Interleaved | FrameMode::Grouped | FrameMode::Stamped => false,
            FrameMode::Single if resampler.max_frames > 1 => {
                let problem = format!("is {}, and `frame_mode` is `{mode}`", resampler.max_frames);
                return refuse("resampler.max_frames", problem);
            }
            FrameMode::Single => scope == Scope::Window,
        };
        if of_windows != (scope == Scope::Window) {
            let scope = if scope == Scope::Window { "window" } else { "frame" };
            return refuse("resampler.frame_mode", format!("`{mode}` does not go with the `scope` `{scope}`"));
        }
        if mode == FrameMode::Grouped && rule == MediaRule::Latest {
            let problem = "`grouped` does not go with the `media_rule` `latest`: only the last frame would be seen";
            return refuse("resampler.frame_mode", problem.into());
        }
        let (most, frames) = (self.limits.max_media_per_call, resampler.max_frames);
        if scope == Scope::Frame && frames > most {
            let problem = format!("is {most}, and a window may have {frames} frames, which are seen together");
            return refuse("limits.max_media_per_call", problem);
        }
        self.check_canvas(folder)
    }

    /// Whether the model's size is one of whole tiles.
    fn check_canvas(&self, folder: &Path) -> Result<(), Error> {
        let vision = &self.vision;
        let Some(canvas) = &vision.canvas else { return Ok(()) };
        for (key, side, tiles) in [("height", vision.height, canvas.tiles[0]), ("width", vision.width, canvas.tiles[1])]
        {
            let unit = tiles.saturating_mul(canvas.multiple);
            if unit == 0 || side % unit != 0 {
                let problem = format!("is {side}, no multiple of {tiles} tiles of {} pixels", canvas.multiple);
                return Err(Error::manifest(folder, format!("vision.{key}"), problem, EXPORT_AGAIN));
            }
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
            ("decoder.embed_rows", decoder.embed_rows),
            ("decoder.max_positions", decoder.max_positions),
            ("positions.image_advance", self.positions.image_advance),
            ("limits.max_media_per_call", self.limits.max_media_per_call),
            ("limits.max_frames_per_call", self.limits.max_frames_per_call.unwrap_or(1)),
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
        let prompt = &self.prompt;
        let written = usize::from(!prompt.frame.is_empty());
        let timed = usize::from(prompt.time.is_some());
        let mode = self.resampler.frame_mode;
        let several = matches!(mode, FrameMode::Interleaved | FrameMode::Grouped | FrameMode::Stamped);
        if several != (written == 1) {
            let problem = if several { "is missing" } else { "is there" };
            let problem = format!("{problem}, and `resampler.frame_mode` is `{mode}`");
            return Err(Error::manifest(folder, "prompt.frame", problem, EXPORT_AGAIN));
        }
        // how often each may stand where
        for (key, parts, slots) in [
            ("prompt.question", &prompt.question, [(Slot::Question, 1), (Slot::Frames, written), (Slot::Time, 0)]),
            ("prompt.caption", &prompt.caption, [(Slot::Question, 0), (Slot::Frames, written), (Slot::Time, 0)]),
            ("prompt.frame", &prompt.frame, [(Slot::Question, 0), (Slot::Frames, 0), (Slot::Time, timed)]),
        ] {
            for (slot, wanted) in slots {
                let found = parts.iter().filter(|part| matches!(part, Part::Slot(found) if *found == slot)).count();
                if found != wanted {
                    let slot = format!("{slot:?}").to_lowercase();
                    let problem = format!("has {found} slots for the {slot}, and {wanted} belong there");
                    return Err(Error::manifest(folder, key, problem, EXPORT_AGAIN));
                }
            }
        }
        if mode == FrameMode::Stamped && timed == 0 {
            let problem = "is missing, and `resampler.frame_mode` is `stamped`";
            return Err(Error::manifest(folder, "prompt.time", problem, EXPORT_AGAIN));
        }
        if let Some(time) = prompt.time.filter(|time| time.decimals > 3) {
            let problem = format!("`{}` digits are more than 3", time.decimals);
            return Err(Error::manifest(folder, "prompt.time.decimals", problem, EXPORT_AGAIN));
        }
        let (image, rows) = (self.tokens.image as usize, self.decoder.embed_rows);
        if image >= rows {
            let problem = format!("`{image}` is beyond `decoder.embed_rows`, {rows}");
            return Err(Error::manifest(folder, "tokens.image", problem, EXPORT_AGAIN));
        }
        if let Some(end) = self.tokens.eos.iter().find(|&&end| end as usize >= self.decoder.vocab) {
            let problem = format!("`{end}` is beyond `decoder.vocab`, {}: it could not be written", self.decoder.vocab);
            return Err(Error::manifest(folder, "tokens.eos", problem, EXPORT_AGAIN));
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
