//! The oracle model (tests/models/README.md) for tests: frames it can read, and what it says it was given.

#![expect(clippy::unwrap_used, reason = "a rig that cannot be set up fails its test")]

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sha2::{Digest, Sha256};
use wader::{
    frame::{Frame, Size, Stamp},
    model::{
        Device, Error, Features, Flamingo, Gates, Manifest, Model, Moments, Prefix, Row, Spec, VisualTokens, Writing,
    },
};

/// The oracle's folder.
pub(crate) fn oracle_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/oracle")
}

/// The folder of the oracle that can spell any text.
pub(crate) fn speller_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/speller")
}

/// The folder of an oracle of another family, by its media rule.
pub(crate) fn family_folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models").join(name)
}

/// The shipped model's folder.
pub(crate) fn small_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/wader-small")
}

/// How tests run models: on the processor, one thread.
pub(crate) fn on_cpu() -> Spec {
    Spec { device: Device::Cpu, threads: 1, onnxruntime: None }
}

/// The oracle, loaded.
pub(crate) fn oracle() -> Flamingo {
    Flamingo::load(&oracle_folder(), &on_cpu()).unwrap()
}

/// A frame of the oracle's size with the test camera's barcode in its top quarter.
pub(crate) fn picture(camera: u32, number: u32) -> Arc<Frame> {
    let checksum = (camera ^ number ^ (number >> 6) ^ (number >> 12) ^ (number >> 18) ^ 0b10_1010) & 63;
    let word = camera << 26 | number << 6 | checksum;
    let mut pixels = vec![90; 64 * 48 * 3];
    for (y, row) in pixels.chunks_exact_mut(64 * 3).enumerate().take(12) {
        for (x, pixel) in row.chunks_exact_mut(3).enumerate() {
            let cell = y / 6 * 16 + x / 4;
            pixel.fill(if word >> (31 - cell) & 1 == 1 { 255 } else { 0 });
        }
    }
    Arc::new(Frame {
        number: u64::from(number),
        taken: Stamp::after_origin(Duration::from_millis(100 * u64::from(number))),
        size: Size { width: 64, height: 48 },
        pixels: pixels.into(),
    })
}

/// The features of one frame.
pub(crate) fn features(model: &mut Flamingo, camera: u32, number: u32) -> Features {
    model.encode(&[picture(camera, number)]).unwrap().remove(0)
}

/// A window of one camera's frames with their times in seconds; `None` is absent.
pub(crate) fn window(model: &mut Flamingo, camera: u32, frames: &[Option<(u32, f32)>]) -> Moments {
    let mut moment = |frame: &Option<(u32, f32)>| {
        let (number, time) = (*frame)?;
        Some((features(model, camera, number), time))
    };
    Moments { frames: frames.iter().map(&mut moment).collect() }
}

/// A question in the oracle's words, with what is cut off as the prefix and how a row begins.
pub(crate) struct Asked {
    /// Run once.
    pub(crate) prefix: Prefix,
    /// From the picture on, read at the answer.
    pub(crate) row: Row,
}

/// A question for these words, `reference` always among them.
pub(crate) fn asking(model: &mut Flamingo, words: &[&str], media: Option<usize>) -> Asked {
    let prompt = model.template().question(&format!("{} reference", words.join(" ")));
    let read = vec![prompt.suffix.len() - 1];
    Asked {
        prefix: model.prefix(&prompt.prefix).unwrap(),
        row: Row { media: media.into_iter().collect(), ids: prompt.suffix, read },
    }
}

/// What the oracle says of these words: how much likelier each is than `reference`, which is its readout.
pub(crate) fn readouts(model: &Flamingo, log_probabilities: &[f32], words: &[&str]) -> Vec<f64> {
    let of = |word: &str| {
        let ids = &model.template().label(word)[0];
        assert_eq!(ids.len(), 1, "`{word}` is one token of the oracle");
        f64::from(log_probabilities[ids[0] as usize])
    };
    let reference = of("reference");
    words.iter().map(|word| ((of(word) - reference) * 1000.0).round() / 1000.0).collect()
}

/// Asks one question about one window and gives the readouts of its words.
pub(crate) fn ask(model: &mut Flamingo, media: &VisualTokens, index: usize, words: &[&str]) -> Vec<f64> {
    let asked = asking(model, words, Some(index));
    let scores = model.score(&asked.prefix, Some(media), &[asked.row], Gates::Open).unwrap();
    readouts(model, &scores[0][0], words)
}

/// Any text of at most so many tokens for each of these rows.
pub(crate) fn texts(rows: &[Row], max_tokens: usize) -> Vec<Writing> {
    rows.iter().map(|row| Writing { row: row.clone(), max_tokens, rule: None }).collect()
}

/// A copy of a model's folder to damage.
pub(crate) struct FolderCopy(tempfile::TempDir);

impl FolderCopy {
    /// A faithful copy.
    pub(crate) fn new() -> Self {
        Self::of(&oracle_folder())
    }

    /// A faithful copy of another model's folder.
    pub(crate) fn of(model: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("golden")).unwrap();
        std::fs::copy(model.join("manifest.json"), folder.path().join("manifest.json")).unwrap();
        for name in Manifest::read(model).unwrap().files.keys() {
            std::fs::copy(model.join(name), folder.path().join(name)).unwrap();
        }
        Self(folder)
    }

    /// A copy whose manifest was changed.
    pub(crate) fn with_manifest(change: impl FnOnce(&mut serde_json::Value)) -> Self {
        let copy = Self::new();
        copy.change_manifest(change);
        copy
    }

    /// A copy that cannot compare with examples, as models that came before.
    pub(crate) fn without_comparer() -> Self {
        let copy = Self::new();
        copy.change_file("golden/golden.json", |bytes| {
            let mut goldens: serde_json::Value = serde_json::from_slice(bytes).unwrap();
            let of_flamingo = |case: &serde_json::Value| {
                ["vision_encoder", "resampler", "decoder"].iter().any(|graph| case["graph"] == *graph)
            };
            goldens["cases"].as_array_mut().unwrap().retain(of_flamingo);
            *bytes = serde_json::to_vec(&goldens).unwrap();
        });
        copy.list("golden/golden.json");
        copy.change_manifest(|manifest| {
            let manifest = manifest.as_object_mut().unwrap();
            manifest.remove("examples").unwrap();
            for graph in ["appearance_encoder", "comparer"] {
                manifest["graphs"].as_object_mut().unwrap().remove(graph).unwrap();
                manifest["golden"]["tolerance"].as_object_mut().unwrap().remove(graph).unwrap();
                manifest["files"].as_object_mut().unwrap().remove(&format!("{graph}.onnx")).unwrap();
                std::fs::remove_file(copy.path().join(format!("{graph}.onnx"))).unwrap();
            }
        });
        copy
    }

    /// A copy one file of which was changed, with the manifest's size and hash made to fit again.
    pub(crate) fn with_file(name: &str, change: impl FnOnce(&mut Vec<u8>)) -> Self {
        let copy = Self::new();
        copy.change_file(name, change);
        copy.list(name);
        copy
    }

    /// Makes the manifest's size and hash of a file fit.
    pub(crate) fn list(&self, name: &str) {
        let content = std::fs::read(self.path().join(name)).unwrap();
        let hash: String = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
        self.change_manifest(|manifest| {
            manifest["files"][name] = serde_json::json!({ "bytes": content.len(), "sha256": hash });
        });
    }

    /// Changes the manifest.
    pub(crate) fn change_manifest(&self, change: impl FnOnce(&mut serde_json::Value)) {
        self.change_file("manifest.json", |bytes| {
            let mut manifest = serde_json::from_slice(bytes).unwrap();
            change(&mut manifest);
            *bytes = serde_json::to_vec(&manifest).unwrap();
        });
    }

    /// Changes a file and nothing else.
    pub(crate) fn change_file(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let path = self.path().join(name);
        let mut bytes = std::fs::read(&path).unwrap();
        change(&mut bytes);
        std::fs::write(path, bytes).unwrap();
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Why it cannot be loaded.
    pub(crate) fn refusal(&self) -> Error {
        Flamingo::load(self.path(), &on_cpu()).unwrap_err()
    }
}
