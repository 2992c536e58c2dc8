//! A model folder is trusted only when everything about it fits, and is refused in words that say what to do.

use wader::model::{Device, Error, Flamingo, Placement, Spec};

use crate::support::model::{FolderCopy, on_cpu, oracle, oracle_folder};

/// A refusal without the folder's name, which differs from run to run.
fn words(copy: &FolderCopy) -> String {
    copy.refusal().to_string().replace(&copy.path().display().to_string(), "FOLDER")
}

fn refused_manifest(change: impl FnOnce(&mut serde_json::Value)) -> String {
    words(&FolderCopy::with_manifest(change))
}

#[test]
fn the_oracle_itself_is_fine_and_its_copy_too() {
    assert_eq!(oracle().manifest().name, "oracle");
    Flamingo::load(FolderCopy::new().path(), &on_cpu()).unwrap();
}

#[test]
fn what_ran_is_read_back_node_by_node() {
    let model = oracle();
    let provider = model.provider();
    assert_eq!(provider.used, Placement::Cpu);
    assert_eq!(provider.providers().into_iter().collect::<Vec<_>>(), ["CPUExecutionProvider"]);
    for graph in ["vision_encoder", "resampler", "decoder"] {
        assert!(provider.nodes[graph]["CPUExecutionProvider"] > 5, "{graph}: {:?}", provider.nodes);
    }
    assert_eq!(provider.reason, None, "nothing faster was asked for");
}

#[test]
fn without_cuda_asking_for_it_is_an_error_and_auto_says_why_not() {
    let asked = Flamingo::load(&oracle_folder(), &Spec { device: Device::Cuda(0), ..on_cpu() });
    let auto = Flamingo::load(&oracle_folder(), &Spec { device: Device::Auto, ..on_cpu() }).unwrap();
    if auto.provider().used == Placement::Cuda(0) {
        // A machine with CUDA: then both must really run there.
        assert!(asked.unwrap().provider().providers().contains("CUDAExecutionProvider"));
        return;
    }
    let error = asked.unwrap_err();
    assert!(matches!(error, Error::Cuda { device: 0, .. }), "{error}");
    let reason = auto.provider().reason.clone().unwrap();
    assert!(error.to_string().starts_with("model device `cuda:0` was asked for, but "), "{error}");
    assert!(error.to_string().contains(&reason), "{error} should say what auto says: {reason}");
    assert!(reason.contains("no CUDA provider") || reason.contains("driver") || reason.contains("CUDA"), "{reason}");
    assert_eq!(auto.provider().providers().into_iter().collect::<Vec<_>>(), ["CPUExecutionProvider"]);
}

#[test]
fn a_missing_or_broken_library_is_an_error_and_no_panic() {
    let missing = Spec { onnxruntime: Some("/nowhere/libonnxruntime.so".into()), ..on_cpu() };
    let error = Flamingo::load(&oracle_folder(), &missing).unwrap_err().to_string();
    assert!(error.contains("looked at `/nowhere/libonnxruntime.so`") && error.contains("./x setup"), "{error}");
    let broken = tempfile::NamedTempFile::with_suffix(".so").unwrap();
    std::fs::write(&broken, "not a library").unwrap();
    let spec = Spec { onnxruntime: Some(broken.path().to_owned()), ..on_cpu() };
    let error = Flamingo::load(&oracle_folder(), &spec).unwrap_err().to_string();
    assert!(error.contains(&broken.path().display().to_string()) && error.contains("./x setup"), "{error}");
}

#[test]
fn no_folder_and_no_manifest_are_told_apart_from_a_bad_one() {
    let nowhere = Flamingo::load("/nowhere".as_ref(), &on_cpu()).unwrap_err().to_string();
    assert!(nowhere.contains("model folder `/nowhere`: manifest.json: cannot be read"), "{nowhere}");
    let copy = FolderCopy::new();
    copy.change_file("manifest.json", |bytes| bytes.truncate(100));
    assert!(words(&copy).starts_with("model folder `FOLDER`: manifest.json: is not JSON"), "{}", words(&copy));
}

#[test]
fn manifests_that_this_version_cannot_serve_are_refused_with_key_value_and_remedy() {
    let refusals = [
        refused_manifest(|manifest| manifest["contract"] = "flamingo-onnx/2".into()),
        refused_manifest(|manifest| manifest["vision"]["colour"] = "bgr".into()),
        refused_manifest(|manifest| drop(manifest["decoder"].as_object_mut().unwrap().remove("vocab"))),
        refused_manifest(|manifest| manifest["decoder"]["heads"] = "many".into()),
        refused_manifest(|manifest| manifest["decoder"]["media_rule"] = "span".into()),
        refused_manifest(|manifest| manifest["resampler"]["scope"] = "frame".into()),
        refused_manifest(|manifest| manifest["resampler"]["frame_mode"] = "interleaved".into()),
        refused_manifest(|manifest| manifest["resampler"]["latents"] = 0.into()),
        refused_manifest(|manifest| manifest["golden"]["tolerance"]["decoder"] = 0.into()),
        refused_manifest(|manifest| manifest["minimum_runtime"] = "new".into()),
        refused_manifest(|manifest| manifest["minimum_runtime"] = "7.0".into()),
        refused_manifest(|manifest| manifest["prompt"]["caption"] = manifest["prompt"]["question"].clone()),
        refused_manifest(|manifest| manifest["tokens"]["eos"] = serde_json::json!([])),
    ];
    insta::assert_snapshot!(without_runtime_version(&refusals.join("\n")));
}

/// The version of ONNX Runtime at hand is not ours to fix.
fn without_runtime_version(text: &str) -> String {
    let Some((before, rest)) = text.split_once("newer than ONNX Runtime ") else { return text.to_owned() };
    let after = rest.split_once(' ').map_or("", |(_, after)| after);
    format!("{before}newer than ONNX Runtime VERSION {after}")
}

#[test]
fn files_outside_the_folder_and_links_are_refused() {
    for name in ["../decoder.onnx", "/etc/passwd", "golden/../../x", "a\\b", ""] {
        let refusal = refused_manifest(|manifest| {
            manifest["files"][name] = serde_json::json!({ "bytes": 1, "sha256": "00" });
        });
        assert!(refusal.contains(&format!("`files.{name}`")) && refusal.contains("leads out of"), "{refusal}");
    }
    let copy = FolderCopy::new();
    let outside = tempfile::tempdir().unwrap();
    std::fs::rename(copy.path().join("golden"), outside.path().join("golden")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("golden"), copy.path().join("golden")).unwrap();
    assert!(words(&copy).contains("`golden/golden.bin` is a symbolic link or lies behind one"), "{}", words(&copy));
}

#[test]
fn one_changed_byte_a_changed_size_and_a_missing_file_are_refused_before_any_load() {
    for name in ["vision_encoder.onnx", "resampler.onnx", "decoder.onnx", "tokenizer.json", "golden/golden.bin"] {
        let copy = FolderCopy::new();
        copy.change_file(name, |bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        });
        let error = copy.refusal();
        assert!(matches!(&error, Error::File { name: found, .. } if found == name), "{error}");
        assert!(error.to_string().contains("has SHA-256"), "{error}");
        copy.change_file(name, |bytes| bytes.push(0));
        assert!(words(&copy).contains(&format!("`{name}` has `")), "{}", words(&copy));
        std::fs::remove_file(copy.path().join(name)).unwrap();
        assert!(words(&copy).contains(&format!("`{name}` is missing")), "{}", words(&copy));
    }
    // Before any load: the library is not even looked for.
    let copy = FolderCopy::new();
    copy.change_file("decoder.onnx", |bytes| bytes[1000] ^= 1);
    let nowhere = Spec { onnxruntime: Some("/nowhere.so".into()), ..on_cpu() };
    assert!(matches!(Flamingo::load(copy.path(), &nowhere), Err(Error::File { .. })));
}

#[test]
fn a_file_that_is_used_must_be_listed() {
    for name in ["decoder.onnx", "tokenizer.json", "golden/golden.bin"] {
        let refusal = refused_manifest(|manifest| drop(manifest["files"].as_object_mut().unwrap().remove(name)));
        assert!(refusal.contains(&format!("`{name}` is not listed in `files`")), "{refusal}");
    }
}

#[test]
fn graphs_that_need_unlisted_files_or_foreign_operators_are_refused_before_any_load() {
    // TensorProto.external_data { key: "location", value: "../secret" } in a graph of its own.
    let entry = [b"\x0a\x08location\x12\x09../secret".as_slice()].concat();
    let tensor = [&[0x6a, entry.len() as u8], entry.as_slice()].concat();
    let graph = [&[0x2a, tensor.len() as u8], tensor.as_slice()].concat();
    let model = [&[0x3a, graph.len() as u8], graph.as_slice()].concat();
    let copy = FolderCopy::with_file("decoder.onnx", |bytes| bytes.extend_from_slice(&model));
    let refusal = words(&copy);
    assert!(refusal.contains(r#"`decoder.onnx` needs files that `files` does not list: {"../secret"}"#), "{refusal}");

    // NodeProto.domain = "evil" in a graph of its own.
    let model = b"\x3a\x08\x0a\x06\x3a\x04evil";
    let copy = FolderCopy::with_file("decoder.onnx", |bytes| bytes.extend_from_slice(model));
    assert!(words(&copy).contains("uses operators of the unknown domain `evil`"), "{}", words(&copy));

    let copy = FolderCopy::with_file("resampler.onnx", |bytes| *bytes = b"no graph at all".to_vec());
    assert!(words(&copy).contains("`resampler.onnx` is not an ONNX graph"), "{}", words(&copy));
}

/// Replaces bytes by others of the same length, everywhere.
fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    assert_eq!(from.len(), to.len());
    let places: Vec<_> = (0..=bytes.len() - from.len()).filter(|&at| bytes[at..].starts_with(from)).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
}

#[test]
fn every_difference_of_tensors_is_listed() {
    let renamed = FolderCopy::with_file("resampler.onnx", |bytes| replace(bytes, b"frame_pos", b"frame_por"));
    insta::assert_snapshot!(words(&renamed), @"model folder `FOLDER`: graph `resampler` does not fit manifest.json: input `frame_pos` is missing; input `frame_por` is not in the contract; export the model again");
    let wrong_size = FolderCopy::with_manifest(|manifest| manifest["vision"]["dim"] = 6.into());
    insta::assert_snapshot!(words(&wrong_size), @"model folder `FOLDER`: graph `vision_encoder` does not fit manifest.json: output `frame_features` has shape [?, 1, 5] where [?, 1, 6] is expected; export the model again");
    let wrong_type = FolderCopy::with_manifest(|manifest| manifest["float"] = "float16".into());
    assert!(
        words(&wrong_type).contains("`frame_features` holds Float32 where Float16 is expected"),
        "{}",
        words(&wrong_type)
    );
    let layers = FolderCopy::with_manifest(|manifest| manifest["decoder"]["self_layers"] = 3.into());
    let refusal = words(&layers);
    for name in ["past_key_values.2.key", "past_key_values.2.value", "present.2.key", "present.2.value"] {
        assert!(refusal.contains(&format!("`{name}` is missing")), "{refusal}");
    }
    let swapped = FolderCopy::with_manifest(|manifest| manifest["graphs"]["vision_encoder"] = "resampler.onnx".into());
    assert!(words(&swapped).contains("input `pixels` is missing"), "{}", words(&swapped));
}

#[test]
fn a_model_that_computes_other_numbers_here_is_refused() {
    // The first output of the goldens: features of the second frame, which say camera 5.
    let copy = FolderCopy::with_file("golden/golden.bin", |bytes| {
        let camera = 5.0_f32.to_le_bytes();
        let at = (4 * 64 * 48 * 3..bytes.len()).find(|&at| bytes[at..].starts_with(&camera)).unwrap();
        bytes[at..at + 4].copy_from_slice(&6.0_f32.to_le_bytes());
    });
    insta::assert_snapshot!(words(&copy), @"model folder `FOLDER`: golden case 0 of graph `vision_encoder`: output `frame_features` differs by 1.667e-1 on cpu, and the manifest allows 1.0e-4; use another device or ONNX Runtime version, or export the model again");

    let copy = FolderCopy::with_file("golden/golden.bin", |bytes| bytes.truncate(1000));
    assert!(words(&copy).contains("lies outside the file of numbers"), "{}", words(&copy));
    let copy = FolderCopy::with_file("golden/golden.json", |bytes| *bytes = br#"{"cases": []}"#.to_vec());
    assert!(words(&copy).contains("does not hold a case of every graph"), "{}", words(&copy));
}

#[test]
fn a_tokenizer_that_does_not_fit_is_refused() {
    let image = FolderCopy::with_manifest(|manifest| manifest["tokens"]["image"] = 100.into());
    assert!(
        words(&image).contains("has no added token `100`, which the manifest names as `tokens.image`"),
        "{}",
        words(&image)
    );
    let other = FolderCopy::with_manifest(|manifest| manifest["tokens"]["image"] = 0.into());
    assert!(words(&other).contains("gives `prompt.question` 0 picture tokens"), "{}", words(&other));
    let part = FolderCopy::with_manifest(|manifest| manifest["prompt"]["question"][2]["token"] = "ask:".into());
    assert!(words(&part).contains("has no added token `ask:`"), "{}", words(&part));
    let number = FolderCopy::with_manifest(|manifest| manifest["prompt"]["numbers"][0] = "nought".into());
    assert!(words(&number).contains("has no token for `nought`"), "{}", words(&number));
    // its rows are those of words that can be read; fewer can be written
    let mute = FolderCopy::with_manifest(|manifest| manifest["decoder"]["vocab"] = 3.into());
    assert!(words(&mute).contains("has no token for `"), "{}", words(&mute));
    let small = FolderCopy::with_manifest(|manifest| manifest["decoder"]["embed_rows"] = 100.into());
    assert!(words(&small).contains("where `decoder.embed_rows` of the manifest is 100"), "{}", words(&small));
    for content in ["7", "[]", "null", "\"x\""] {
        let broken = FolderCopy::with_file("tokenizer.json", |bytes| *bytes = content.into());
        assert!(words(&broken).contains("tokenizer.json: is not a tokenizer"), "{}", words(&broken));
    }
    let broken = FolderCopy::with_file("tokenizer.json", |bytes| *bytes = b"{}".to_vec());
    assert!(words(&broken).contains("tokenizer.json: cannot be read"), "{}", words(&broken));
}
