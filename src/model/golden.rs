//! Replays a model folder's stored calls where the model will serve, and refuses it when the numbers differ.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;

use super::{
    Error,
    graphs::Graphs,
    manifest::{Float, Manifest},
    role::Role,
    runtime::{Graph, Placement, Tensor},
};

/// `golden/golden.json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Goldens {
    cases: Vec<GoldenCase>,
}

/// One call of one graph.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GoldenCase {
    graph: Role,
    inputs: BTreeMap<String, Stored>,
    outputs: BTreeMap<String, Stored>,
}

/// Where a tensor's numbers lie: little endian, row after row.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    dtype: StoredType,
    shape: Vec<usize>,
    /// In bytes from the beginning of the file of numbers.
    offset: usize,
}

/// What a stored tensor is made of.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StoredType {
    Uint8,
    Int64,
    Float32,
    Float16,
}

/// How a graph's stored calls went.
#[derive(Debug, Clone, PartialEq)]
pub struct Replayed {
    /// The graph.
    pub graph: &'static str,
    /// How many calls there were.
    pub cases: usize,
    /// The largest difference of them, absolute below 1 and relative above.
    pub difference: f64,
    /// The largest that is allowed.
    pub tolerance: f64,
}

/// Replays every case; the graphs are those that will serve, `placement` is where they run.
pub(super) fn replay(
    folder: &Path,
    manifest: &Manifest,
    graphs: &mut Graphs,
    placement: Placement,
) -> Result<Vec<Replayed>, Error> {
    let read = |name: &str| {
        std::fs::read(folder.join(name)).map_err(|error| Error::file(folder, name, format!("cannot be read ({error})")))
    };
    let goldens: Goldens = serde_json::from_slice(&read(&manifest.golden.file)?)
        .map_err(|error| Error::file(folder, &manifest.golden.file, format!("is not a list of cases ({error})")))?;
    let numbers = read(&manifest.golden_numbers())?;
    let each = graphs.each().map(|(role, _)| role);
    let mut replayed: Vec<Replayed> = each
        .map(|role| {
            let tolerance = manifest.golden.tolerance.of(role);
            Replayed { graph: role.name(), cases: 0, difference: 0.0, tolerance }
        })
        .collect();
    for (index, case) in goldens.cases.iter().enumerate() {
        let role = case.graph;
        let tolerance = manifest.golden.tolerance.of(role);
        let Some((_, graph)) = graphs.each().find(|(found, _)| *found == role) else {
            let problem = format!("calls `{}`, which `graphs` of the manifest does not name", role.name());
            return Err(Error::GoldenFile { folder: folder.to_owned(), case: index, problem });
        };
        let (output, difference) = replay_one(graph, case, &numbers).map_err(|failure| match failure {
            Failure::Stored(problem) => Error::GoldenFile { folder: folder.to_owned(), case: index, problem },
            Failure::Ran(error) => error,
        })?;
        // A difference that is not a number must fail too.
        if difference.is_nan() || difference > tolerance {
            return Err(Error::Golden {
                folder: folder.to_owned(),
                case: index,
                graph: role.name(),
                output,
                difference,
                tolerance,
                provider: placement.to_string(),
            });
        }
        if let Some(of_graph) = replayed.iter_mut().find(|of_graph| of_graph.graph == role.name()) {
            of_graph.cases += 1;
            of_graph.difference = of_graph.difference.max(difference);
        }
    }
    if replayed.iter().any(|of_graph| of_graph.cases == 0) {
        return Err(Error::file(folder, &manifest.golden.file, "does not hold a case of every graph"));
    }
    Ok(replayed)
}

enum Failure {
    Stored(String),
    Ran(Error),
}

/// The output that differs most from what is stored, and by how much.
fn replay_one(graph: &mut Graph, case: &GoldenCase, numbers: &[u8]) -> Result<(String, f64), Failure> {
    let mut inputs = Vec::new();
    for (name, stored) in &case.inputs {
        let tensor = stored.tensor(numbers).map_err(|problem| Failure::Stored(format!("input `{name}` {problem}")))?;
        inputs.push((name.as_str(), tensor.map_err(Failure::Ran)?));
    }
    let inputs: Vec<_> = inputs.iter().map(|(name, tensor)| (*name, tensor)).collect();
    let mut outputs = graph.run(&inputs, &[]).map_err(Failure::Ran)?;
    let mut worst = (String::new(), 0.0);
    for (name, stored) in &case.outputs {
        let complain = |problem: String| Failure::Stored(format!("output `{name}` {problem}"));
        let expected = stored.floats(numbers).map_err(complain)?;
        let tensor = outputs.take(name).map_err(Failure::Ran)?;
        if tensor.dims() != stored.shape {
            return Err(complain(format!("has shape {:?} here and {:?} in the file", tensor.dims(), stored.shape)));
        }
        let found = tensor.to_floats().map_err(complain)?;
        let difference = largest_difference(&found, &expected);
        if worst.0.is_empty() || difference.is_nan() || difference > worst.1 {
            worst = (name.clone(), difference);
        }
        if difference.is_nan() {
            break;
        }
    }
    if worst.0.is_empty() {
        return Err(Failure::Stored("has no output".into()));
    }
    Ok(worst)
}

/// Absolute where numbers are below 1, relative above; not a number where one side is and the other is not.
fn largest_difference(found: &[f32], expected: &[f32]) -> f64 {
    found.iter().zip(expected).fold(0.0, |worst, (&found, &expected)| {
        let (found, expected) = (f64::from(found), f64::from(expected));
        let difference = (found - expected).abs() / expected.abs().max(1.0);
        if worst.is_nan() || difference <= worst { worst } else { difference }
    })
}

impl Stored {
    fn slice<'a>(&self, numbers: &'a [u8]) -> Result<&'a [u8], String> {
        let width = match self.dtype {
            StoredType::Uint8 => 1,
            StoredType::Float16 => 2,
            StoredType::Float32 => 4,
            StoredType::Int64 => 8,
        };
        self.shape
            .iter()
            .try_fold(width, |bytes: usize, &dim| bytes.checked_mul(dim))
            .and_then(|bytes| numbers.get(self.offset..self.offset.checked_add(bytes)?))
            .ok_or_else(|| format!("of shape {:?} at {} lies outside the file of numbers", self.shape, self.offset))
    }

    fn floats(&self, numbers: &[u8]) -> Result<Vec<f32>, String> {
        let bytes = self.slice(numbers)?;
        match self.dtype {
            StoredType::Float32 => Ok(bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()),
            StoredType::Float16 => {
                Ok(bytes.as_chunks().0.iter().map(|&bytes| half::f16::from_le_bytes(bytes).to_f32()).collect())
            }
            other => Err(format!("is stored as {other:?}, and the contract has no such output")),
        }
    }

    fn tensor(&self, numbers: &[u8]) -> Result<Result<Tensor, Error>, String> {
        let bytes = self.slice(numbers)?;
        Ok(match self.dtype {
            StoredType::Uint8 => Tensor::bytes(&self.shape, bytes.to_vec()),
            StoredType::Int64 => {
                let values = bytes.as_chunks().0.iter().map(|&bytes| i64::from_le_bytes(bytes)).collect();
                Tensor::integers(&self.shape, values)
            }
            StoredType::Float32 => Tensor::floats(Float::Float32, &self.shape, self.floats(numbers)?),
            StoredType::Float16 => Tensor::floats(Float::Float16, &self.shape, self.floats(numbers)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_absolute_below_one_and_relative_above() {
        assert!((largest_difference(&[0.5, 101.0], &[0.25, 100.0]) - 0.25).abs() < 1e-9);
        assert!((largest_difference(&[0.0, 110.0], &[0.0, 100.0]) - 0.1).abs() < 1e-9);
        assert!(largest_difference(&[0.0, f32::NAN, 0.0], &[0.0, 0.0, 1.0]).is_nan());
    }

    #[test]
    fn a_tensor_outside_the_file_is_refused() {
        let stored = |shape: &[usize], offset| Stored { dtype: StoredType::Float32, shape: shape.to_vec(), offset };
        assert!(stored(&[2], 0).floats(&[0; 8]).is_ok());
        assert!(stored(&[2], 1).floats(&[0; 8]).is_err());
        assert!(stored(&[usize::MAX, 8], 0).floats(&[0; 8]).is_err());
        assert!(stored(&[1], usize::MAX).floats(&[0; 8]).is_err());
    }
}
