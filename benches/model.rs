//! What the runtime adds to ONNX Runtime: bare `Session::run` of the same tensors beside ours, interleaved in one run.
//!
//! `cargo bench --bench model` uses `models/wader-small`; `WADER_BENCH_MODEL` names another folder. Machines are shared
//! and noisy, so read the ratio of `ours` to `bare` of one group, not a time.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up ends")]

use std::{borrow::Cow, hint::black_box, path::PathBuf, sync::Arc, time::Duration};

use criterion::{Criterion, criterion_group, criterion_main};
use ort::{
    session::{Session, SessionInputValue, builder::GraphOptimizationLevel},
    value::{DynValue, Tensor},
};
use wader::{
    frame::{Frame, Stamp},
    model::{Device, Features, Flamingo, Float, Gates, Manifest, Model, Moments, Row, Spec, bare_environment},
};

const FRAMES: usize = 8;

fn folder() -> PathBuf {
    std::env::var_os("WADER_BENCH_MODEL")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models/wader-small"), PathBuf::from)
}

/// A session with the settings that ours have, and the tensors of one call, made before the clock runs.
struct Bare {
    session: Session,
    inputs: Vec<(String, DynValue)>,
}

impl Bare {
    fn new(file: &str, inputs: Vec<(String, DynValue)>) -> Self {
        let open = || -> ort::Result<Session> {
            Session::builder(&bare_environment().unwrap())?
                .with_optimization_level(GraphOptimizationLevel::All)?
                .with_intra_threads(1)?
                .with_intra_op_spinning(false)?
                .with_memory_pattern(false)?
                .commit_from_file(folder().join(file))
        };
        Self { session: open().unwrap(), inputs }
    }

    fn run(&mut self) {
        let inputs: Vec<(Cow<'_, str>, SessionInputValue<'_>)> =
            self.inputs.iter().map(|(name, value)| (Cow::from(name.as_str()), value.into())).collect();
        black_box(self.session.run(inputs).unwrap());
    }
}

fn integers(shape: &[usize], values: Vec<i64>) -> DynValue {
    Tensor::from_array((shape.to_vec(), values)).unwrap().into_dyn()
}

fn floats(shape: &[usize], values: Vec<f32>) -> DynValue {
    if values.is_empty() {
        let shape: Vec<i64> = shape.iter().map(|&dim| dim as i64).collect();
        return Tensor::<f32>::new(&ort::memory::Allocator::default(), shape).unwrap().into_dyn();
    }
    Tensor::from_array((shape.to_vec(), values)).unwrap().into_dyn()
}

fn frame(model: &Flamingo, number: u64) -> Arc<Frame> {
    let size = model.input_size();
    let bytes = size.height as usize * size.width as usize * 3;
    let pixels = (0..bytes).map(|place| ((place / 7 + 31 * number as usize) % 251) as u8).collect();
    Arc::new(Frame { number, taken: Stamp::after_origin(Duration::ZERO), size, pixels })
}

fn encode(bench: &mut Criterion, model: &mut Flamingo) {
    let frame = frame(model, 1);
    let shape = [1, frame.size.height as usize, frame.size.width as usize, 3];
    let pixels = Tensor::from_array((shape, frame.pixels.to_vec())).unwrap().into_dyn();
    let mut bare = Bare::new(&model.manifest().graphs.vision_encoder, vec![("pixels".into(), pixels)]);
    let mut group = bench.benchmark_group("encode 1 frame");
    group.bench_function("bare", |bench| bench.iter(|| bare.run()));
    group.bench_function("ours", |bench| bench.iter(|| model.encode(std::slice::from_ref(&frame)).unwrap()));
    group.finish();
}

fn resample(bench: &mut Criterion, model: &mut Flamingo, features: &[Features]) {
    let Manifest { graphs, vision, .. } = model.manifest();
    let bank: Vec<f32> = features.iter().flat_map(|frame| frame.0.iter().copied()).collect();
    let times: Vec<f32> = (0..FRAMES).map(|place| place as f32 - 7.0).collect();
    let inputs = vec![
        ("frame_bank".into(), floats(&[FRAMES, vision.tokens, vision.dim], bank)),
        ("frame_index".into(), integers(&[1, FRAMES], (0..FRAMES as i64).collect())),
        ("frame_pos".into(), floats(&[1, FRAMES], times)),
    ];
    let mut bare = Bare::new(&graphs.resampler, inputs);
    let window = moments(features);
    let mut group = bench.benchmark_group("resample 1 window of 8 frames");
    group.bench_function("bare", |bench| bench.iter(|| bare.run()));
    group.bench_function("ours", |bench| bench.iter(|| model.resample(std::slice::from_ref(&window)).unwrap()));
    group.finish();
}

fn moments(features: &[Features]) -> Moments {
    let frames = features.iter().enumerate().map(|(place, frame)| Some((frame.clone(), place as f32 - 7.0)));
    Moments { frames: frames.collect() }
}

fn score(bench: &mut Criterion, model: &mut Flamingo, features: &[Features], count: usize) {
    let media = model.resample(&[moments(features)]).unwrap();
    let suffix = model.template().question("Is there a person?").suffix;
    let (nothing, width) = (model.prefix(&[]).unwrap(), suffix.len());
    let rows = vec![Row { media: vec![0], ids: suffix.clone(), read: vec![width - 1] }; count];
    let (decoder, latents) = (&model.manifest().decoder, model.manifest().resampler.latents);
    let mut inputs = vec![
        (
            "input_ids".into(),
            integers(&[count, width], suffix.iter().map(|&id| i64::from(id)).collect::<Vec<_>>().repeat(count)),
        ),
        ("attention_mask".into(), integers(&[count, width], vec![1; count * width])),
        ("position_ids".into(), integers(&[count, width], (0..width as i64).collect::<Vec<_>>().repeat(count))),
        ("media_index".into(), integers(&[count, width], vec![0; count * width])),
        ("logits_index".into(), integers(&[count, 1], vec![width as i64 - 1; count])),
        ("gate_scale".into(), floats(&[], vec![1.0])),
    ];
    let shape = [1, decoder.cross_layers, 2, decoder.cross_kv_heads, latents, decoder.cross_head_dim];
    inputs.push(("media_kv".into(), floats(&shape, vec![0.1; shape.iter().product()])));
    for layer in 0..decoder.self_layers {
        for part in ["key", "value"] {
            let past = floats(&[count, decoder.kv_heads, 0, decoder.head_dim], Vec::new());
            inputs.push((format!("past_key_values.{layer}.{part}"), past));
        }
    }
    let mut bare = Bare::new(&model.manifest().graphs.decoder, inputs);
    let mut group = bench.benchmark_group(format!("score {count} closed questions"));
    group.bench_function("bare", |bench| bench.iter(|| bare.run()));
    group.bench_function("ours", |bench| {
        bench.iter(|| model.score(&nothing, Some(&media), &rows, Gates::Open).unwrap())
    });
    group.finish();
}

fn all(bench: &mut Criterion) {
    let spec = Spec { device: Device::Cpu, threads: 1, onnxruntime: None };
    let mut model = Flamingo::load(&folder(), &spec).unwrap();
    assert_eq!(model.manifest().float, Float::Float32, "the bare side makes float32 tensors only");
    encode(bench, &mut model);
    let frames: Vec<_> = (0..FRAMES as u64).map(|number| frame(&model, number)).collect();
    let features = model.encode(&frames).unwrap();
    resample(bench, &mut model, &features);
    for count in [1, 4, 16] {
        score(bench, &mut model, &features, count);
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1));
    targets = all
}
criterion_main!(benches);
