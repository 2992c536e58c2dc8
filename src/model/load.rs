//! Loads a model folder with every check there is, and opens its graphs on the device asked for.
//!
//! The order matters: manifest, hashes, graph files, then ONNX Runtime, tensors, tokenizer, goldens, and last what the
//! profile says about where the goldens ran.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{
    Device, Error, Manifest, Placement, Provider, Template, contract,
    golden::{self, Replayed},
    graphs::{Comparing, Graphs},
    library::{self, Places},
    provider::nodes_by_provider,
    role::Role,
    runtime::Runtime,
};

/// How a model is to be run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spec {
    /// On which device.
    pub device: Device,
    /// Threads of one graph call on the processor; 0 counts as 1.
    pub threads: usize,
    /// ONNX Runtime's library; looked for where it is not given.
    pub onnxruntime: Option<PathBuf>,
}

/// A model folder that passed every check.
pub(super) struct Loaded {
    pub(super) manifest: Manifest,
    pub(super) template: Template,
    pub(super) provider: Provider,
    pub(super) graphs: Graphs,
    pub(super) replayed: Vec<Replayed>,
}

/// Loads a model folder.
pub(super) fn load(folder: &Path, spec: &Spec) -> Result<Loaded, Error> {
    let manifest = Manifest::read(folder)?;
    manifest.verify(folder)?;
    let runtime = Runtime::load(&Places::of_process(spec.onnxruntime.as_deref()).find()?)?;
    check_runtime(folder, &manifest, &runtime)?;
    let template = Template::load(folder, &manifest)?;

    let profiles = tempfile::tempdir().map_err(|error| Error::Profile { problem: error.to_string() })?;
    let opening = Opening { runtime: &runtime, folder, manifest: &manifest, spec, profiles: profiles.path() };
    let (opened, reason) = on_device(spec.device, |placement| opening.open(placement))?;
    let Opened { graphs, replayed, nodes, used } = opened;
    let provider = Provider { asked: spec.device, used, reason, nodes };
    Ok(Loaded { manifest, template, provider, graphs, replayed })
}

/// Opens the model on the device asked for; where that is left open and CUDA fails in any way, on the processor, with why.
fn on_device<T>(
    device: Device,
    mut open: impl FnMut(Placement) -> Result<T, Error>,
) -> Result<(T, Option<String>), Error> {
    match device {
        Device::Cpu => Ok((open(Placement::Cpu)?, None)),
        Device::Cuda(device) => Ok((open(Placement::Cuda(device))?, None)),
        Device::Auto => match open(Placement::Cuda(0)) {
            Ok(opened) => Ok((opened, None)),
            Err(Error::Cuda { missing, .. }) => Ok((open(Placement::Cpu)?, Some(missing))),
            Err(error) => Ok((open(Placement::Cpu)?, Some(format!("CUDA cannot be used ({error})")))),
        },
    }
}

/// The graphs, opened on a device where they passed every check.
struct Opened {
    graphs: Graphs,
    used: Placement,
    replayed: Vec<Replayed>,
    /// For each graph, how many of its nodes each ONNX Runtime provider ran.
    nodes: BTreeMap<&'static str, BTreeMap<String, usize>>,
}

/// What it takes to open the graphs.
struct Opening<'a> {
    runtime: &'a Runtime,
    folder: &'a Path,
    manifest: &'a Manifest,
    spec: &'a Spec,
    profiles: &'a Path,
}

impl Opening<'_> {
    /// The graphs on this device: their tensors as the contract has them, their goldens the same, and the device used.
    fn open(&self, used: Placement) -> Result<Opened, Error> {
        let mut graphs = self.graphs(used)?;
        for (role, graph) in graphs.each() {
            let differences = contract::differences(self.manifest, role, &graph.inputs, &graph.outputs);
            if !differences.is_empty() {
                return Err(Error::Tensors { folder: self.folder.to_owned(), graph: role.name(), differences });
            }
        }
        let replayed = golden::replay(self.folder, self.manifest, &mut graphs, used)?;
        let mut nodes = BTreeMap::new();
        for (_, graph) in graphs.each() {
            let profile = graph.end_profile()?;
            nodes.insert(graph.name, nodes_by_provider(&profile)?);
        }
        check_provider(used, &nodes)?;
        Ok(Opened { graphs, used, replayed, nodes })
    }

    fn graphs(&self, placement: Placement) -> Result<Graphs, Error> {
        if let Placement::Cuda(device) = placement
            && let Some(missing) = self.runtime.cuda_missing()
        {
            return Err(Error::Cuda { device, missing });
        }
        let files = &self.manifest.graphs;
        let open = |role: Role, file: &str| {
            let name = role.name();
            let profile = self.profiles.join(format!("{name}-{placement}").replace(':', "-"));
            self.runtime.open(name, &self.folder.join(file), placement, self.spec.threads.max(1), &profile).map_err(
                |problem| match placement {
                    Placement::Cuda(device) => Error::Cuda { device, missing: cuda_advice(&problem) },
                    Placement::Cpu => Error::Session { folder: self.folder.to_owned(), graph: name, problem },
                },
            )
        };
        let comparing = match (&files.appearance_encoder, &files.comparer) {
            (Some(encoder), Some(comparer)) => Some(Comparing {
                appearance_encoder: open(Role::AppearanceEncoder, encoder)?,
                comparer: open(Role::Comparer, comparer)?,
            }),
            _ => None,
        };
        Ok(Graphs {
            encoder: open(Role::VisionEncoder, &files.vision_encoder)?,
            resampler: open(Role::Resampler, &files.resampler)?,
            decoder: open(Role::Decoder, &files.decoder)?,
            comparing,
        })
    }
}

/// What to do when CUDA is built in and does not work.
fn cuda_advice(problem: &str) -> String {
    let driver = if Path::new("/dev/nvidiactl").exists() || Path::new("/dev/dxg").exists() {
        "check that the driver and the CUDA libraries are those this ONNX Runtime was built for"
    } else {
        "no NVIDIA driver is at work here (`/dev/nvidiactl` is missing): install it, or pass the device into the container"
    };
    // ONNX Runtime puts its own source line and error code before what went wrong.
    let problem = problem.rsplit(" : FAIL : ").next().unwrap_or(problem);
    format!("CUDA cannot be used ({problem}); {driver}, or set the device to `cpu`")
}

fn check_runtime(folder: &Path, manifest: &Manifest, runtime: &Runtime) -> Result<(), Error> {
    match (manifest.minimum_runtime(), library::version_of(runtime.library())) {
        (Some(wanted), Some(found)) if found < wanted => Err(Error::manifest(
            folder,
            "minimum_runtime",
            format!("`{}` is newer than ONNX Runtime {}.{} here", manifest.minimum_runtime, found.0, found.1),
            "run `./x setup` of a newer wader",
        )),
        _ => Ok(()),
    }
}

/// CUDA that ran nothing is not CUDA, whatever was registered.
fn check_provider(used: Placement, nodes: &BTreeMap<&'static str, BTreeMap<String, usize>>) -> Result<(), Error> {
    match used {
        Placement::Cuda(device) if !nodes.values().any(|of| of.contains_key("CUDAExecutionProvider")) => Err(Error::Cuda {
            device,
            missing: "every node of the model ran on the processor; use a model that CUDA can run, or set the device to `cpu`"
                .into(),
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuda_that_does_not_work_is_told_without_source_lines() {
        let advice = cuda_advice(
            "/src/x.cc:7 Get() [E] : 1 : FAIL : Failed to load library p.so: libcublasLt.so.13: no such file",
        );
        assert!(
            advice.starts_with("CUDA cannot be used (Failed to load library p.so: libcublasLt.so.13: no such file); ")
        );
        assert!(advice.ends_with("or set the device to `cpu`"));
    }

    #[test]
    fn where_cuda_opens_and_cannot_run_auto_goes_on_on_the_processor_and_says_why() {
        let no_memory = || Error::Run { graph: "decoder", problem: "CUDA failure 2: out of memory".into() };
        let on = |device, cuda: &dyn Fn() -> Error| {
            let mut tried = Vec::new();
            let opened = on_device(device, |placement| {
                tried.push(placement);
                if placement == Placement::Cpu { Ok(placement) } else { Err(cuda()) }
            });
            (opened, tried)
        };
        let (opened, tried) = on(Device::Auto, &no_memory);
        let (used, reason) = opened.unwrap();
        assert_eq!((used, tried), (Placement::Cpu, vec![Placement::Cuda(0), Placement::Cpu]));
        let reason = reason.unwrap();
        assert!(reason.starts_with("CUDA cannot be used (graph `decoder` failed: CUDA failure 2"), "{reason}");
        let (opened, _) = on(Device::Auto, &|| Error::Cuda { device: 0, missing: "no driver".into() });
        assert_eq!(opened.unwrap().1.as_deref(), Some("no driver"));
        let (opened, tried) = on(Device::Cuda(1), &no_memory);
        assert!(opened.is_err(), "what was asked for by name is not replaced");
        assert_eq!(tried, [Placement::Cuda(1)]);
        let (opened, tried) = on(Device::Cpu, &no_memory);
        assert_eq!((opened.unwrap().1, tried), (None, vec![Placement::Cpu]));
    }

    #[test]
    fn a_model_may_move_between_threads() {
        fn sendable<T: Send>() {}
        sendable::<super::super::Flamingo>();
        sendable::<super::super::VisualTokens>();
        sendable::<super::super::Prefix>();
        sendable::<Template>();
    }
}
