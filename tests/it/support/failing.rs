//! The oracle's vision encoder that breaks as soon as it sees camera 61, in words or in numbers.
//!
//! Made of the graph that hangs then, whose loop is given no round, and of nodes that are written behind it: messages of
//! protobuf are merged by writing one after the other.

use std::fs;

use super::model::{FolderCopy, oracle_folder};

/// Camera 61 makes a run fail, and ONNX Runtime's words hold these.
pub(crate) fn failing_with(words: &str) -> FolderCopy {
    // an index that is out of bounds, in a node that is named so
    let gather = node("Gather", &["first", "rounds"], "taken", words, &[]);
    changed(&[gather, node("Cast", &["taken"], "added", "added", &to_float())])
}

/// Camera 61 makes all features of a run infinite, as an overflow does.
pub(crate) fn no_numbers() -> FolderCopy {
    let nodes = [
        node("Cast", &["rounds"], "as_float", "as_float", &to_float()),
        node("Mul", &["as_float", "as_float"], "larger", "larger", &[]),
        node("Mul", &["larger", "larger"], "added", "added", &[]),
    ];
    changed(&nodes)
}

fn changed(nodes: &[Vec<u8>]) -> FolderCopy {
    let mut graph = fs::read(oracle_folder().with_file_name("hanging_vision_encoder.onnx")).unwrap();
    // `rounds` is 0 but for camera 61: only what is added goes by it, the loop no more
    rename(&mut graph, "rounds", "zeros_", 1);
    rename(&mut graph, "frame_features", "before_it_adds", 0);
    let mut more: Vec<u8> = nodes.iter().flat_map(|node| field(1, node)).collect();
    more.extend(field(1, &node("Add", &["before_it_adds", "added"], "frame_features", "last", &[])));
    let integer = [&[0x10, 7, 0x3a, 1, 0][..], &field(8, b"zeros_")].concat(); // a scalar of 64 bits, 0
    more.extend(field(5, &integer));
    graph.extend(field(7, &more));
    FolderCopy::with_file("vision_encoder.onnx", |bytes| *bytes = graph)
}

/// Renames what stands at one of the places of a name; both are of one length.
fn rename(graph: &mut [u8], name: &str, other: &str, place: usize) {
    let places: Vec<usize> =
        graph.windows(name.len()).enumerate().filter(|(_, w)| *w == name.as_bytes()).map(|(at, _)| at).collect();
    graph[places[place]..][..name.len()].copy_from_slice(other.as_bytes());
}

/// A field of bytes: its number, its length, and they.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length >= 0x80 {
        field.push(length as u8 | 0x80);
        length >>= 7;
    }
    field.push(length as u8);
    field.extend_from_slice(bytes);
    field
}

fn node(kind: &str, inputs: &[&str], output: &str, name: &str, attribute: &[u8]) -> Vec<u8> {
    let mut node: Vec<u8> = inputs.iter().flat_map(|input| field(1, input.as_bytes())).collect();
    for (number, text) in [(2, output), (3, name), (4, kind)] {
        node.extend(field(number, text.as_bytes()));
    }
    if !attribute.is_empty() {
        node.extend(field(5, attribute));
    }
    node
}

/// `to`, of a cast: numbers of 32 bits with a fraction.
fn to_float() -> Vec<u8> {
    [&field(1, b"to")[..], &[0x18, 1, 0xa0, 1, 2]].concat()
}
