//! Rows of text as one decoder batch: padding, masks, positions, and which media each token sees.
//!
//! Rows are padded on the right. Padding is a hole in the attention mask, which later tokens pass over.

use super::{
    Error, Gates, MediaRule, Row, TokenId,
    media::{Seen, Shown},
};

/// What a batch is made for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Rows of media K/V there are.
    pub(super) media: usize,
    /// The picture token.
    pub(super) image: TokenId,
    /// By how many positions a picture token goes on.
    pub(super) image_advance: usize,
    /// What fills rows up.
    pub(super) pad: TokenId,
    /// The most tokens of a text, and of their positions.
    pub(super) max_positions: usize,
    /// Which media a token sees.
    pub(super) rule: MediaRule,
}

/// How far a text has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// Tokens whose K/V are kept.
    pub(super) tokens: usize,
    /// The position of the next token: their number, if no picture takes more than one.
    pub(super) position: usize,
    /// What the next token sees.
    pub(super) shown: Shown,
}

/// Inputs of one decoder call.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) rows: usize,
    /// Tokens of the longest row.
    pub(super) width: usize,
    /// Places read of the row that reads most.
    pub(super) reads: usize,
    /// `[rows, width]`, row after row.
    pub(super) input_ids: Vec<i64>,
    /// `[rows, width]`.
    pub(super) position_ids: Vec<i64>,
    /// `[rows, past + width]`.
    pub(super) attention_mask: Vec<i64>,
    /// `[rows, reads]`; rows that read less repeat their first place.
    pub(super) logits_index: Vec<i64>,
    pub(super) seen: Seen,
    /// Tokens of each row, padding left out.
    pub(super) lengths: Vec<usize>,
    /// Where each row stands after its last token.
    pub(super) after: Vec<Standing>,
}

impl Batch {
    /// Lays out rows that all go on from `before`.
    pub(super) fn new(rows: &[Row], gates: Gates, before: &Standing, shape: Shape) -> Result<Self, Error> {
        let width = rows.iter().map(|row| row.ids.len()).max().unwrap_or(0);
        let reads = rows.iter().map(|row| row.read.len()).max().unwrap_or(0);
        let mut batch = Self {
            rows: rows.len(),
            width,
            reads,
            input_ids: Vec::with_capacity(rows.len() * width),
            position_ids: Vec::with_capacity(rows.len() * width),
            attention_mask: Vec::with_capacity(rows.len() * (before.tokens + width)),
            logits_index: Vec::with_capacity(rows.len() * reads),
            // a call without a window is given one row, which no token sees
            seen: Seen::new(shape.rule, shape.media.max(1)),
            lengths: Vec::with_capacity(rows.len()),
            after: Vec::with_capacity(rows.len()),
        };
        for (index, row) in rows.iter().enumerate() {
            let complain = |problem| Error::request(format!("row {index} {problem}"));
            check(row, gates, before, shape).map_err(complain)?;
            batch.push(row, before, shape).map_err(complain)?;
        }
        Ok(batch)
    }

    /// Tokens of all rows, padding left out.
    pub(super) fn tokens(&self) -> usize {
        self.lengths.iter().sum()
    }

    fn push(&mut self, row: &Row, before: &Standing, shape: Shape) -> Result<(), String> {
        let (length, padding) = (row.ids.len(), self.width - row.ids.len());
        let mut standing = before.clone();
        let mut media = row.media.iter();
        for &id in &row.ids {
            let begins = standing.position;
            if id == shape.image {
                standing.shown.picture(media.next().map(|&row| (row, begins)), shape.rule)?;
                standing.position += shape.image_advance;
            } else {
                standing.shown.word();
                standing.position += 1;
            }
            self.input_ids.push(i64::from(id));
            self.position_ids.push(standing.position as i64 - 1);
            self.seen.token(&standing.shown);
        }
        standing.tokens += length;
        self.input_ids.extend(std::iter::repeat_n(i64::from(shape.pad), padding));
        self.position_ids.extend(std::iter::repeat_n(standing.position as i64 - 1, padding));
        self.seen.padding(padding);
        self.seen.row(&standing.shown);
        self.attention_mask.extend(std::iter::repeat_n(1, standing.tokens));
        self.attention_mask.extend(std::iter::repeat_n(0, padding));
        let first = row.read.first().copied().unwrap_or(0);
        self.logits_index.extend(row.read.iter().map(|&place| place as i64));
        self.logits_index.extend(std::iter::repeat_n(first as i64, self.reads - row.read.len()));
        self.lengths.push(length);
        self.after.push(standing);
        Ok(())
    }
}

/// By how many positions these tokens go on.
pub(super) fn advance(ids: &[TokenId], shape: Shape) -> usize {
    ids.iter().map(|&id| if id == shape.image { shape.image_advance } else { 1 }).sum()
}

fn check(row: &Row, gates: Gates, before: &Standing, shape: Shape) -> Result<(), String> {
    if row.ids.is_empty() {
        return Err("holds no token".into());
    }
    let total = before.position + advance(&row.ids, shape);
    if total > shape.max_positions {
        return Err(format!("has {total} tokens, and the model takes {} at most; ask shorter", shape.max_positions));
    }
    if let Some(place) = row.read.iter().find(|&&place| place >= row.ids.len()) {
        return Err(format!("is read at token {place}, and has {}", row.ids.len()));
    }
    if let Some(medium) = row.media.iter().find(|&&medium| medium >= shape.media) {
        return Err(format!("names row {medium} of the media, and {} were given", shape.media));
    }
    let (pictures, media) = (row.ids.iter().filter(|&&id| id == shape.image).count(), row.media.len());
    if pictures != media && !(media == 0 && gates == Gates::Shut) {
        return Err(format!("has {pictures} picture tokens and {media} media for them"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape =
        Shape { media: 3, image: 9, image_advance: 1, pad: 0, max_positions: 8, rule: MediaRule::Latest };

    fn row(media: &[usize], ids: &[TokenId], read: &[usize]) -> Row {
        Row { media: media.to_vec(), ids: ids.to_vec(), read: read.to_vec() }
    }

    fn after_two_words() -> Standing {
        Standing { tokens: 2, position: 2, shown: Shown::default() }
    }

    #[test]
    fn rows_are_padded_on_the_right_and_see_their_window_from_the_picture_on() {
        let rows = [row(&[2], &[5, 9, 6], &[1, 2]), row(&[], &[7], &[0])];
        let batch = Batch::new(&rows, Gates::Open, &after_two_words(), SHAPE).unwrap();
        assert_eq!(batch.input_ids, [5, 9, 6, 7, 0, 0]);
        assert_eq!(batch.position_ids, [2, 3, 4, 2, 2, 2]);
        assert_eq!(batch.attention_mask, [1, 1, 1, 1, 1, 1, 1, 1, 0, 0]);
        assert_eq!(batch.logits_index, [1, 2, 0, 0]);
        let mut seen = Seen::new(MediaRule::Latest, 3);
        let (mut shown, nothing) = (Shown::default(), Shown::default());
        seen.token(&nothing);
        shown.picture(Some((2, 3)), MediaRule::Latest).unwrap();
        (0..2).for_each(|_| seen.token(&shown));
        seen.padding(3);
        assert_eq!(batch.seen, seen);
        assert_eq!(batch.lengths, [3, 1]);
        shown.word();
        assert_eq!(batch.after[0], Standing { tokens: 5, position: 5, shown });
        assert_eq!(batch.after[1], Standing { tokens: 3, position: 3, shown: nothing });
        assert_eq!(batch.tokens(), 4);
    }

    #[test]
    fn a_picture_takes_as_many_positions_as_the_model_counts_for_it() {
        let shape = Shape { image_advance: 21, max_positions: 64, rule: MediaRule::Position, ..SHAPE };
        let rows = [row(&[0, 2], &[5, 9, 6, 9, 7], &[4]), row(&[], &[9, 7], &[1])];
        let batch = Batch::new(&rows[..1], Gates::Open, &after_two_words(), shape).unwrap();
        assert_eq!(batch.position_ids, [2, 23, 24, 45, 46], "a medium begins where it stands, its token is its last");
        let mut shown = Shown::default();
        for medium in [(0, 3), (2, 25)] {
            shown.word();
            shown.picture(Some(medium), MediaRule::Position).unwrap();
        }
        shown.word();
        assert_eq!(batch.after[0], Standing { tokens: 7, position: 47, shown });
        let blind = Batch::new(&rows[1..], Gates::Shut, &after_two_words(), shape).unwrap();
        assert_eq!(blind.position_ids, [22, 23], "also where nobody looks");
        let long = Shape { max_positions: 46, ..shape };
        let refusal = Batch::new(&rows[..1], Gates::Open, &after_two_words(), long).unwrap_err().to_string();
        assert!(refusal.contains("has 47 tokens, and the model takes 46 at most"), "{refusal}");
    }

    #[test]
    fn what_was_shown_before_is_seen_by_rows_that_go_on_from_it() {
        let mut before = after_two_words();
        before.shown.picture(Some((1, 1)), MediaRule::Latest).unwrap();
        let batch = Batch::new(&[row(&[], &[7, 8], &[1])], Gates::Open, &before, SHAPE).unwrap();
        let mut seen = Seen::new(MediaRule::Latest, 3);
        (0..2).for_each(|_| seen.token(&before.shown));
        assert_eq!(batch.seen, seen);
    }

    #[test]
    fn rows_that_cannot_be_run_are_refused_in_words() {
        let refusal = |row: Row| Batch::new(&[row], Gates::Open, &after_two_words(), SHAPE).unwrap_err().to_string();
        assert!(refusal(row(&[], &[], &[])).contains("holds no token"));
        assert!(refusal(row(&[], &[1; 7], &[0])).contains("has 9 tokens, and the model takes 8 at most"));
        assert!(refusal(row(&[], &[1], &[1])).contains("is read at token 1, and has 1"));
        assert!(refusal(row(&[3], &[9], &[0])).contains("names row 3 of the media, and 3 were given"));
        assert!(refusal(row(&[0], &[9, 9], &[0])).contains("has 2 picture tokens and 1 media"));
        assert!(refusal(row(&[], &[9], &[0])).contains("has 1 picture tokens and 0 media"));
        let blind = Batch::new(&[row(&[], &[9], &[0])], Gates::Shut, &after_two_words(), SHAPE);
        assert!(blind.is_ok(), "shut gates need no window");
    }
}
