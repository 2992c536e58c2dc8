//! Which media a token sees, and the decoder inputs that say so: the one place that knows how the families differ.

use super::{Error, MediaRule, runtime::Tensor};

impl MediaRule {
    /// The decoder's inputs that tell which media each token sees.
    pub(super) const fn inputs(self) -> &'static [&'static str] {
        match self {
            Self::Latest => &["media_index"],
            Self::Span => &["media_index", "media_span"],
            Self::Position => &["media_pos"],
        }
    }

    /// Whether the media of one window must lie in the bank in the order of its frames, one behind the other.
    pub const fn wants_neighbours(self) -> bool {
        matches!(self, Self::Span)
    }
}

/// The media that a text has shown so far, which is what its next token sees.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shown {
    /// Each picture token's row of media K/V and the position at which its medium begins, in the order of the text.
    media: Vec<(usize, usize)>,
    /// Of these, how many picture tokens stand in one run at the end, words after them aside.
    run: usize,
    /// Whether the last token was a picture token: then another one goes on with its run.
    ends_in_picture: bool,
}

impl Shown {
    /// A picture token follows; its medium is this row of media K/V and begins at this position. `None` for one whose
    /// medium is not there, which shut gates allow.
    pub(super) fn picture(&mut self, medium: Option<(usize, usize)>, rule: MediaRule) -> Result<(), String> {
        let Some((row, position)) = medium else {
            self.ends_in_picture = false;
            return Ok(());
        };
        if self.media.iter().any(|&(shown, _)| shown == row) && rule == MediaRule::Position {
            return Err(format!("shows row {row} of the media twice, and the model tells one place of it only"));
        }
        let before = self.media.last().map(|&(before, _)| before).filter(|_| self.ends_in_picture);
        if let Some(before) = before.filter(|before| rule.wants_neighbours() && before + 1 != row) {
            return Err(format!("shows row {row} of the media right behind row {before}, and they must be neighbours"));
        }
        self.run = if before.is_some() { self.run + 1 } else { 1 };
        self.media.push((row, position));
        self.ends_in_picture = true;
        Ok(())
    }

    /// Any other token follows.
    pub(super) fn word(&mut self) {
        self.ends_in_picture = false;
    }

    /// The last picture's row of media K/V, -1 for none.
    fn latest(&self) -> i64 {
        self.media.last().map_or(-1, |&(row, _)| row as i64)
    }
}

/// The inputs that tell which media each token of a batch sees, filled row after row.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen {
    rule: MediaRule,
    /// Rows of media K/V that the call is given.
    media: usize,
    /// The latest medium of each token, `[rows, width]`; empty where the rule is by position.
    index: Vec<i64>,
    /// How many media each token sees, that one and those before it, `[rows, width]`; of the rule `span` only.
    span: Vec<i64>,
    /// Where each medium begins in each row, -1 where it does not stand, `[rows, media]`; of the rule `position` only.
    position: Vec<i64>,
}

impl Seen {
    /// Of a call that is given so many rows of media K/V.
    pub(super) const fn new(rule: MediaRule, media: usize) -> Self {
        Self { rule, media, index: Vec::new(), span: Vec::new(), position: Vec::new() }
    }

    /// A token that sees what was shown up to it, itself included.
    pub(super) fn token(&mut self, shown: &Shown) {
        if self.rule == MediaRule::Position {
            return;
        }
        self.index.push(shown.latest());
        if self.rule == MediaRule::Span {
            self.span.push(shown.run.max(1) as i64);
        }
    }

    /// Tokens that nobody reads.
    pub(super) fn padding(&mut self, count: usize) {
        for _ in 0..count {
            self.token(&Shown::default());
        }
    }

    /// The end of a row that has shown all this.
    pub(super) fn row(&mut self, shown: &Shown) {
        if self.rule != MediaRule::Position {
            return;
        }
        let first = self.position.len();
        self.position.resize(first + self.media, -1);
        for &(row, position) in &shown.media {
            self.position[first + row] = position as i64;
        }
    }

    /// The inputs by name, for so many rows of so many tokens.
    pub(super) fn tensors(self, rows: usize, width: usize) -> Result<Vec<(&'static str, Tensor)>, Error> {
        let columns = match self.rule {
            MediaRule::Latest => vec![(self.index, width)],
            MediaRule::Span => vec![(self.index, width), (self.span, width)],
            MediaRule::Position => vec![(self.position, self.media)],
        };
        let named = self.rule.inputs().iter().zip(columns);
        named.map(|(&name, (numbers, width))| Ok((name, Tensor::integers(&[rows, width], numbers)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each token of a text sees: `.` is a word, a digit a picture of that row, which begins where it stands.
    fn seen(rule: MediaRule, text: &str) -> Result<Seen, String> {
        let (mut shown, mut seen) = (Shown::default(), Seen::new(rule, 4));
        for (position, token) in text.chars().enumerate() {
            match token.to_digit(10) {
                Some(row) => shown.picture(Some((row as usize, position)), rule)?,
                None => shown.word(),
            }
            seen.token(&shown);
        }
        seen.row(&shown);
        Ok(seen)
    }

    #[test]
    fn the_latest_picture_is_seen_from_its_token_on() {
        let seen = seen(MediaRule::Latest, ".2..0.").unwrap();
        assert_eq!(seen.index, [-1, 2, 2, 2, 0, 0]);
        assert_eq!((seen.span.len(), seen.position.len()), (0, 0));
    }

    #[test]
    fn a_run_of_pictures_is_seen_together_and_ends_at_the_next_picture_after_words() {
        let text = seen(MediaRule::Span, ".01..23.").unwrap();
        assert_eq!(text.index, [-1, 0, 1, 1, 1, 2, 3, 3]);
        assert_eq!(text.span, [1, 1, 2, 2, 2, 1, 2, 2]);
        assert!(seen(MediaRule::Span, "02").unwrap_err().contains("row 2 of the media right behind row 0"));
        assert!(seen(MediaRule::Span, "0.2").is_ok());
    }

    #[test]
    fn all_pictures_of_a_row_are_told_by_where_they_begin() {
        let text = seen(MediaRule::Position, ".3.1").unwrap();
        assert_eq!((text.position.as_slice(), text.index.len()), ([-1, 3, -1, 1].as_slice(), 0));
        assert!(seen(MediaRule::Position, "11").unwrap_err().contains("twice"));
    }
}
