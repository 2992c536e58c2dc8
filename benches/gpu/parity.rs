//! Graph by graph: which provider ran each node, and how far results on the device are from those on the processor.

use std::{collections::BTreeMap, path::Path};

use serde_json::{Value, json};
use wader::model::Manifest;

use super::{
    Options,
    bare::{Bare, Tensors, by_name, bytes, floats, integers},
    say,
};

/// A repeatable number below `below`.
fn draw(state: &mut u64, below: u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % below.max(1)
}

/// A stored tensor, or one of its form with random numbers in it: floats up to a tenth away, pictures of random
/// blocks, words of the vocabulary; what places things (masks, positions, indices) stays.
fn tensor(name: &str, stored: &Value, numbers: &[u8], vocab: u64, random: Option<&mut u64>) -> ort::value::DynValue {
    let shape: Vec<usize> =
        stored["shape"].as_array().unwrap().iter().map(|dim| dim.as_u64().unwrap() as usize).collect();
    let (count, offset) = (shape.iter().product::<usize>(), stored["offset"].as_u64().unwrap_or(0) as usize);
    let part = |width: usize| numbers[offset..offset + count * width].chunks_exact(width);
    match stored["dtype"].as_str().unwrap() {
        "uint8" => {
            let mut values: Vec<u8> = part(1).map(|byte| byte[0]).collect();
            if let Some(state) = random {
                let (width, channels) = (shape[2], shape[3]);
                let shades: Vec<u8> = (0..4096).map(|_| draw(state, 256) as u8).collect();
                for (place, value) in values.iter_mut().enumerate() {
                    let (row, column) = (place / channels / width, place / channels % width);
                    *value = shades[(row / 24 * 64 + column / 24 * 3 + place % channels) % 4096];
                }
            }
            bytes(&shape, values)
        }
        "int64" => {
            let mut values: Vec<i64> = part(8).map(|eight| i64::from_le_bytes(eight.try_into().unwrap())).collect();
            if let (Some(state), "input_ids") = (random, name) {
                values.iter_mut().for_each(|id| *id = if *id == 1 { 1 } else { draw(state, vocab) as i64 });
            }
            integers(&shape, values)
        }
        _ => {
            let mut values: Vec<f32> = part(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
            let kept = ["frame_pos", "gate_scale", "region"];
            if let Some(state) = random.filter(|_| !kept.contains(&name)) {
                // Near what is stored: the resampler takes logarithms of some of it.
                for value in &mut values {
                    *value *= 0.9 + draw(state, 2001) as f32 / 10_000.0;
                }
            }
            floats(&shape, values)
        }
    }
}

/// The largest difference of any output, the mean one, and the largest number compared with.
fn differences(here: &Tensors, there: &Tensors) -> (f64, f64, f64) {
    let (mut largest, mut sum, mut count, mut size) = (0.0_f64, 0.0_f64, 0_u64, 0.0_f64);
    for ((_, here), (_, there)) in here.iter().zip(there) {
        let (_, wanted) = here.try_extract_tensor::<f32>().unwrap();
        let (_, found) = there.try_extract_tensor::<f32>().unwrap();
        for (wanted, found) in wanted.iter().zip(found) {
            let difference = f64::from((wanted - found).abs());
            // what is not a number is as far away as can be
            largest = if difference.is_nan() { f64::INFINITY } else { largest.max(difference) };
            sum += difference;
            count += 1;
            size = size.max(f64::from(wanted.abs()));
        }
    }
    (largest, sum / count.max(1) as f64, size)
}

/// Kinds of nodes by provider, as the profile tells.
fn nodes(profile: &str) -> BTreeMap<String, BTreeMap<String, usize>> {
    let events: Value = serde_json::from_slice(&std::fs::read(profile).unwrap()).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    let mut nodes: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for event in events.as_array().into_iter().flatten() {
        let word = |key: &str| event.pointer(key).and_then(Value::as_str);
        let (Some(provider), Some(kind), Some(name)) = (word("/args/provider"), word("/args/op_name"), word("/name"))
        else {
            continue;
        };
        if seen.insert(name.to_owned()) {
            *nodes.entry(provider.to_owned()).or_default().entry(kind.to_owned()).or_default() += 1;
        }
    }
    nodes
}

pub(crate) fn run(options: &Options) {
    let manifest = Manifest::read(&options.folder).unwrap();
    let told: Value = serde_json::from_slice(&std::fs::read(options.folder.join("manifest.json")).unwrap()).unwrap();
    let reference: Value =
        serde_json::from_slice(&std::fs::read(options.reference.join("manifest.json")).unwrap()).unwrap();
    let goldens: Value =
        serde_json::from_slice(&std::fs::read(options.folder.join("golden/golden.json")).unwrap()).unwrap();
    let numbers = std::fs::read(options.folder.join("golden/golden.bin")).unwrap();
    let profiles = tempfile::tempdir().unwrap();
    for (role, file) in told["graphs"].as_object().unwrap() {
        let name = |manifest: &Value| manifest["graphs"][role].as_str().unwrap().to_owned();
        let mut here = Bare::open(&options.reference.join(name(&reference)), false, None);
        let profile = profiles.path().join(role);
        let file = Path::new(file.as_str().unwrap());
        let mut there = Bare::open(&options.folder.join(file), options.cuda, Some(&profile));
        let (mut cases, mut state) = (Vec::new(), 7_u64);
        for case in goldens["cases"].as_array().unwrap().iter().filter(|case| case["graph"] == role.as_str()) {
            for random in [false, true] {
                let inputs: Tensors = case["inputs"]
                    .as_object()
                    .unwrap()
                    .iter()
                    .map(|(name, stored)| {
                        let random = random.then_some(&mut state);
                        let vocab = manifest.decoder.vocab as u64;
                        (name.clone(), tensor(name, stored, &numbers, vocab, random))
                    })
                    .collect();
                let (wanted, found) = (here.run(&by_name(&inputs), None), there.run(&by_name(&inputs), None));
                let (largest, mean, size) = differences(&wanted, &found);
                cases.push(json!({ "random": random, "largest": largest, "mean": mean, "of": size }));
            }
        }
        let nodes = nodes(&there.end_profile());
        say(
            "parity",
            json!({ "graph": role, "cases": cases, "tolerance": reference["golden"]["tolerance"][role], "nodes": nodes }),
        );
    }
}
