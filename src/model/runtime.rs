//! ONNX Runtime: one environment per process, sessions on a device, tensors in and out. The only file that names `ort`.
//!
//! Knows no contract: which tensors there must be is `contract`'s job, what they mean `flamingo`'s.

use std::{
    borrow::Cow,
    fmt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use half::f16;
use ort::{
    ep::{self, ExecutionProvider as _},
    logging::LogLevel,
    memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType},
    session::{Session, SessionInputValue, SessionOutputs, builder::GraphOptimizationLevel},
    value::{DynTensor, DynTensorValueType, Outlet, PrimitiveTensorElementType, TensorElementType, ValueType},
};

use super::{Error, Float};

/// ONNX Runtime, loaded.
#[derive(Clone)]
pub(super) struct Runtime {
    library: PathBuf,
    environment: ort::environment::Environment,
}

/// Where sessions run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// This machine's processor.
    Cpu,
    /// The CUDA device of this number.
    Cuda(u32),
}

impl fmt::Display for Placement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => formatter.write_str("cpu"),
            Self::Cuda(device) => write!(formatter, "cuda:{device}"),
        }
    }
}

/// The process' ONNX Runtime, for benchmarks that run bare sessions beside ours; not for the service.
#[doc(hidden)]
pub fn bare_environment() -> Result<ort::environment::Environment, Error> {
    Runtime::load(&super::library::Places::of_process(None).find()?).map(|runtime| runtime.environment().clone())
}

impl Runtime {
    /// Loads the library, or gives what is loaded already: a process has one environment, hence one library.
    pub(super) fn load(library: &Path) -> Result<Self, Error> {
        static LOADED: Mutex<Option<Runtime>> = Mutex::new(None);
        let refuse = |problem: String| Error::Library { path: library.to_owned(), problem };
        let library = library.canonicalize().map_err(|error| refuse(format!("cannot be read ({error})")))?;
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*loaded {
            if runtime.library == library {
                return Ok(runtime.clone());
            }
            return Err(refuse(format!("`{}` is loaded already in this process", runtime.library.display())));
        }
        let environment = ort::init_from(&library)
            .map_err(|error| refuse(format!("cannot be loaded ({error})")))?
            .with_name("wader")
            .with_telemetry(false)
            .build()
            .map_err(|error| refuse(format!("cannot be started ({error})")))?;
        // ONNX Runtime would write out and hand over every verbose line of every run, to be thrown away here.
        environment.set_log_level(LogLevel::Warning);
        let runtime = Self { library, environment };
        *loaded = Some(runtime.clone());
        Ok(runtime)
    }

    /// The process' environment.
    pub(super) fn environment(&self) -> &ort::environment::Environment {
        &self.environment
    }

    /// The library's file.
    pub(super) fn library(&self) -> &Path {
        &self.library
    }

    /// Why this library cannot do CUDA at all, with what to do about it; `None` where trying is worth while.
    pub(super) fn cuda_missing(&self) -> Option<String> {
        match ep::CUDA::is_available() {
            Ok(true) => None,
            Ok(false) => Some(format!(
                "ONNX Runtime's library `{}` has no CUDA provider; install the GPU build (onnxruntime-gpu) and name \
                     it in ORT_DYLIB_PATH, or set the device to `cpu`",
                self.library.display()
            )),
            Err(error) => Some(format!("ONNX Runtime cannot list its providers ({error})")),
        }
    }

    /// Opens a graph; `profile` begins the name of a file that will tell which provider ran each node.
    pub(super) fn open(
        &self,
        name: &'static str,
        file: &Path,
        placement: Placement,
        threads: usize,
        profile: &Path,
    ) -> Result<Graph, String> {
        let session =
            self.session(file, placement, threads, profile).map_err(|error| error.to_string().trim().to_owned())?;
        let ports = |outlets: &[Outlet]| outlets.iter().map(Port::of).collect();
        let (inputs, outputs) = (ports(session.inputs()), ports(session.outputs()));
        Ok(Graph { name, placement, inputs, outputs, session: Some(session), runs: Arc::default() })
    }

    fn session(&self, file: &Path, placement: Placement, threads: usize, profile: &Path) -> ort::Result<Session> {
        let mut builder = Session::builder(self.environment())?
            .with_optimization_level(GraphOptimizationLevel::All)?
            .with_intra_threads(threads)?
            .with_inter_threads(1)?
            // Idle threads that spin would take the processor from the cameras.
            .with_intra_op_spinning(false)?
            .with_inter_op_spinning(false)?
            // Batches and windows vary in size; patterns would be kept for each shape.
            .with_memory_pattern(false)?
            .with_profiling(profile)?;
        if let Placement::Cuda(device) = placement {
            // TF32 rounds to 10 bits and would not reproduce the goldens.
            let provider = ep::CUDA::default()
                .with_device_id(index(device))
                .with_tf32(false)
                // Trying all algorithms, as is the default, would hold up every camera at each new size of a batch.
                .with_conv_algorithm_search(ep::cuda::ConvAlgorithmSearch::Heuristic);
            builder = builder.with_execution_providers([provider.build().error_on_failure()])?;
        }
        builder.commit_from_file(file)
    }
}

/// What an input or output of a graph says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Port {
    pub(super) name: String,
    pub(super) element: Element,
    /// Sizes, -1 where a graph leaves it open.
    pub(super) dims: Vec<i64>,
}

/// What a tensor is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    Uint8,
    Int64,
    Float32,
    Float16,
    /// Anything else; no tensor of the contract.
    Other,
}

impl From<Float> for Element {
    fn from(float: Float) -> Self {
        match float {
            Float::Float32 => Self::Float32,
            Float::Float16 => Self::Float16,
        }
    }
}

impl Element {
    fn of(element: TensorElementType) -> Self {
        match element {
            TensorElementType::Uint8 => Self::Uint8,
            TensorElementType::Int64 => Self::Int64,
            TensorElementType::Float32 => Self::Float32,
            TensorElementType::Float16 => Self::Float16,
            _ => Self::Other,
        }
    }
}

impl Port {
    fn of(outlet: &Outlet) -> Self {
        let (element, dims) = match outlet.dtype() {
            ValueType::Tensor { ty, shape, .. } => (Element::of(*ty), shape.to_vec()),
            _ => (Element::Other, Vec::new()),
        };
        Self { name: outlet.name().to_owned(), element, dims }
    }
}

/// Numbers with a shape, on this machine's memory or a device's.
#[derive(Debug)]
pub(super) struct Tensor(DynTensor);

impl Tensor {
    pub(super) fn bytes(dims: &[usize], values: Vec<u8>) -> Result<Self, Error> {
        Self::made(dims, values)
    }

    pub(super) fn integers(dims: &[usize], values: Vec<i64>) -> Result<Self, Error> {
        Self::made(dims, values)
    }

    pub(super) fn floats(float: Float, dims: &[usize], values: Vec<f32>) -> Result<Self, Error> {
        match float {
            Float::Float32 => Self::made(dims, values),
            Float::Float16 => Self::made(dims, values.into_iter().map(f16::from_f32).collect()),
        }
    }

    fn made<T: PrimitiveTensorElementType + fmt::Debug + Clone + 'static>(
        dims: &[usize],
        values: Vec<T>,
    ) -> Result<Self, Error> {
        // A tensor without numbers has no memory to point at; ONNX Runtime makes its own.
        let tensor = if values.is_empty() {
            let dims: Vec<i64> = dims.iter().map(|&dim| dim as i64).collect();
            ort::value::Tensor::<T>::new(&Allocator::default(), dims)
        } else {
            ort::value::Tensor::from_array((dims.to_vec(), values))
        };
        tensor.map(|tensor| Self(tensor.upcast())).map_err(|error| Error::request(error.to_string()))
    }

    /// Sizes.
    pub(super) fn dims(&self) -> Vec<usize> {
        self.0.shape().iter().map(|&dim| usize::try_from(dim).unwrap_or(0)).collect()
    }

    /// The numbers, fetched from the device where they lie there.
    pub(super) fn to_floats(&self) -> Result<Vec<f32>, String> {
        Ok(match self.to_numbers()? {
            Numbers::Float32(numbers) => numbers,
            Numbers::Float16(numbers) => numbers.into_iter().map(f16::to_f32).collect(),
        })
    }

    /// The same, as precise as they are.
    fn to_numbers(&self) -> Result<Numbers, String> {
        if self.dims().contains(&0) {
            return Ok(Numbers::Float32(Vec::new()));
        }
        let fetched;
        let here = if self.0.memory_info().is_cpu_accessible() {
            &self.0
        } else {
            fetched = self.0.to(AllocationDevice::CPU, 0).map_err(|error| error.to_string())?;
            &fetched
        };
        match Element::of(*here.data_type()) {
            Element::Float32 => here.try_extract_tensor().map(|(_, values)| Numbers::Float32(values.to_vec())),
            Element::Float16 => here.try_extract_tensor().map(|(_, values)| Numbers::Float16(values.to_vec())),
            other => return Err(format!("holds {other:?} where numbers with a fraction are expected")),
        }
        .map_err(|error| error.to_string())
    }

    /// Each row of the first axis by itself, fetched from the device where it lies there.
    pub(super) fn to_rows(&self) -> Result<Vec<Numbers>, String> {
        let each = self.dims().iter().skip(1).product::<usize>().max(1);
        Ok(match self.to_numbers()? {
            Numbers::Float32(all) => all.chunks_exact(each).map(|row| Numbers::Float32(row.to_vec())).collect(),
            Numbers::Float16(all) => all.chunks_exact(each).map(|row| Numbers::Float16(row.to_vec())).collect(),
        })
    }

    /// Rows of one type, one behind the other; `dims` are those of the whole.
    pub(super) fn of_rows(dims: &[usize], rows: &[&Numbers]) -> Result<Self, Error> {
        let (mut single, mut half) = (Vec::new(), Vec::new());
        for row in rows {
            match row {
                Numbers::Float32(numbers) => single.extend_from_slice(numbers),
                Numbers::Float16(numbers) => half.extend_from_slice(numbers),
            }
        }
        if half.is_empty() { Self::made(dims, single) } else { Self::made(dims, half) }
    }

    /// The same numbers in the memory of `placement`; on the processor itself this changes nothing.
    pub(super) fn placed(self, placement: Placement) -> Result<Self, Error> {
        match placement {
            Placement::Cuda(device) if !self.dims().contains(&0) => self
                .0
                .to(AllocationDevice::CUDA, index(device))
                .map(Self)
                .map_err(|error| Error::Run { graph: "copy to the device", problem: error.to_string() }),
            _ => Ok(self),
        }
    }
}

/// Numbers of a tensor in this machine's memory, as precise as they were there.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Numbers {
    Float32(Vec<f32>),
    Float16(Vec<f16>),
}

impl Numbers {
    /// Whether each is a number, and none is infinite.
    pub(super) fn are_finite(&self) -> bool {
        match self {
            Self::Float32(numbers) => numbers.iter().all(|number| number.is_finite()),
            Self::Float16(numbers) => numbers.iter().all(|number| number.is_finite()),
        }
    }
}

/// One graph, ready to run.
pub(super) struct Graph {
    pub(super) name: &'static str,
    pub(super) inputs: Vec<Port>,
    pub(super) outputs: Vec<Port>,
    placement: Placement,
    /// `None` once it was closed.
    session: Option<Session>,
    runs: Arc<AtomicU64>,
}

/// What a run gave, by name.
pub(super) struct Outputs {
    graph: &'static str,
    tensors: Vec<(String, Tensor)>,
}

impl Outputs {
    /// Takes one output out.
    pub(super) fn take(&mut self, name: &str) -> Result<Tensor, Error> {
        let index = self
            .tensors
            .iter()
            .position(|(found, _)| found == name)
            .ok_or_else(|| Error::Run { graph: self.graph, problem: format!("it gave no output `{name}`") })?;
        Ok(self.tensors.swap_remove(index).1)
    }

    /// Takes one output's numbers out.
    pub(super) fn take_floats(&mut self, name: &str) -> Result<Vec<f32>, Error> {
        self.take(name)?.to_floats().map_err(|problem| Error::Run { graph: self.graph, problem })
    }
}

impl Graph {
    /// From now on its runs are counted here, each when it has ended.
    pub(super) fn count_in(&mut self, runs: &Arc<AtomicU64>) {
        self.runs = runs.clone();
    }

    /// Gives back what it holds of its device; it cannot be run any more.
    pub(super) fn close(&mut self) {
        self.session = None;
    }

    /// Runs once. On a device, outputs named in `kept` stay there; the others come back.
    pub(super) fn run(&mut self, inputs: &[(&str, &Tensor)], kept: &[String]) -> Result<Outputs, Error> {
        let graph = self.name;
        let ran = match self.placement {
            Placement::Cpu => self.run_here(inputs),
            Placement::Cuda(device) => {
                MemoryInfo::new(AllocationDevice::CUDA, index(device), AllocatorType::Device, MemoryType::Default)
                    .and_then(|there| self.run_bound(inputs, kept, &there))
            }
        };
        self.runs.fetch_add(1, Ordering::Relaxed);
        ran.map(|tensors| Outputs { graph, tensors }).map_err(|error| Error::Run { graph, problem: error.to_string() })
    }

    fn run_here(&mut self, inputs: &[(&str, &Tensor)]) -> ort::Result<Vec<(String, Tensor)>> {
        let values: Vec<(Cow<'_, str>, SessionInputValue<'_>)> =
            inputs.iter().map(|(name, tensor)| (Cow::from(*name), SessionInputValue::from(&tensor.0))).collect();
        taken(&self.outputs, opened(&mut self.session)?.run(values)?)
    }

    /// Bindings are made for each run: a binding that is used again would write over tensors that are still held.
    fn run_bound(
        &mut self,
        inputs: &[(&str, &Tensor)],
        kept: &[String],
        there: &MemoryInfo<'_>,
    ) -> ort::Result<Vec<(String, Tensor)>> {
        let here = MemoryInfo::new(AllocationDevice::CPU, 0, AllocatorType::Device, MemoryType::CPUOutput)?;
        let session = opened(&mut self.session)?;
        let mut binding = session.create_binding()?;
        for (name, tensor) in inputs {
            binding.bind_input(*name, &tensor.0)?;
        }
        for port in &self.outputs {
            binding.bind_output_to_device(&port.name, if kept.contains(&port.name) { there } else { &here })?;
        }
        taken(&self.outputs, session.run_binding(&binding)?)
    }

    /// Ends the record of which provider ran each node; gives its file.
    pub(super) fn end_profile(&mut self) -> Result<PathBuf, Error> {
        let ended = opened(&mut self.session).and_then(Session::end_profiling);
        ended.map(PathBuf::from).map_err(|error| Error::Profile { problem: error.to_string() })
    }
}

/// A session that was not closed.
fn opened(session: &mut Option<Session>) -> ort::Result<&mut Session> {
    session.as_mut().ok_or_else(|| ort::Error::new("it was closed"))
}

/// A device's number as ONNX Runtime takes it; one that no machine has stays one that no machine has.
fn index(device: u32) -> i32 {
    i32::try_from(device).unwrap_or(i32::MAX)
}

/// The outputs of a run, each owning its memory.
fn taken(ports: &[Port], mut outputs: SessionOutputs<'_>) -> ort::Result<Vec<(String, Tensor)>> {
    let mut taken = Vec::with_capacity(ports.len());
    for port in ports {
        if let Some(value) = outputs.remove(&port.name) {
            taken.push((port.name.clone(), Tensor(value.downcast::<DynTensorValueType>()?)));
        }
    }
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::library::Places;

    fn resampler(profiles: &Path) -> Graph {
        let runtime = Runtime::load(&Places::of_process(None).find().unwrap()).unwrap();
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/oracle/resampler.onnx");
        runtime.open("resampler", &file, Placement::Cpu, 1, &profiles.join("resampler")).unwrap()
    }

    #[test]
    fn rows_that_are_kept_and_put_together_again_are_the_same_in_either_precision() {
        // the ports' way to load the library, which tensors need too
        let profiles = tempfile::tempdir().unwrap();
        drop(resampler(profiles.path()));
        let values: Vec<f32> = (0..12).map(|number| number as f32 / 4.0).collect();
        for float in [Float::Float32, Float::Float16] {
            let rows = Tensor::floats(float, &[3, 2, 2], values.clone()).unwrap().to_rows().unwrap();
            assert_eq!(matches!(rows[0], Numbers::Float16(_)), float == Float::Float16, "no number is made wider");
            let again = Tensor::of_rows(&[2, 2, 2], &[&rows[2], &rows[0]]).unwrap();
            assert_eq!(again.to_floats().unwrap(), [&values[8..], &values[..4]].concat());
        }
    }

    /// The way a CUDA device is used, on the memory that every machine has: bound outputs equal plain ones, and what is
    /// held of a run is not written over by the next.
    #[test]
    fn bound_runs_equal_plain_ones_and_leave_held_outputs_alone() {
        let profiles = tempfile::tempdir().unwrap();
        let mut graph = resampler(profiles.path());
        let memory = MemoryInfo::new(AllocationDevice::CPU, 0, AllocatorType::Device, MemoryType::Default).unwrap();
        let kept = ["media_kv".to_owned()];
        let mut held = Vec::new();
        for round in 0..3_u8 {
            let features: Vec<f32> = (0..10).map(|number| f32::from(number + 10 * round)).collect();
            let made = [
                ("frame_bank", Tensor::floats(Float::Float32, &[2, 1, 5], features).unwrap()),
                ("frame_index", Tensor::integers(&[1, 2], vec![1, 0]).unwrap()),
                ("frame_pos", Tensor::floats(Float::Float32, &[1, 2], vec![-1.0, 0.0]).unwrap()),
            ];
            let inputs: Vec<_> = made.iter().map(|(name, tensor)| (*name, tensor)).collect();
            let plain = graph.run(&inputs, &kept).unwrap().take_floats("media_kv").unwrap();
            let bound = graph.run_bound(&inputs, &kept, &memory).unwrap();
            held.push((plain, bound));
        }
        for (plain, bound) in &held {
            assert_eq!(bound.len(), 1);
            assert_eq!(&bound[0].1.to_floats().unwrap(), plain);
        }
        assert_ne!(held[0].0, held[1].0);
    }

    #[test]
    fn half_precision_and_empty_tensors_survive_the_way_in_and_out() {
        let _profiles = resampler(tempfile::tempdir().unwrap().path());
        let half = Tensor::floats(Float::Float16, &[3], vec![0.5, -2.0, 1024.0]).unwrap();
        assert_eq!((half.dims(), half.to_floats().unwrap()), (vec![3], vec![0.5, -2.0, 1024.0]));
        let empty = Tensor::floats(Float::Float32, &[2, 1, 0, 4], Vec::new()).unwrap();
        assert_eq!((empty.dims(), empty.to_floats().unwrap()), (vec![2, 1, 0, 4], Vec::new()));
        assert!(Tensor::integers(&[1], vec![7]).unwrap().to_floats().is_err());
    }
}
