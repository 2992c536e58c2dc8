//! Which provider really runs the model: asked for, used, and read back node by node.
//!
//! ONNX Runtime falls back to the processor silently, for a whole graph or for single nodes. So each session records
//! its first runs (the replay of the goldens), and what the record says counts.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use super::{Error, runtime::Placement};

/// The device an operator asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Device {
    /// CUDA where it works, else the processor.
    #[default]
    Auto,
    /// The CUDA device of this number, or an error.
    Cuda(u32),
    /// This machine's processor.
    Cpu,
}

impl std::str::FromStr for Device {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => text
                .strip_prefix("cuda:")
                .and_then(|number| number.parse().ok().map(Self::Cuda))
                .ok_or_else(|| format!("`{text}` is no device; use auto, cpu, cuda or cuda:N")),
        }
    }
}

/// Where the model runs, and why there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// What was asked for.
    pub asked: Device,
    /// What is used.
    pub used: Placement,
    /// Why it is not a faster one; `None` where there was nothing to give up.
    pub reason: Option<String>,
    /// For each graph, how many of its nodes each ONNX Runtime provider ran.
    pub nodes: BTreeMap<&'static str, BTreeMap<String, usize>>,
}

/// Whether this machine has an NVIDIA GPU that its driver serves (on Linux, or inside Windows).
pub fn has_nvidia_gpu() -> bool {
    ["/dev/nvidiactl", "/dev/dxg"].iter().any(|device| Path::new(device).exists())
}

/// The providers that ran the model's nodes, as read back.
impl std::fmt::Display for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.providers().into_iter().collect::<Vec<_>>().join("+"))
    }
}

impl Provider {
    /// The providers that ran any node.
    pub fn providers(&self) -> BTreeSet<&str> {
        self.nodes.values().flat_map(|providers| providers.keys().map(String::as_str)).collect()
    }
}

/// The providers of the nodes that a profile of ONNX Runtime tells of.
pub(super) fn nodes_by_provider(profile: &Path) -> Result<BTreeMap<String, usize>, Error> {
    let complain = |problem: String| Error::Profile { problem };
    let bytes = std::fs::read(profile).map_err(|error| complain(format!("`{}`: {error}", profile.display())))?;
    let events: serde_json::Value =
        serde_json::from_slice(&bytes).map_err(|error| complain(format!("`{}`: {error}", profile.display())))?;
    let mut nodes: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for event in events.as_array().into_iter().flatten() {
        let [category, provider, name] =
            ["/cat", "/args/provider", "/name"].map(|key| event.pointer(key).and_then(serde_json::Value::as_str));
        if let (Some("Node"), Some(provider), Some(name)) = (category, provider, name) {
            nodes.entry(provider.to_owned()).or_default().insert(name);
        }
    }
    if nodes.is_empty() {
        return Err(complain(format!("`{}` tells of no node", profile.display())));
    }
    Ok(nodes.into_iter().map(|(provider, names)| (provider, names.len())).collect())
}
