//! The two graphs of the oracle that compare, exactly; and which model folders with or without them are accepted.

use std::sync::Arc;

use wader::{
    frame::Frame,
    model::{Cells, Comparison, Flamingo, Model, Work},
};

use super::engine::grey;
use crate::support::model::{FolderCopy, on_cpu, oracle, picture};

fn cells(model: &mut Flamingo, level: u8) -> Cells {
    model.appearance(&[grey(0, level)]).unwrap().remove(0)
}

/// By how much nearer, in squared distance, a grey of `query` is to the mean of the second examples than of the first.
fn nearer(query: f32, zero: f32, one: f32) -> f32 {
    3.0 * ((query - zero).powi(2) - (query - one).powi(2)) / 256.0
}

#[test]
fn a_cell_is_the_mean_colour_of_its_place() {
    let mut model = oracle();
    let (size, mut pixels) = (model.input_size(), vec![0; 64 * 48 * 3]);
    for y in 8..16 {
        for x in 16..24 {
            pixels[(y * 64 + x) * 3..][..3].copy_from_slice(&[200, 100, (x % 2 * 50) as u8]);
        }
    }
    let frame = Arc::new(Frame { pixels: pixels.into(), ..Frame::clone(&picture(0, 0)) });
    assert_eq!(frame.size, size);
    let looks = model.appearance(&[grey(1, 7), frame]).unwrap();
    assert!(looks[0].0.iter().all(|&number| number == 7.0));
    assert_eq!(looks[1].0.row(8 + 2).to_vec(), [200.0, 100.0, 25.0], "second row, third column");
    assert_eq!(looks[1].0.sum(), 325.0, "and nothing anywhere else");
}

#[test]
fn comparisons_are_exact_and_together_equal_alone() {
    let mut model = oracle();
    let levels = [10, 12, 20, 22, 14, 30].map(|level| cells(&mut model, level));
    let [ten, twelve, twenty, more, query, far] = &levels;
    let everywhere = vec![1.0; 48];
    let here: Vec<f32> = (0..48).map(|cell| if cell == 5 { 1.0 } else { 0.0 }).collect();
    let comparisons = [
        Comparison {
            query,
            examples: vec![(ten, false), (twenty, true), (twelve, false), (more, true)],
            region: &everywhere,
        },
        Comparison { query, examples: vec![(far, true), (ten, false)], region: &here },
        Comparison { query: far, examples: vec![(far, true), (ten, false), (ten, false)], region: &everywhere },
    ];
    let expected = [nearer(14.0, 11.0, 21.0), nearer(14.0, 10.0, 30.0), nearer(30.0, 10.0, 30.0)];
    let before = model.work();
    assert_eq!(model.compare(&comparisons).unwrap(), expected);
    for (comparison, expected) in comparisons.iter().zip(expected) {
        assert_eq!(model.compare(std::slice::from_ref(comparison)).unwrap(), [expected]);
    }
    let calls = { before.calls }.map(|calls| calls);
    let after = Work { comparisons: 6, calls: [calls[0], calls[1], calls[2], calls[3], 4], ..before };
    assert_eq!(model.work(), after);
    assert_eq!((before.appearance_frames, before.frames_encoded), (6, 0));
    // more than go through the graph at once
    let many = vec![comparisons[0].clone(); 40];
    assert_eq!(model.compare(&many).unwrap(), [expected[0]; 40]);
}

#[test]
fn comparisons_that_the_model_cannot_make_are_refused_in_words() {
    let mut model = oracle();
    let one = cells(&mut model, 10);
    let everywhere = vec![1.0; 48];
    let refusal = |model: &mut Flamingo, comparison| model.compare(&[comparison]).unwrap_err().to_string();
    let many = Comparison { query: &one, examples: vec![(&one, true); 17], region: &everywhere };
    assert!(refusal(&mut model, many).contains("17 examples in one comparison, and the model takes 16"));
    let small = Cells(ndarray::ArcArray2::zeros((47, 3)));
    let of_other_cells = Comparison { query: &one, examples: vec![(&small, true)], region: &everywhere };
    assert!(refusal(&mut model, of_other_cells).contains("is not of 6x8 cells of 3 numbers"));
    let part = Comparison { query: &one, examples: vec![(&one, true)], region: &everywhere[1..] };
    assert!(refusal(&mut model, part).contains("6x8 cells"));
}

#[test]
fn a_model_without_the_graphs_is_served_and_cannot_compare() {
    let copy = FolderCopy::without_comparer();
    let mut model = Flamingo::load(copy.path(), &on_cpu()).unwrap();
    assert!(model.examples().is_none() && model.provider().nodes.len() == 3);
    assert!(model.encode(&[picture(0, 1)]).is_ok());
    assert!(model.appearance(&[picture(0, 1)]).unwrap_err().to_string().contains("no `appearance_encoder`"));
    let whole = oracle();
    assert!(whole.examples().is_some() && whole.provider().nodes["comparer"]["CPUExecutionProvider"] > 3);
}

#[test]
fn half_of_what_comparing_needs_is_refused_with_key_and_remedy() {
    let words = |copy: &FolderCopy| copy.refusal().to_string();
    let refused = |change: fn(&mut serde_json::Value)| words(&FolderCopy::with_manifest(change));
    let remove = |manifest: &mut serde_json::Value, table: &str, key: &str| {
        let table = if table.is_empty() { manifest } else { &mut manifest[table] };
        table.as_object_mut().unwrap().remove(key).unwrap();
    };
    let copy = |table: &str, key: &str| words(&FolderCopy::with_manifest(|manifest| remove(manifest, table, key)));
    for (table, key, says) in [
        (
            "graphs",
            "comparer",
            "`graphs.comparer`: is missing, and `graphs.appearance_encoder` and `examples` is there",
        ),
        ("graphs", "appearance_encoder", "`graphs.appearance_encoder`: is missing, and `graphs.comparer` and"),
        ("", "examples", "`examples`: is missing, and `graphs.appearance_encoder` and `graphs.comparer`"),
        ("files", "comparer.onnx", "`graphs.comparer`: `comparer.onnx` is not listed in `files`"),
        ("examples", "frames", "missing field `frames`"),
    ] {
        let said = copy(table, key);
        assert!(said.contains(says), "{key}: {said}");
    }
    let said = refused(|manifest| manifest["examples"]["cells"] = serde_json::json!([0, 8]));
    assert!(said.contains("`examples.cells`: `0` is not a possible size"), "{said}");
    let said = refused(|manifest| manifest["examples"]["min_probability_loo"] = 80.into());
    assert!(said.contains("`80` is not a share from 0 to 1"), "{said}");
    let said = refused(|manifest| manifest["examples"]["dim"] = 4.into());
    assert!(
        said.contains("graph `appearance_encoder` does not fit") && said.contains("[?, 48, 4] is expected"),
        "{said}"
    );
    let said = refused(|manifest| manifest["graphs"]["comparer"] = "resampler.onnx".into());
    assert!(said.contains("graph `comparer`") && said.contains("input `example_state` is missing"), "{said}");
}

#[test]
fn the_two_graphs_are_replayed_too() {
    let change = |change: fn(&mut serde_json::Value)| {
        FolderCopy::with_file("golden/golden.json", |bytes| {
            let mut goldens = serde_json::from_slice(bytes).unwrap();
            change(&mut goldens);
            *bytes = serde_json::to_vec(&goldens).unwrap();
        })
    };
    let missing = change(|goldens| drop(goldens["cases"].as_array_mut().unwrap().pop().unwrap()));
    assert!(missing.refusal().to_string().contains("does not hold a case of every graph"));
    // the last case's answer, read where another number stands
    let wrong = change(|goldens| {
        let case = goldens["cases"].as_array_mut().unwrap().last_mut().unwrap();
        case["outputs"]["logit"]["offset"] = case["inputs"]["region"]["offset"].clone();
    });
    let said = wrong.refusal().to_string();
    assert!(said.contains("of graph `comparer`: output `logit` differs by"), "{said}");
    let strange = FolderCopy::without_comparer();
    let goldens = std::fs::read(crate::support::model::oracle_folder().join("golden/golden.json")).unwrap();
    strange.change_file("golden/golden.json", |bytes| *bytes = goldens);
    strange.list("golden/golden.json");
    let said = strange.refusal().to_string();
    assert!(said.contains("calls `appearance_encoder`, which `graphs` of the manifest does not name"), "{said}");
}
