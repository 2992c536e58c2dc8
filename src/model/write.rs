//! Texts written token after token: greedily, all rows of a batch together, each within its own limits and rule.
//!
//! A pass runs for each row what it has to say since the last one: the token that it chose, and the run of tokens that its
//! grammar forced after it. Rows with less to say end in padding, which is a hole in the attention mask.

use std::time::Duration;

use super::{
    Ended, Error, Flamingo, Gates, Generation, Grammar, Row, TokenId, VisualTokens, Writing,
    batch::{Batch, Standing, advance},
    constraint::Constraint,
    decode::{Prefix, Step, forward, log_softmax},
    manifest::MediaRule,
    media::Seen,
    runtime::Tensor,
};
use crate::frame::Stamp;

/// Grammars that are kept compiled.
const KEPT_GRAMMARS: usize = 64;

impl Flamingo {
    pub(super) fn write_texts(
        &mut self,
        prefix: &Prefix,
        media: &VisualTokens,
        texts: &[Writing],
    ) -> Result<Vec<Generation>, Error> {
        let begun = Stamp::now();
        let shape = self.shape(media.rows);
        let most = |text: &Writing| {
            let begins = prefix.standing.position + advance(&text.row.ids, shape);
            self.manifest.limits.max_new_tokens.min(shape.max_positions.saturating_sub(begins))
        };
        let limits: Vec<usize> = texts.iter().map(most).collect();
        let writers = texts.iter().zip(limits).map(|(text, most)| self.writer(text, most));
        let mut writers = writers.collect::<Result<Vec<_>, _>>()?;
        // What a grammar forces at the beginning needs no pass of its own: it is run with the question.
        let rows = texts.iter().zip(&mut writers).map(|(text, writer)| {
            let ids: Vec<TokenId> = text.row.ids.iter().copied().chain(writer.fresh.drain(..)).collect();
            Row { media: text.row.media.clone(), read: vec![ids.len().saturating_sub(1)], ids }
        });
        let rows: Vec<Row> = rows.collect();
        let batch = Batch::new(&rows, Gates::Open, &prefix.standing, shape)?;
        if !writers.iter().any(Writer::writes) {
            return Ok(self.finish(writers));
        }
        let mut written = Written {
            after: batch.after.clone(),
            mask: batch.attention_mask.chunks_exact(prefix.tokens() + batch.width).map(<[i64]>::to_vec).collect(),
            pad: i64::from(shape.pad),
            rule: shape.rule,
            media: media.rows,
        };
        let (logits, mut past) = self.prefill(prefix, Some(media), batch, Gates::Open)?;
        let mut numbers = logits.numbers;
        loop {
            let vocab = self.manifest.decoder.vocab;
            for (writer, logits) in writers.iter_mut().zip(numbers.chunks_exact(vocab)) {
                // a vocabulary may be filled up with logits that no token has
                let logits = &logits[..vocab.min(self.template.end_of_ids() as usize)];
                writer.write(logits, &self.manifest.tokens.eos, Stamp::now().since(begun))?;
            }
            if !writers.iter().any(Writer::writes) {
                return Ok(self.finish(writers));
            }
            self.work.decode_tokens += writers.iter().map(|writer| writer.fresh.len() as u64).sum::<u64>();
            self.work.calls[2] += 1;
            let step = written.step(&mut writers, &media.media_kv, &past);
            let mut outputs = forward(&mut self.decoder, &self.past_names, &self.present_names, step)?;
            numbers = outputs.take_floats("logits")?;
            past = self.take_present(&mut outputs)?;
        }
    }

    /// A text before its first token, with what its grammar forces there.
    fn writer(&mut self, text: &Writing, most: usize) -> Result<Writer, Error> {
        let rule = match &text.rule {
            None => None,
            Some(rule) => Some((self.constraint(&rule.grammar)?, rule.max_time)),
        };
        let said =
            Generation { ids: Vec::new(), log_probabilities: Vec::new(), log_masses: Vec::new(), ended: Ended::Tokens };
        let limit = text.max_tokens.min(most);
        let mut writer = Writer { said, limit, rule, fresh: Vec::new(), forced: 0, over: limit == 0 };
        if !writer.over {
            writer.force(&self.manifest.tokens.eos)?;
        }
        Ok(writer)
    }

    /// A text under this grammar, before its first token.
    fn constraint(&mut self, grammar: &Grammar) -> Result<Constraint, Error> {
        if let Some(begun) = self.begun.get(grammar) {
            return Ok(begun.clone());
        }
        let speller = self.template.speller().ok_or_else(|| Error::request("its vocabulary cannot spell JSON"))?;
        let begun = speller.begin(grammar)?;
        if self.begun.len() == KEPT_GRAMMARS {
            self.begun.clear();
        }
        self.begun.insert(grammar.clone(), begun.clone());
        Ok(begun)
    }

    /// The texts, and the count of what was forced in them.
    fn finish(&mut self, writers: Vec<Writer>) -> Vec<Generation> {
        self.work.forced_tokens += writers.iter().map(|writer| writer.forced).sum::<u64>();
        writers.into_iter().map(|writer| writer.said).collect()
    }
}

/// One text on its way.
struct Writer {
    said: Generation,
    limit: usize,
    /// What it must be, and in what time.
    rule: Option<(Constraint, Duration)>,
    /// Tokens that the decoder has not been given yet.
    fresh: Vec<TokenId>,
    forced: u64,
    over: bool,
}

impl Writer {
    /// Whether anything is still to be written.
    const fn writes(&self) -> bool {
        !self.over
    }

    /// Takes the likeliest token of those that are open, and what its grammar forces after it.
    fn write(&mut self, logits: &[f32], eos: &[TokenId], spent: Duration) -> Result<(), Error> {
        if self.over {
            return Ok(());
        }
        if self.rule.as_ref().is_some_and(|(_, max_time)| spent >= *max_time) {
            self.end(Ended::Time);
            return Ok(());
        }
        let log_probabilities = log_softmax(logits)?;
        let of = |id: TokenId| log_probabilities.get(id as usize).copied().unwrap_or(f32::NEG_INFINITY);
        let likelier = |best: TokenId, id: TokenId| if of(id) > of(best) { id } else { best };
        let id = match &mut self.rule {
            None => {
                let best = (0..log_probabilities.len() as TokenId).reduce(likelier).unwrap_or_default();
                self.said.log_probabilities.push(of(best));
                best
            }
            Some((constraint, _)) => {
                let open = constraint.open()?;
                let best = open.ids().reduce(likelier);
                let best = best.ok_or_else(|| Error::request("its text cannot go on under the schema"))?;
                let mass = open.ids().map(|id| f64::from(of(id)).exp()).sum::<f64>().ln() as f32;
                self.said.log_probabilities.push((of(best) - mass).min(0.0));
                self.said.log_masses.push(mass.min(0.0));
                best
            }
        };
        if eos.contains(&id) {
            self.end(Ended::Itself);
            return Ok(());
        }
        self.say(id);
        if let Some((constraint, _)) = &mut self.rule {
            constraint.take(id)?;
        }
        self.force(eos)
    }

    /// Takes what must follow; a text that can only end has ended, and one that would grow beyond its limit is cut.
    fn force(&mut self, eos: &[TokenId]) -> Result<(), Error> {
        let (mut forced, mut whole) = (Vec::new(), false);
        if let Some((constraint, _)) = &mut self.rule {
            forced = constraint.forced()?;
            whole = constraint.ended() || forced.last().is_some_and(|id| eos.contains(id));
            forced.retain(|id| !eos.contains(id));
        }
        let room = self.limit - self.said.ids.len();
        let fits = forced.len() <= room;
        forced.truncate(room);
        self.forced += forced.len() as u64;
        forced.into_iter().for_each(|id| self.say(id));
        if fits && whole {
            self.end(Ended::Itself);
        } else if self.said.ids.len() == self.limit {
            self.end(Ended::Tokens);
        }
        Ok(())
    }

    fn say(&mut self, id: TokenId) {
        self.said.ids.push(id);
        self.fresh.push(id);
    }

    /// Nobody reads on: what the decoder was not given yet, it never gets.
    fn end(&mut self, how: Ended) {
        self.said.ended = how;
        self.fresh.clear();
        self.over = true;
    }
}

/// Where each row of the texts stands.
struct Written {
    /// How far it has come.
    after: Vec<Standing>,
    /// Its attention mask so far; holes where it was padded.
    mask: Vec<Vec<i64>>,
    pad: i64,
    rule: MediaRule,
    /// Rows of media K/V.
    media: usize,
}

impl Written {
    /// The call that runs what each row has to say. Rows that have ended run along unread, all padding.
    fn step<'a>(&mut self, writers: &mut [Writer], media: &'a Tensor, past: &'a [Tensor]) -> Step<'a> {
        let (rows, width) = (writers.len(), writers.iter().map(|writer| writer.fresh.len()).max().unwrap_or(0));
        let (mut ids, mut positions, mut seen) = (Vec::new(), Vec::new(), Seen::new(self.rule, self.media));
        let mut logits_index = Vec::with_capacity(rows);
        for (row, writer) in writers.iter_mut().enumerate() {
            let (said, padding) = (writer.fresh.len(), width - writer.fresh.len());
            ids.extend(writer.fresh.drain(..).map(i64::from));
            ids.extend(std::iter::repeat_n(self.pad, padding));
            let after = &mut self.after[row];
            let first = after.position;
            positions.extend((first..first + said).map(|position| position as i64));
            // Padding stays where the row is, within the positions the model knows.
            positions.extend(std::iter::repeat_n((first + said).saturating_sub(1) as i64, padding));
            (0..width).for_each(|_| seen.token(&after.shown));
            seen.row(&after.shown);
            after.position += said;
            self.mask[row].extend(std::iter::repeat_n(1, said).chain(std::iter::repeat_n(0, padding)));
            logits_index.push(said.saturating_sub(1) as i64);
        }
        Step {
            rows,
            width,
            total: self.mask.first().map_or(0, Vec::len),
            reads: 1,
            ids,
            mask: self.mask.concat(),
            positions,
            seen,
            logits_index,
            gates: Gates::Open,
            media,
            past,
        }
    }
}
