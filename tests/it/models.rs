//! Model folders at the command line: what is said of them, and that only what was verified gets among the models.

use std::{fs, path::Path};

use wader::model::Manifest;

use crate::support::{
    model::{FolderCopy, family_folder, oracle_folder, small_folder},
    service::{Said, wader},
};

async fn add(folder: &Path, library: &Path, rest: &[&str]) -> Said {
    let (folder, library) = (folder.to_str().unwrap(), library.to_str().unwrap());
    wader(&[&["models", "add", folder, "--library", library, "--device", "cpu"], rest].concat()).await
}

/// What lies in a folder, by name.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_verified_model_is_copied_whole_and_a_second_time_not_at_all() {
    let (copy, parent) = (FolderCopy::new(), tempfile::tempdir().unwrap());
    let library = parent.path().join("models");
    fs::write(copy.path().join("NOTICE"), "whose it is").unwrap();
    fs::write(copy.path().join("secret.txt"), "not of the model").unwrap();
    let said = add(copy.path(), &library, &[]).await;
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.out, format!("[model]\npath = \"{}\"\n", library.join("oracle").display()));
    assert_eq!(names(&library), ["oracle"], "nothing unfinished is left");
    let manifest = Manifest::read(&library.join("oracle")).unwrap();
    manifest.verify(&library.join("oracle")).unwrap();
    assert!(library.join("oracle/NOTICE").is_file(), "what its licence wants comes with it");
    assert!(!library.join("oracle/secret.txt").exists(), "and nothing else");

    let said = add(copy.path(), &library, &[]).await;
    assert!(said.code == 0 && said.err.contains("is that model already"), "{said:?}");
    let said = add(&family_folder("span"), &library, &["--name", "oracle"]).await;
    assert!(said.code != 0 && said.err.contains("holds another model"), "{said:?}");
    fs::write(library.join("oracle/decoder.onnx"), "cut").unwrap();
    let said = add(copy.path(), &library, &[]).await;
    assert!(said.code != 0 && said.err.contains("is there and no whole model"), "{said:?}");
    for name in ["../up", ".hidden", "a/b", ""] {
        let said = add(copy.path(), &library, &["--name", name]).await;
        assert!(said.code != 0 && said.err.contains("is no name for a folder"), "{name}: {said:?}");
    }
}

#[tokio::test]
async fn a_model_may_stay_where_it_is_and_be_linked() {
    let library = tempfile::tempdir().unwrap();
    let said = add(&family_folder("position"), library.path(), &["--link", "--name", "moss"]).await;
    assert_eq!(said.code, 0, "{said:?}");
    let at = library.path().join("moss");
    assert!(at.symlink_metadata().unwrap().is_symlink());
    let verify = wader(&["models", "verify", at.to_str().unwrap(), "--device", "cpu"]).await;
    assert_eq!(verify.code, 0, "{verify:?}");
    for graph in ["vision_encoder", "resampler", "decoder"] {
        let line = verify.out.lines().find(|line| line.trim_start().starts_with(graph));
        assert!(line.is_some_and(|line| line.contains("allowed 1.0e-4")), "{verify:?}");
    }
}

#[tokio::test]
async fn what_does_not_verify_is_refused_with_the_reason_and_gets_nowhere() {
    let other_numbers = FolderCopy::with_file("golden/golden.bin", |bytes| {
        let camera = 5.0_f32.to_le_bytes();
        let at = (4 * 64 * 48 * 3..bytes.len()).find(|&at| bytes[at..].starts_with(&camera)).unwrap();
        bytes[at..at + 4].copy_from_slice(&6.0_f32.to_le_bytes());
    });
    let damaged = FolderCopy::new();
    damaged.change_file("decoder.onnx", |bytes| bytes[1000] ^= 1);
    for (folder, reason) in [(&other_numbers, "golden case 0 of graph `vision_encoder`"), (&damaged, "has SHA-256")] {
        let library = tempfile::tempdir().unwrap();
        let said = add(folder.path(), library.path(), &[]).await;
        assert!(said.code != 0 && said.err.contains(reason), "{said:?}");
        assert_eq!(names(library.path()), [""; 0]);
        let verify = wader(&["models", "verify", folder.path().to_str().unwrap(), "--device", "cpu"]).await;
        assert!(verify.code != 0 && verify.err.contains(reason), "{verify:?}");
    }
}

#[tokio::test]
async fn what_a_licence_does_not_grant_is_shown() {
    let llama = FolderCopy::with_manifest(|manifest| {
        manifest["provenance"]["sources"] = serde_json::json!([{
            "name": "Llama-3.2-11B-Vision", "origin": "a hub", "licence": "LicenseRef-Llama-3.2-Community", "sha256": "00"
        }]);
    });
    let show = wader(&["models", "show", llama.path().to_str().unwrap()]).await;
    assert!(
        show.out.contains("grants no rights in models that see to people domiciled in the European Union"),
        "{show:?}"
    );
    llama.change_manifest(|manifest| {
        manifest["provenance"]["licence_limits"] = serde_json::json!(["research only"]);
    });
    let library = tempfile::tempdir().unwrap();
    let said = add(llama.path(), library.path(), &[]).await;
    assert!(said.code == 0 && said.err.contains("warning: licence: research only"), "{said:?}");
    let show = wader(&["models", "show", oracle_folder().to_str().unwrap()]).await;
    assert!(!show.out.contains("limit "), "{show:?}");
    assert!(
        show.out.contains("trained     windows of 16 frames over 0 to 3600 s; pictures are told apart by their times")
    );
}

/// What `wader check` says of a prompt with this window, asked of this model.
async fn checked(model: &Path, window: &str) -> Said {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wader.toml");
    let text = format!(
        "[mqtt]\nurl = \"mqtt://localhost\"\n[model]\npath = \"{}\"\n[cameras]\nyard = \"rtsp://127.0.0.1:9/none\"\n\
         [prompts.there]\nask = \"is it there\"\nanswer = \"yes_no\"\nevery = \"10s\"\nwindow = {window}\n",
        model.display()
    );
    fs::write(&file, text).unwrap();
    wader(&["check", "--config", file.to_str().unwrap()]).await
}

#[tokio::test]
async fn windows_that_the_weights_never_saw_are_warned_of() {
    let said = checked(&family_folder("position"), "{ frames = 4, span = \"4s\" }").await;
    assert!(said.code == 0 && !said.err.contains("warning"), "{said:?}");
    let short = FolderCopy::of(&family_folder("position"));
    short.change_manifest(|manifest| manifest["resampler"]["time"]["trained_span_s"][1] = 60.into());
    let said = checked(short.path(), "{ frames = 4, span = \"2m\" }").await;
    let warning = "prompts.there.window: `position` was trained on 0 to 60 seconds (stamped), and is given 120 seconds";
    assert!(said.code == 0 && said.err.contains(warning), "{said:?}");
    let said = checked(&family_folder("span"), "{ frames = 4, span = \"4s\" }").await;
    let warning = "prompts.there.window: `span` was trained on 1 frame (grouped), and is given 4 frames";
    assert!(said.code == 0 && said.err.contains(warning), "{said:?}");
    let said = checked(&family_folder("span"), "{ frames = 5, span = \"4s\" }").await;
    assert!(
        said.code == 78 && said.err.contains("prompts.there.window.frames = 5: the model takes 4 at most"),
        "{said:?}"
    );
}

#[tokio::test]
async fn a_model_of_single_pictures_takes_any_window_and_says_what_it_looks_at() {
    let single = FolderCopy::with_manifest(|manifest| {
        manifest["resampler"]["frame_mode"] = "single".into();
        manifest["resampler"]["max_frames"] = 1.into();
        manifest["resampler"]["trained_frames"] = serde_json::json!([1]);
    });
    let said = checked(single.path(), "{ frames = 8, span = \"7s\" }").await;
    let warning = "prompts.there.window.frames = 8: the model looks at single pictures, and is given the newest";
    assert!(said.code == 0 && said.err.contains(warning), "{said:?}");
    assert!(!said.err.contains("was trained on"), "{said:?}");
    let said = checked(single.path(), "{ frames = 1 }").await;
    assert!(said.code == 0 && !said.err.contains("warning"), "{said:?}");
}

/// What the exporter makes of public checkpoints, in small: random weights in the form of each family.
#[tokio::test]
async fn what_the_exporter_makes_of_public_families_is_verified_and_answers() {
    let folder = |name: &str| family_folder(name).to_str().unwrap().to_owned();
    let picture = small_folder().join("examples.png");
    for name in ["random-open-flamingo", "random-otter", "random-mllama", "random-moss-vl"] {
        let said = wader(&["models", "verify", &folder(name), "--device", "cpu"]).await;
        assert_eq!(said.code, 0, "{name}: {said:?}");
        let asked = ["ask", "What is there?", "--text", "--device", "cpu", "--image", picture.to_str().unwrap()];
        let said = wader(&[&asked[..], &["--model", &folder(name)]].concat()).await;
        // its numbers are random, and so it is unsure; but it was asked
        assert!(said.err.contains("probability 0.") && said.err.contains("from 1 picture"), "{name}: {said:?}");
    }
}
