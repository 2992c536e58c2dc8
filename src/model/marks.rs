//! Marks in a question that a closed vocabulary lacks: those that carry no meaning are left out or become spaces, so that
//! nothing unknown stands between words that the model learned.

/// Marks that end a sentence or a part of one.
const ENDING: [char; 7] = ['?', '!', '.', ',', ';', ':', '…'];

/// Quotes and brackets.
const AROUND: [char; 18] = ['"', '\'', '`', '(', ')', '[', ']', '{', '}', '<', '>', '“', '”', '„', '‘', '’', '«', '»'];

/// Marks between words that are read as a space.
const BETWEEN: [char; 7] = ['-', '_', '/', '‐', '‑', '–', '—'];

/// A word without the marks that mean nothing and that the vocabulary lacks; `spells` tells whether it has all of a text.
///
/// Of several marks behind it one is left, a question mark before others. What means something stays, whether or not the
/// vocabulary has it.
pub(super) fn readable(word: &str, spells: impl Fn(&str) -> bool) -> String {
    if spells(word) {
        return word.to_owned();
    }
    let begun = word.trim_start_matches(AROUND);
    let core = begun.trim_end_matches([&ENDING[..], &AROUND, &BETWEEN].concat().as_slice());
    let marks = &begun[core.len()..];
    let questions = marks.chars().filter(|mark| *mark == '?');
    let mark = questions.chain(marks.chars()).map(String::from).find(|mark| spells(mark)).unwrap_or_default();
    let core = if spells(core) { core.to_owned() } else { core.replace(BETWEEN, " ") };
    format!("{core}{mark}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Letters, and the marks that `wader-small` has.
    fn spells(text: &str) -> bool {
        let pieces = text.split(char::is_alphanumeric).flat_map(str::split_whitespace);
        pieces.into_iter().all(|piece| matches!(piece, "" | "?" | "." | ","))
    }

    #[test]
    fn marks_that_mean_nothing_go_and_those_that_do_stay() {
        for (word, expected) in [
            ("there?", "there?"),
            ("there?!", "there?"),
            ("there!?", "there?"),
            ("there??", "there?"),
            ("there!", "there"),
            ("there...", "there."),
            ("(there),", "there,"),
            ("\"person\"?", "person?"),
            ("‘person’", "person"),
            ("people:", "people"),
            ("car-park", "car park"),
            ("parking_lot", "parking lot"),
            ("person/people?!", "person people?"),
            ("—", ""),
            ("?!", "?"),
            ("&", "&"),
            ("person's", "person's"),
            ("car(s)", "car(s"),
            ("50%", "50%"),
        ] {
            assert_eq!(readable(word, spells), expected, "{word}");
        }
    }

    #[test]
    fn what_the_vocabulary_has_stays_as_it_is_written() {
        for word in ["t-shirt?!", "(there)", "a_b"] {
            assert_eq!(readable(word, |_| true), word);
        }
        assert_eq!(readable("\"t-shirt\"", |text| !text.contains('"')), "t-shirt");
    }
}
