//! How pictures look, place by place, and whether one looks like these examples or like those.
//!
//! The two graphs for it are optional; a model that has them says so in its manifest.

use std::sync::Arc;

use ndarray::{ArcArray2, Array2, Array3};

use crate::frame::Frame;

use super::{Error, Flamingo, Float, graphs::Comparing, pixels::pixels, role::Role, runtime::Tensor};

/// Frames that go through the appearance encoder together; more would only need more memory.
const LOOKED_AT_TOGETHER: usize = 8;

/// Comparisons that go through the comparer together: each holds all of its examples.
const COMPARED_TOGETHER: usize = 16;

/// How a frame, or a window, looks: `[cells, dim]`, the grid's cells row after row; cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub struct Cells(pub ArcArray2<f32>);

impl Cells {
    /// How a window looks: the median of its frames, number by number, so that who walks by in one of three is not seen.
    /// Of an even count, the mean of the middle two. `None` without frames, or where their shapes differ.
    pub fn median(frames: &[Self]) -> Option<Self> {
        let first = frames.first()?;
        if frames.len() == 1 {
            return Some(first.clone());
        }
        if frames.iter().any(|frame| frame.0.dim() != first.0.dim()) {
            return None;
        }
        let middle = frames.len() / 2;
        let mut numbers = vec![0.0; frames.len()];
        let median = Array2::from_shape_fn(first.0.dim(), |place| {
            for (number, frame) in numbers.iter_mut().zip(frames) {
                *number = frame.0[place];
            }
            numbers.sort_by(f32::total_cmp);
            if frames.len() % 2 == 1 { numbers[middle] } else { (numbers[middle - 1] + numbers[middle]) / 2.0 }
        });
        Some(Self(median.into_shared()))
    }
}

/// One window held against examples of two states.
#[derive(Debug, Clone)]
pub struct Comparison<'a> {
    /// How the window looks.
    pub query: &'a Cells,
    /// How each example looks, and whether it shows state 1 rather than state 0.
    pub examples: Vec<(&'a Cells, bool)>,
    /// 1 for each cell that counts, 0 for the others.
    pub region: &'a [f32],
}

fn failed(role: Role, problem: impl Into<String>) -> Error {
    Error::Run { graph: role.name(), problem: problem.into() }
}

impl Flamingo {
    /// Frames through the appearance encoder.
    pub(super) fn look_at(&mut self, frames: &[Arc<Frame>]) -> Result<Vec<Cells>, Error> {
        let mut looks = Vec::with_capacity(frames.len());
        for some in frames.chunks(LOOKED_AT_TOGETHER) {
            let pixels = pixels(&self.manifest.vision, some)?;
            let (Some(Comparing { appearance_encoder, .. }), Some(examples)) =
                (&mut self.comparing, &self.manifest.examples)
            else {
                return Err(Error::request("it has no `appearance_encoder`"));
            };
            let cells = appearance_encoder.run(&[("pixels", &pixels)], &[])?.take_floats("cells")?;
            self.work.appearance_frames += some.len() as u64;
            self.work.calls[3] += 1;
            let cells = Array3::from_shape_vec((some.len(), examples.count(), examples.dim), cells)
                .map_err(|error| failed(Role::AppearanceEncoder, error.to_string()))?;
            looks.extend(cells.outer_iter().map(|frame| Cells(frame.to_shared())));
        }
        Ok(looks)
    }

    /// Comparisons through the comparer.
    pub(super) fn compare_all(&mut self, comparisons: &[Comparison<'_>]) -> Result<Vec<f32>, Error> {
        let mut logits = Vec::with_capacity(comparisons.len());
        for some in comparisons.chunks(COMPARED_TOGETHER) {
            let inputs = self.comparisons_as_tensors(some)?;
            let inputs: Vec<_> = inputs.iter().map(|(name, tensor)| (*name, tensor)).collect();
            let Some(Comparing { comparer, .. }) = &mut self.comparing else {
                return Err(Error::request("it has no `comparer`"));
            };
            let found = comparer.run(&inputs, &[])?.take_floats("logit")?;
            self.work.comparisons += some.len() as u64;
            self.work.calls[4] += 1;
            if found.len() != some.len() {
                let problem = format!("it gave {} `logit` for {} comparisons", found.len(), some.len());
                return Err(failed(Role::Comparer, problem));
            }
            logits.extend(found);
        }
        Ok(logits)
    }

    /// Inputs of the comparer; where others hold more examples, a comparison is filled up with absent ones.
    fn comparisons_as_tensors(&self, comparisons: &[Comparison<'_>]) -> Result<[(&'static str, Tensor); 4], Error> {
        let Some(form) = &self.manifest.examples else { return Err(Error::request("it has no `comparer`")) };
        let (each, rows) = (form.count() * form.dim, comparisons.len());
        let most = comparisons.iter().map(|one| one.examples.len()).max().unwrap_or(0).max(1);
        if most > form.max_examples {
            let problem =
                format!("{most} examples in one comparison, and the model takes {} at most", form.max_examples);
            return Err(Error::request(problem));
        }
        let (mut queries, mut regions) = (Vec::with_capacity(rows * each), Vec::with_capacity(rows * form.count()));
        let (mut examples, mut states) = (Vec::with_capacity(rows * most * each), Vec::with_capacity(rows * most));
        for one in comparisons {
            let looks = || one.examples.iter().map(|(cells, _)| *cells).chain([one.query]);
            if one.region.len() != form.count() || looks().any(|cells| cells.0.dim() != (form.count(), form.dim)) {
                let [rows, columns] = form.cells;
                let problem = format!("a comparison is not of {rows}x{columns} cells of {} numbers", form.dim);
                return Err(Error::request(problem));
            }
            queries.extend(one.query.0.iter().copied());
            regions.extend_from_slice(one.region);
            examples.extend(one.examples.iter().flat_map(|(cells, _)| cells.0.iter().copied()));
            states.extend(one.examples.iter().map(|&(_, state)| i64::from(state)));
            examples.resize(regions.len() / form.count() * most * each, 0.0);
            states.resize(regions.len() / form.count() * most, -1);
        }
        let (cells, dim) = (form.count(), form.dim);
        Ok([
            ("query", Tensor::floats(Float::Float32, &[rows, cells, dim], queries)?),
            ("examples", Tensor::floats(Float::Float32, &[rows, most, cells, dim], examples)?),
            ("example_state", Tensor::integers(&[rows, most], states)?),
            ("region", Tensor::floats(Float::Float32, &[rows, cells], regions)?),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(numbers: &[f32]) -> Cells {
        Cells(ArcArray2::from_shape_vec((1, numbers.len()), numbers.to_vec()).unwrap())
    }

    #[test]
    fn a_window_looks_like_most_of_its_frames_place_by_place() {
        let frames = [cells(&[1.0, 9.0, 5.0]), cells(&[2.0, 0.0, 5.0]), cells(&[9.0, 1.0, 0.0])];
        assert_eq!(Cells::median(&frames), Some(cells(&[2.0, 1.0, 5.0])));
        assert_eq!(Cells::median(&frames[..2]), Some(cells(&[1.5, 4.5, 5.0])), "of two, their mean");
        assert_eq!(Cells::median(&frames[..1]), Some(frames[0].clone()));
        let four = [&frames[..], &[cells(&[4.0, 3.0, -2.0])]].concat();
        assert_eq!(Cells::median(&four), Some(cells(&[3.0, 2.0, 2.5])));
        assert_eq!(Cells::median(&[]), None);
        assert_eq!(Cells::median(&[cells(&[1.0]), cells(&[1.0, 2.0])]), None);
    }
}
