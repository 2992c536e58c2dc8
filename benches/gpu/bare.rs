//! Bare sessions of ONNX Runtime with the settings that ours have, and the tensors of one call.

use std::{borrow::Cow, path::Path};

use ort::{
    ep::{self, cuda::ConvAlgorithmSearch},
    memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType},
    session::{Session, SessionInputValue, SessionOutputs, builder::GraphOptimizationLevel},
    value::{DynValue, Tensor},
};
use wader::model::bare_environment;

/// Inputs or outputs by name.
pub(crate) type Tensors = Vec<(String, DynValue)>;

pub(crate) struct Bare {
    session: Session,
    cuda: bool,
    outputs: Vec<String>,
}

impl Bare {
    /// Opens a graph; with a profile it records which provider runs each node.
    pub(crate) fn open(file: &Path, cuda: bool, profile: Option<&Path>) -> Self {
        Self::searching(file, cuda, profile, ConvAlgorithmSearch::Heuristic)
    }

    /// As `open`, with another way to choose the algorithms of convolutions.
    pub(crate) fn searching(file: &Path, cuda: bool, profile: Option<&Path>, search: ConvAlgorithmSearch) -> Self {
        let open = move || -> ort::Result<Session> {
            let mut builder = Session::builder(&bare_environment().unwrap())?
                .with_optimization_level(GraphOptimizationLevel::All)?
                .with_intra_threads(1)?
                .with_inter_threads(1)?
                .with_intra_op_spinning(false)?
                .with_inter_op_spinning(false)?
                .with_memory_pattern(false)?;
            if let Some(profile) = profile {
                builder = builder.with_profiling(profile)?;
            }
            if cuda {
                let provider =
                    ep::CUDA::default().with_device_id(0).with_tf32(false).with_conv_algorithm_search(search);
                builder = builder.with_execution_providers([provider.build().error_on_failure()])?;
            }
            builder.commit_from_file(file)
        };
        let session = open().unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let outputs = session.outputs().iter().map(|outlet| outlet.name().to_owned()).collect();
        Self { session, cuda, outputs }
    }

    /// One run. On a device, outputs whose names begin so stay there; the others come back.
    pub(crate) fn run(&mut self, inputs: &[(&str, &DynValue)], kept: Option<&str>) -> Tensors {
        let mut run = || -> ort::Result<Tensors> {
            if self.cuda {
                let there = MemoryInfo::new(AllocationDevice::CUDA, 0, AllocatorType::Device, MemoryType::Default)?;
                let here = MemoryInfo::new(AllocationDevice::CPU, 0, AllocatorType::Device, MemoryType::CPUOutput)?;
                let mut binding = self.session.create_binding()?;
                for (name, value) in inputs {
                    binding.bind_input(*name, *value)?;
                }
                for name in &self.outputs {
                    let stays = kept.is_some_and(|kept| name.starts_with(kept));
                    binding.bind_output_to_device(name, if stays { &there } else { &here })?;
                }
                return take(&self.outputs, self.session.run_binding(&binding)?);
            }
            let inputs: Vec<(Cow<'_, str>, SessionInputValue<'_>)> =
                inputs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            take(&self.outputs, self.session.run(inputs)?)
        };
        run().unwrap_or_else(|error| panic!("a bare run failed: {error}"))
    }

    /// Ends the record of which provider ran each node; gives its file.
    pub(crate) fn end_profile(&mut self) -> String {
        self.session.end_profiling().unwrap()
    }
}

fn take(names: &[String], mut outputs: SessionOutputs<'_>) -> ort::Result<Tensors> {
    Ok(names.iter().filter_map(|name| Some((name.clone(), outputs.remove(name)?))).collect())
}

/// As `Bare::run` takes them.
pub(crate) fn by_name(tensors: &Tensors) -> Vec<(&str, &DynValue)> {
    tensors.iter().map(|(name, value)| (name.as_str(), value)).collect()
}

pub(crate) fn bytes(shape: &[usize], values: Vec<u8>) -> DynValue {
    Tensor::from_array((shape.to_vec(), values)).unwrap().into_dyn()
}

pub(crate) fn integers(shape: &[usize], values: Vec<i64>) -> DynValue {
    Tensor::from_array((shape.to_vec(), values)).unwrap().into_dyn()
}

pub(crate) fn floats(shape: &[usize], values: Vec<f32>) -> DynValue {
    if values.is_empty() {
        let shape: Vec<i64> = shape.iter().map(|&dim| dim as i64).collect();
        return Tensor::<f32>::new(&Allocator::default(), shape).unwrap().into_dyn();
    }
    Tensor::from_array((shape.to_vec(), values)).unwrap().into_dyn()
}
