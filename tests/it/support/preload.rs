//! A system that lies to one process: a library of C that is loaded before the system's own.

use std::{fs, path::Path, process::Command};

/// Builds it; what to put into `LD_PRELOAD`.
pub(crate) fn build(folder: &Path, c: &str) -> String {
    let (source, library) = (folder.join("lies.c"), folder.join("lies.so"));
    fs::write(&source, c).unwrap();
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).arg("-ldl").status();
    assert!(built.unwrap().success(), "cc is what Rust links with");
    library.to_str().unwrap().to_owned()
}
