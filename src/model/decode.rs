//! Text through the decoder: what is kept of a prefix or of a window's frames, and one pass over whole rows, which scores
//! answers.
//!
//! How texts are written token after token is `write`'s job.

use std::{cell::RefCell, collections::BTreeMap, sync::Arc};

use super::{
    Error, Flamingo, Gates, Row, TokenId, VisualTokens,
    batch::{Batch, Shape, Standing},
    manifest::Float,
    media::Seen,
    role::Role,
    runtime::{Outputs, Tensor},
};

/// Copies of a prefix that are kept, one for each number of rows it was used with lately.
const KEPT_COPIES: usize = 8;

/// Text that others go on from, run once: K and V of every layer, and copies of them for batches.
#[derive(Debug)]
pub struct Prefix {
    pub(super) standing: Standing,
    /// K and V of each layer, `[heads, tokens, head_dim]`; empty for an empty prefix.
    layers: Vec<Vec<f32>>,
    /// By number of rows; on the device where the model is.
    copies: RefCell<Copies>,
}

/// Copies of a prefix by number of rows.
#[derive(Debug, Default)]
struct Copies {
    /// The opening of the model that they were made for.
    opening: u64,
    made: BTreeMap<usize, Arc<Vec<Tensor>>>,
}

impl Prefix {
    /// How many tokens it holds.
    pub const fn tokens(&self) -> usize {
        self.standing.tokens
    }
}

/// Inputs of one decoder call besides media and past.
pub(super) struct Step<'a> {
    pub(super) rows: usize,
    pub(super) width: usize,
    pub(super) total: usize,
    pub(super) reads: usize,
    pub(super) ids: Vec<i64>,
    pub(super) mask: Vec<i64>,
    pub(super) positions: Vec<i64>,
    pub(super) seen: Seen,
    pub(super) logits_index: Vec<i64>,
    pub(super) gates: Gates,
    pub(super) media: &'a Tensor,
    pub(super) past: &'a [Tensor],
}

impl Flamingo {
    pub(super) fn run_prefix(&mut self, ids: &[TokenId]) -> Result<Prefix, Error> {
        let layers = vec![Vec::new(); 2 * self.manifest.decoder.self_layers];
        let empty = Prefix { standing: Standing::default(), layers, copies: RefCell::default() };
        if ids.is_empty() {
            return Ok(empty);
        }
        if ids.contains(&self.manifest.tokens.image) {
            return Err(Error::request("a prefix is kept for all windows and holds no picture token"));
        }
        let prefix = self.run_on(&empty, None, Row { media: Vec::new(), ids: ids.to_vec(), read: Vec::new() })?;
        self.work.prefix_tokens += ids.len() as u64;
        Ok(prefix)
    }

    pub(super) fn run_window(&mut self, prefix: &Prefix, media: &VisualTokens, row: &Row) -> Result<Prefix, Error> {
        let longer = self.run_on(prefix, Some(media), row.clone())?;
        self.work.window_tokens += row.ids.len() as u64;
        Ok(longer)
    }

    /// A prefix and what goes on from it as one longer prefix.
    fn run_on(&mut self, prefix: &Prefix, media: Option<&VisualTokens>, mut row: Row) -> Result<Prefix, Error> {
        row.read = vec![row.ids.len().saturating_sub(1)];
        let mut batch =
            Batch::new(&[row], Gates::Open, &prefix.standing, self.shape(media.map_or(0, VisualTokens::rows)))?;
        let standing = batch.after.pop().unwrap_or_default();
        let past = self.copies(prefix, 1)?;
        let media = media.unwrap_or(&self.no_media);
        let step = Step::prefill(batch, prefix.tokens(), Gates::Open, &media.media_kv, &past);
        // Fetched to this machine, to be copied for batches.
        let mut outputs = forward(&mut self.decoder, &self.past_names, &[], step)?;
        self.work.calls[2] += 1;
        let layers = self.present_names.iter().map(|name| outputs.take_floats(name)).collect::<Result<_, _>>()?;
        Ok(Prefix { standing, layers, copies: RefCell::default() })
    }

    pub(super) fn score_rows(
        &mut self,
        prefix: &Prefix,
        media: Option<&VisualTokens>,
        rows: &[Row],
        gates: Gates,
    ) -> Result<Vec<Vec<Vec<f32>>>, Error> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(index) = rows.iter().position(|row| row.read.is_empty()) {
            return Err(Error::request(format!("row {index} is read nowhere")));
        }
        let batch = Batch::new(rows, gates, &prefix.standing, self.shape(media.map_or(0, VisualTokens::rows)))?;
        let (logits, _) = self.prefill(prefix, media, batch, gates)?;
        let (reads, vocab) = (logits.reads, self.manifest.decoder.vocab);
        rows.iter()
            .enumerate()
            .map(|(row, asked)| {
                let first = row * reads;
                let read =
                    |place: usize| log_softmax(&logits.numbers[(first + place) * vocab..(first + place + 1) * vocab]);
                (0..asked.read.len()).map(read).collect()
            })
            .collect()
    }

    /// One pass over whole rows; gives the logits, and the K/V of all tokens so far.
    pub(super) fn prefill(
        &mut self,
        prefix: &Prefix,
        media: Option<&VisualTokens>,
        batch: Batch,
        gates: Gates,
    ) -> Result<(Logits, Vec<Tensor>), Error> {
        let (rows, tokens, reads) = (batch.rows, batch.tokens(), batch.reads);
        let past = self.copies(prefix, rows)?;
        let media = media.unwrap_or(&self.no_media);
        let step = Step::prefill(batch, prefix.tokens(), gates, &media.media_kv, &past);
        let mut outputs = forward(&mut self.decoder, &self.past_names, &self.present_names, step)?;
        self.work.prefill_rows += rows as u64;
        self.work.prefill_tokens += tokens as u64;
        self.work.calls[2] += 1;
        let numbers = outputs.take_floats("logits")?;
        if numbers.len() != rows * reads * self.manifest.decoder.vocab {
            let problem = format!("it gave {} logits for {rows} rows read at {reads} places", numbers.len());
            return Err(Error::Run { graph: Role::Decoder.name(), problem });
        }
        Ok((Logits { numbers, reads }, self.take_present(&mut outputs)?))
    }

    pub(super) fn take_present(&self, outputs: &mut Outputs) -> Result<Vec<Tensor>, Error> {
        self.present_names.iter().map(|name| outputs.take(name)).collect()
    }

    pub(super) const fn shape(&self, media: usize) -> Shape {
        Shape {
            media,
            image: self.manifest.tokens.image,
            image_advance: self.manifest.positions.image_advance,
            pad: self.manifest.tokens.pad,
            max_positions: self.manifest.decoder.max_positions,
            rule: self.manifest.decoder.media_rule,
        }
    }

    /// A prefix' K/V for so many rows: copied, not run again.
    fn copies(&self, prefix: &Prefix, rows: usize) -> Result<Arc<Vec<Tensor>>, Error> {
        let mut copies = prefix.copies.borrow_mut();
        if copies.opening != self.openings {
            *copies = Copies { opening: self.openings, made: BTreeMap::new() };
        }
        if let Some(copies) = copies.made.get(&rows) {
            return Ok(Arc::clone(copies));
        }
        let decoder = &self.manifest.decoder;
        let shape = [rows, decoder.kv_heads, prefix.tokens(), decoder.head_dim];
        let made: Vec<Tensor> = prefix
            .layers
            .iter()
            .map(|numbers| Tensor::floats(self.manifest.float, &shape, numbers.repeat(rows))?.placed(self.placement))
            .collect::<Result<_, _>>()?;
        let made = Arc::new(made);
        if copies.made.len() == KEPT_COPIES {
            copies.made.clear();
        }
        copies.made.insert(rows, Arc::clone(&made));
        Ok(made)
    }
}

/// What a prefill says: `[rows, reads, vocab]`.
pub(super) struct Logits {
    pub(super) numbers: Vec<f32>,
    reads: usize,
}

impl<'a> Step<'a> {
    fn prefill(batch: Batch, past_tokens: usize, gates: Gates, media: &'a Tensor, past: &'a [Tensor]) -> Self {
        Self {
            rows: batch.rows,
            width: batch.width,
            total: past_tokens + batch.width,
            reads: batch.reads,
            ids: batch.input_ids,
            mask: batch.attention_mask,
            positions: batch.position_ids,
            seen: batch.seen,
            logits_index: batch.logits_index,
            gates,
            media,
            past,
        }
    }
}

/// Runs the decoder; outputs named in `kept` stay on the device.
pub(super) fn forward(
    decoder: &mut super::runtime::Graph,
    past_names: &[String],
    kept: &[String],
    step: Step<'_>,
) -> Result<Outputs, Error> {
    let wide = [step.rows, step.width];
    let gate = if step.gates == Gates::Open { 1.0 } else { 0.0 };
    let mut made = vec![
        ("input_ids", Tensor::integers(&wide, step.ids)?),
        ("attention_mask", Tensor::integers(&[step.rows, step.total], step.mask)?),
        ("position_ids", Tensor::integers(&wide, step.positions)?),
        ("logits_index", Tensor::integers(&[step.rows, step.reads], step.logits_index)?),
        ("gate_scale", Tensor::floats(Float::Float32, &[], vec![gate])?),
    ];
    made.extend(step.seen.tensors(step.rows, step.width)?);
    let mut inputs: Vec<(&str, &Tensor)> = made.iter().map(|(name, tensor)| (*name, tensor)).collect();
    inputs.push(("media_kv", step.media));
    inputs.extend(past_names.iter().map(String::as_str).zip(step.past));
    decoder.run(&inputs, kept)
}

/// Natural logarithms of the probabilities that these logits stand for.
pub(super) fn log_softmax(logits: &[f32]) -> Result<Vec<f32>, Error> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let total: f64 = logits.iter().map(|&logit| (f64::from(logit) - f64::from(largest)).exp()).sum();
    if !total.is_finite() {
        // A failure is never an answer.
        return Err(Error::NotNumber { graph: Role::Decoder.name(), what: "a logit" });
    }
    let shift = f64::from(largest) + total.ln();
    Ok(logits.iter().map(|&logit| (f64::from(logit) - shift) as f32).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_softmax_is_exact_far_from_zero_and_refuses_what_is_not_a_number() {
        let shares = log_softmax(&[1000.0, 1001.0, -40.0]).unwrap();
        assert!((shares[1] - shares[0] - 1.0).abs() < 1e-6);
        assert!((shares[1] - -0.313_261_7).abs() < 1e-6);
        assert!(log_softmax(&[0.0, f32::NAN]).is_err());
        assert!(log_softmax(&[f32::INFINITY, 0.0]).is_err());
        assert!(log_softmax(&[f32::NEG_INFINITY; 2]).is_err());
    }
}
