//! Which texts may be shown to the model.

use super::checker::Checker;

/// Whether a text may be shown to the model.
pub(super) fn text_for_model(checker: &mut Checker<'_>, at: &[&str], text: &str, longest: usize) -> bool {
    if text.chars().count() > longest {
        checker.wrong(at, format!("is longer than {longest} characters"));
        return false;
    }
    if text.chars().any(char::is_control) {
        checker.wrong(at, "holds a line break or another control character");
        return false;
    }
    if let Some(token) = special_token(text) {
        let wrong = format!("`{token}` has a meaning of its own to language models and may not stand in a text");
        checker.wrong_with(at, wrong, "say it in words; wader puts the picture in by itself");
        return false;
    }
    true
}

/// The first part of a text that looks like a token which is not text: `<image>`, `</s>`, `<|endofchunk|>`, `[INST]`.
fn special_token(text: &str) -> Option<&str> {
    let inner = |c: char| c.is_alphanumeric() || matches!(c, '|' | '/' | '_' | '-' | ':');
    text.match_indices('<').find_map(|(at, _)| {
        let end = text[at..].find('>')? + at;
        let inside = &text[at + 1..end];
        (!inside.is_empty() && inside.chars().all(inner)).then(|| &text[at..=end])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_token_is_found_and_ordinary_text_is_not() {
        for (text, token) in [
            ("Is <image> there?", Some("<image>")),
            ("end</s>", Some("</s>")),
            ("a <|endofchunk|> b", Some("<|endofchunk|>")),
            ("is 2 < 3 and 4 > 3?", None),
            ("fewer than <3 people?", None),
            ("an arrow <->", Some("<->")),
            ("<>", None),
        ] {
            assert_eq!(special_token(text), token, "{text}");
        }
    }
}
