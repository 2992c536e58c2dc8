//! The tensors of contract `flamingo-onnx/1`: their names, types and sizes as a manifest fixes them, held against graphs.

use super::{
    manifest::{Manifest, Scope},
    role::Role,
    runtime::{Element, Port},
};

/// One tensor as it must be; `None` where the size must be open.
struct Expected {
    name: String,
    element: Element,
    dims: Vec<Option<usize>>,
}

/// All differences between a graph's inputs and outputs and what the manifest says of them.
pub(super) fn differences(manifest: &Manifest, role: Role, inputs: &[Port], outputs: &[Port]) -> Vec<String> {
    let (expected_inputs, expected_outputs) = expected(manifest, role);
    let mut found = Vec::new();
    compare("input", &expected_inputs, inputs, &mut found);
    compare("output", &expected_outputs, outputs, &mut found);
    found
}

/// Names of the decoder's past K/V inputs, layer by layer.
pub(super) fn past_names(layers: usize) -> Vec<String> {
    cache_names("past_key_values", layers)
}

/// Names of the decoder's K/V outputs, in the order of `past_names`.
pub(super) fn present_names(layers: usize) -> Vec<String> {
    cache_names("present", layers)
}

fn cache_names(stem: &str, layers: usize) -> Vec<String> {
    (0..layers).flat_map(|layer| ["key", "value"].map(|part| format!("{stem}.{layer}.{part}"))).collect()
}

fn expected(manifest: &Manifest, role: Role) -> (Vec<Expected>, Vec<Expected>) {
    let (vision, resampler, decoder) = (&manifest.vision, &manifest.resampler, &manifest.decoder);
    let float = Element::from(manifest.float);
    let tensor =
        |name: &str, element, dims: &[Option<usize>]| Expected { name: name.to_owned(), element, dims: dims.to_vec() };
    let (height, width) = (vision.height as usize, vision.width as usize);
    let pixels = || vec![tensor("pixels", Element::Uint8, &[None, Some(height), Some(width), Some(3)])];
    let features = [None, Some(vision.tokens), Some(vision.dim)];
    let (cells, dim) = manifest.examples.as_ref().map_or((0, 0), |examples| (examples.count(), examples.dim));
    let media_kv = [
        None,
        Some(decoder.cross_layers),
        Some(2),
        Some(decoder.cross_kv_heads),
        Some(resampler.latents),
        Some(decoder.cross_head_dim),
    ];
    let cache = [None, Some(decoder.kv_heads), None, Some(decoder.head_dim)];
    match role {
        Role::VisionEncoder => (pixels(), vec![tensor("frame_features", float, &features)]),
        Role::AppearanceEncoder => (pixels(), vec![tensor("cells", Element::Float32, &[None, Some(cells), Some(dim)])]),
        Role::Comparer => (
            vec![
                tensor("query", Element::Float32, &[None, Some(cells), Some(dim)]),
                tensor("examples", Element::Float32, &[None, None, Some(cells), Some(dim)]),
                tensor("example_state", Element::Int64, &[None, None]),
                tensor("region", Element::Float32, &[None, Some(cells)]),
            ],
            vec![tensor("logit", Element::Float32, &[None])],
        ),
        Role::Resampler => {
            let frames = match resampler.scope {
                Scope::Window => None,
                Scope::Frame => Some(1),
            };
            (
                vec![
                    tensor("frame_bank", float, &features),
                    tensor("frame_index", Element::Int64, &[None, frames]),
                    tensor("frame_pos", Element::Float32, &[None, frames]),
                ],
                vec![tensor("media_kv", float, &media_kv)],
            )
        }
        Role::Decoder => {
            let text = ["input_ids", "attention_mask", "position_ids", "logits_index"];
            let seen = decoder.media_rule.inputs();
            let mut inputs: Vec<_> =
                text.iter().chain(seen).map(|name| tensor(name, Element::Int64, &[None, None])).collect();
            inputs.push(tensor("gate_scale", Element::Float32, &[]));
            inputs.push(tensor("media_kv", float, &media_kv));
            inputs.extend(past_names(decoder.self_layers).iter().map(|name| tensor(name, float, &cache)));
            let mut outputs = vec![tensor("logits", Element::Float32, &[None, None, Some(decoder.vocab)])];
            outputs.extend(present_names(decoder.self_layers).iter().map(|name| tensor(name, float, &cache)));
            (inputs, outputs)
        }
    }
}

fn compare(kind: &str, expected: &[Expected], found: &[Port], differences: &mut Vec<String>) {
    for wanted in expected {
        match found.iter().find(|port| port.name == wanted.name) {
            None => differences.push(format!("{kind} `{}` is missing", wanted.name)),
            Some(port) => compare_one(kind, wanted, port, differences),
        }
    }
    for port in found {
        if !expected.iter().any(|wanted| wanted.name == port.name) {
            differences.push(format!("{kind} `{}` is not in the contract", port.name));
        }
    }
}

fn compare_one(kind: &str, wanted: &Expected, port: &Port, differences: &mut Vec<String>) {
    let name = &port.name;
    if port.element != wanted.element {
        differences.push(format!("{kind} `{name}` holds {:?} where {:?} is expected", port.element, wanted.element));
    }
    // An open size of the graph (-1) can be any; an open size of the contract must be open.
    let fits = |(have, want): (&i64, &Option<usize>)| *have < 0 || want.is_some_and(|want| *have == want as i64);
    if port.dims.len() != wanted.dims.len() || !port.dims.iter().zip(&wanted.dims).all(fits) {
        differences.push(format!(
            "{kind} `{name}` has shape {} where {} is expected",
            shape(&port.dims),
            open(&wanted.dims)
        ));
    }
}

fn open(dims: &[Option<usize>]) -> String {
    shape(&dims.iter().map(|dim| dim.map_or(-1, |dim| dim as i64)).collect::<Vec<_>>())
}

/// `[?, 25, 37]`: question marks for open sizes.
fn shape(dims: &[i64]) -> String {
    let dims: Vec<_> = dims.iter().map(|dim| if *dim < 0 { "?".into() } else { dim.to_string() }).collect();
    format!("[{}]", dims.join(", "))
}
