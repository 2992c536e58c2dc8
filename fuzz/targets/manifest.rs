//! A model's `manifest.json`, and the graphs that it names: nothing panics, nothing outside of the folder is ever read, and
//! what a graph is found to need stands in its bytes.
//!
//! An input that begins with `{` is a manifest, any other is a graph.

#![no_main]

use std::{fs, path::Path};

use libfuzzer_sys::fuzz_target;
use wader::model::{Manifest, Template, fuzzing::needs};
use wader_fuzz::folder;

fuzz_target!(|data: &[u8]| {
    thread_local! { static FOLDER: tempfile::TempDir = folder(); }
    if !data.starts_with(b"{") {
        let Ok([files, domains]) = needs(data) else { return };
        for name in files.iter().chain(&domains).filter(|name| !name.is_empty()) {
            assert!(data.windows(name.len()).any(|bytes| bytes == name.as_bytes()), "{name} is not there");
        }
        return;
    }
    FOLDER.with(|folder| {
        fs::write(folder.path().join("manifest.json"), data).expect("a file");
        let Ok(manifest) = Manifest::read(folder.path()) else { return };
        for name in manifest.files.keys() {
            let plain = Path::new(name).components().all(|part| matches!(part, std::path::Component::Normal(_)));
            assert!(plain, "`{name}` leads out of the folder");
        }
        assert!(manifest.verify(folder.path()).is_err(), "there is no other file, and a model needs some");
        assert!(Template::load(folder.path(), &manifest).is_err(), "there is no tokenizer");
    });
});
