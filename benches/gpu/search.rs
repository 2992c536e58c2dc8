//! What a new size of a batch costs the encoder the first time, and each time after it, by how algorithms are chosen.

use std::time::Instant;

use ort::ep::cuda::ConvAlgorithmSearch;
use serde_json::json;
use wader::model::Manifest;

use super::{
    Options,
    bare::{Bare, bytes},
    median,
    rig::picture,
    say,
};

pub(crate) fn run(options: &Options) {
    let manifest = Manifest::read(&options.folder).unwrap();
    let file = options.folder.join(&manifest.graphs.vision_encoder);
    let size = wader::frame::Size { width: manifest.vision.width, height: manifest.vision.height };
    let begun = Instant::now();
    for (name, search) in
        [("heuristic", ConvAlgorithmSearch::Heuristic), ("exhaustive", ConvAlgorithmSearch::Exhaustive)]
    {
        let mut bare = Bare::searching(&file, options.cuda, None, search);
        for frames in [1, 2, 16, 17] {
            if begun.elapsed().as_secs_f64() > options.seconds {
                return;
            }
            let shape = [frames, size.height as usize, size.width as usize, 3];
            let pixels = bytes(&shape, (0..frames).flat_map(|number| picture(size, number)).collect());
            let mut once = || {
                let begun = Instant::now();
                bare.run(&[("pixels", &pixels)], None);
                begun.elapsed().as_secs_f64() * 1e3
            };
            let first = once();
            let later = median((0..9).map(|_| once()).collect());
            say("search", json!({ "search": name, "frames": frames, "first_ms": first, "later_ms": later }));
        }
    }
}
