//! Why a model cannot be used or did not answer: what kind, where, and what to do about it.

use std::path::{Path, PathBuf};

/// Why a model cannot be used or did not answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The manifest cannot be read, or says something that this version cannot serve.
    #[error("model folder `{}`: manifest.json: {}{problem}; {remedy}", folder.display(), at(key))]
    Manifest {
        /// The model folder.
        folder: PathBuf,
        /// The key, with dots; empty when it is about the whole file.
        key: String,
        /// What is wrong, with the wrong value.
        problem: String,
        /// What would mend it.
        remedy: String,
    },
    /// A file of the model folder is not what the manifest says.
    #[error("model folder `{}`: `{name}` {problem}; copy or export the model folder again", folder.display())]
    File {
        /// The model folder.
        folder: PathBuf,
        /// The file, as the manifest names it.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// There is no ONNX Runtime library where it was looked for.
    #[error(
        "ONNX Runtime's library was not found (looked at {}); run `./x setup`, or set ORT_DYLIB_PATH to libonnxruntime.so",
        list(looked)
    )]
    LibraryMissing {
        /// The places, in the order they were tried.
        looked: Vec<String>,
    },
    /// The ONNX Runtime library cannot be used.
    #[error("ONNX Runtime's library `{}`: {problem}; run `./x setup`, or set ORT_DYLIB_PATH to one that works", path.display())]
    Library {
        /// The library.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// CUDA was asked for and cannot be used.
    #[error("model device `cuda:{device}` was asked for, but {missing}")]
    Cuda {
        /// The device's number.
        device: u32,
        /// What is missing and what to do about it.
        missing: String,
    },
    /// ONNX Runtime refuses a graph.
    #[error("model folder `{}`: ONNX Runtime cannot load `{graph}`: {problem}; export the model again for this runtime", folder.display())]
    Session {
        /// The model folder.
        folder: PathBuf,
        /// The graph.
        graph: &'static str,
        /// ONNX Runtime's words.
        problem: String,
    },
    /// A graph's inputs or outputs are not those of the contract.
    #[error(
        "model folder `{}`: graph `{graph}` does not fit manifest.json: {}; export the model again",
        folder.display(),
        differences.join("; ")
    )]
    Tensors {
        /// The model folder.
        folder: PathBuf,
        /// The graph.
        graph: &'static str,
        /// Each difference.
        differences: Vec<String>,
    },
    /// The tokenizer does not fit the manifest.
    #[error("model folder `{}`: tokenizer.json: {problem}; export the model again", folder.display())]
    Tokenizer {
        /// The model folder.
        folder: PathBuf,
        /// What does not fit.
        problem: String,
    },
    /// A stored example cannot be read.
    #[error("model folder `{}`: golden case {case}: {problem}; export the model again", folder.display())]
    GoldenFile {
        /// The model folder.
        folder: PathBuf,
        /// Which case, counted from 0.
        case: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// The model computes something else here than where it was exported.
    #[error(
        "model folder `{}`: golden case {case} of graph `{graph}`: output `{output}` differs by {difference:.3e} on \
         {provider}, and the manifest allows {tolerance:.1e}; use another device or ONNX Runtime version, or export the \
         model again",
        folder.display()
    )]
    Golden {
        /// The model folder.
        folder: PathBuf,
        /// Which case, counted from 0.
        case: usize,
        /// The graph.
        graph: &'static str,
        /// The output that differs most.
        output: String,
        /// By how much, as the tolerance counts it.
        difference: f64,
        /// What is allowed.
        tolerance: f64,
        /// Where it ran.
        provider: String,
    },
    /// What ONNX Runtime tells about where the graphs ran cannot be had.
    #[error("which provider runs the model cannot be read back: {problem}; check that {} is writable", std::env::temp_dir().display())]
    Profile {
        /// What went wrong.
        problem: String,
    },
    /// A graph failed while it ran.
    #[error("graph `{graph}` failed: {problem}")]
    Run {
        /// The graph.
        graph: &'static str,
        /// ONNX Runtime's words.
        problem: String,
    },
    /// What a graph made of one thing at least, of those that it was given together, is no number.
    #[error("graph `{graph}` failed: {what} is not a number; the model is damaged or overflows in its precision")]
    NotNumber {
        /// The graph.
        graph: &'static str,
        /// What is none.
        what: &'static str,
    },
    /// A model folder cannot be put where it should be.
    #[error("`{}` {problem}", target.display())]
    Install {
        /// Where it should be.
        target: PathBuf,
        /// Why it cannot be there, with what to do about it.
        problem: String,
    },
    /// A request that this model cannot serve.
    #[error("the model cannot serve this request: {problem}")]
    Request {
        /// What is wrong with it, with the limit.
        problem: String,
    },
}

impl Error {
    /// A complaint about one key of the manifest.
    pub(super) fn manifest(
        folder: &Path,
        key: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::Manifest { folder: folder.to_owned(), key: key.into(), problem: problem.into(), remedy: remedy.into() }
    }

    /// A complaint about one file of the folder.
    pub(super) fn file(folder: &Path, name: &str, problem: impl Into<String>) -> Self {
        Self::File { folder: folder.to_owned(), name: name.to_owned(), problem: problem.into() }
    }

    /// A complaint about a request.
    pub(super) fn request(problem: impl Into<String>) -> Self {
        Self::Request { problem: problem.into() }
    }
}

/// `key: ` in backticks, or nothing.
fn at(key: &str) -> String {
    if key.is_empty() { String::new() } else { format!("`{key}`: ") }
}

/// Places in backticks.
fn list(places: &[String]) -> String {
    places.iter().map(|place| format!("`{place}`")).collect::<Vec<_>>().join(", ")
}
