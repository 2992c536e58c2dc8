//! Rows of text as one decoder batch: padding, masks, positions, and which medium each token sees.
//!
//! Rows are padded on the right. Padding is a hole in the attention mask, which later tokens pass over.

use super::{Error, Gates, Row, TokenId, manifest::MediaRule};

/// What a batch is made for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Tokens whose K/V are kept from before.
    pub(super) past: usize,
    /// Rows of media K/V there are.
    pub(super) media: usize,
    /// The picture token.
    pub(super) image: TokenId,
    /// What fills rows up.
    pub(super) pad: TokenId,
    /// The most tokens of a text.
    pub(super) max_positions: usize,
    /// Which medium a token sees.
    pub(super) rule: MediaRule,
}

/// Inputs of one decoder call; every field but the last four is `[rows, width]`, row after row.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) rows: usize,
    /// Tokens of the longest row.
    pub(super) width: usize,
    /// Places read of the row that reads most.
    pub(super) reads: usize,
    pub(super) input_ids: Vec<i64>,
    pub(super) position_ids: Vec<i64>,
    pub(super) media_index: Vec<i64>,
    /// `[rows, past + width]`.
    pub(super) attention_mask: Vec<i64>,
    /// `[rows, reads]`; rows that read less repeat their first place.
    pub(super) logits_index: Vec<i64>,
    /// Tokens of each row, padding left out.
    pub(super) lengths: Vec<usize>,
    /// The medium that a token after each row's last one sees.
    pub(super) media_after: Vec<i64>,
}

impl Batch {
    /// Lays the rows out.
    pub(super) fn new(rows: &[Row], gates: Gates, shape: Shape) -> Result<Self, Error> {
        let width = rows.iter().map(|row| row.ids.len()).max().unwrap_or(0);
        let reads = rows.iter().map(|row| row.read.len()).max().unwrap_or(0);
        let mut batch = Self {
            rows: rows.len(),
            width,
            reads,
            input_ids: Vec::with_capacity(rows.len() * width),
            position_ids: Vec::with_capacity(rows.len() * width),
            media_index: Vec::with_capacity(rows.len() * width),
            attention_mask: Vec::with_capacity(rows.len() * (shape.past + width)),
            logits_index: Vec::with_capacity(rows.len() * reads),
            lengths: Vec::with_capacity(rows.len()),
            media_after: Vec::with_capacity(rows.len()),
        };
        for (index, row) in rows.iter().enumerate() {
            check(index, row, gates, shape)?;
            batch.push(row, shape);
        }
        Ok(batch)
    }

    /// Tokens of all rows, padding left out.
    pub(super) fn tokens(&self) -> usize {
        self.lengths.iter().sum()
    }

    fn push(&mut self, row: &Row, shape: Shape) {
        let (length, padding) = (row.ids.len(), self.width - row.ids.len());
        self.input_ids.extend(row.ids.iter().map(|&id| i64::from(id)));
        self.input_ids.extend(std::iter::repeat_n(i64::from(shape.pad), padding));
        let last = shape.past + length - 1;
        self.position_ids.extend((shape.past..=last).map(|position| position as i64));
        self.position_ids.extend(std::iter::repeat_n(last as i64, padding));
        self.attention_mask.extend(std::iter::repeat_n(1, shape.past + length));
        self.attention_mask.extend(std::iter::repeat_n(0, padding));
        let seen = media_of(&row.ids, row.media, shape.image, shape.rule);
        let after = seen.last().copied().unwrap_or(-1);
        self.media_index.extend(seen);
        self.media_index.extend(std::iter::repeat_n(-1, padding));
        self.media_after.push(after);
        let first = row.read.first().copied().unwrap_or(0);
        self.logits_index.extend(row.read.iter().map(|&place| place as i64));
        self.logits_index.extend(std::iter::repeat_n(first as i64, self.reads - row.read.len()));
        self.lengths.push(length);
    }
}

/// The row of media K/V that each token sees, -1 for none.
fn media_of(ids: &[TokenId], media: Option<usize>, image: TokenId, rule: MediaRule) -> Vec<i64> {
    let own = media.map_or(-1, |media| media as i64);
    match rule {
        MediaRule::Latest => {
            let mut seen = -1;
            ids.iter()
                .map(|&id| {
                    if id == image {
                        seen = own;
                    }
                    seen
                })
                .collect()
        }
        MediaRule::Span | MediaRule::Position => {
            unreachable!("a manifest with another rule is refused when it is read")
        }
    }
}

fn check(index: usize, row: &Row, gates: Gates, shape: Shape) -> Result<(), Error> {
    let complain = |problem: String| Err(Error::request(format!("row {index} {problem}")));
    if row.ids.is_empty() {
        return complain("holds no token".into());
    }
    let total = shape.past + row.ids.len();
    if total > shape.max_positions {
        return complain(format!(
            "has {total} tokens, and the model takes {} at most; ask shorter",
            shape.max_positions
        ));
    }
    if let Some(place) = row.read.iter().find(|&&place| place >= row.ids.len()) {
        return complain(format!("is read at token {place}, and has {}", row.ids.len()));
    }
    let pictures = row.ids.iter().filter(|&&id| id == shape.image).count();
    match row.media {
        Some(media) if media >= shape.media => {
            complain(format!("names window {media}, and {} were given", shape.media))
        }
        Some(_) if pictures != 1 => complain(format!("has {pictures} picture tokens for its one window")),
        None if pictures > 0 && gates == Gates::Open => complain("has a picture token and no window for it".into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { past: 2, media: 3, image: 9, pad: 0, max_positions: 8, rule: MediaRule::Latest };

    fn row(media: Option<usize>, ids: &[TokenId], read: &[usize]) -> Row {
        Row { media, ids: ids.to_vec(), read: read.to_vec() }
    }

    #[test]
    fn rows_are_padded_on_the_right_and_see_their_window_from_the_picture_on() {
        let rows = [row(Some(2), &[5, 9, 6], &[1, 2]), row(None, &[7], &[0])];
        let batch = Batch::new(&rows, Gates::Open, SHAPE).unwrap();
        assert_eq!(batch.input_ids, [5, 9, 6, 7, 0, 0]);
        assert_eq!(batch.position_ids, [2, 3, 4, 2, 2, 2]);
        assert_eq!(batch.media_index, [-1, 2, 2, -1, -1, -1]);
        assert_eq!(batch.attention_mask, [1, 1, 1, 1, 1, 1, 1, 1, 0, 0]);
        assert_eq!(batch.logits_index, [1, 2, 0, 0]);
        assert_eq!((batch.lengths.as_slice(), batch.media_after.as_slice()), ([3, 1].as_slice(), [2, -1].as_slice()));
        assert_eq!(batch.tokens(), 4);
    }

    #[test]
    fn rows_that_cannot_be_run_are_refused_in_words() {
        let refusal = |row: Row| Batch::new(&[row], Gates::Open, SHAPE).unwrap_err().to_string();
        assert!(refusal(row(None, &[], &[])).contains("holds no token"));
        assert!(refusal(row(None, &[1; 7], &[0])).contains("has 9 tokens, and the model takes 8 at most"));
        assert!(refusal(row(None, &[1], &[1])).contains("is read at token 1, and has 1"));
        assert!(refusal(row(Some(3), &[9], &[0])).contains("names window 3, and 3 were given"));
        assert!(refusal(row(Some(0), &[9, 9], &[0])).contains("has 2 picture tokens"));
        assert!(refusal(row(None, &[9], &[0])).contains("no window for it"));
        assert!(Batch::new(&[row(None, &[9], &[0])], Gates::Shut, SHAPE).is_ok(), "shut gates need no window");
    }
}
