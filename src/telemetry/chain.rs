//! An error with what lies behind it.

use std::error::Error;

/// The error and its causes on one line; what an error says of its cause itself is not said twice.
pub fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |cause: &&dyn Error| (*cause).source()).map(ToString::to_string);
    causes.fold(error.to_string(), |line, cause| if line.contains(&cause) { line } else { format!("{line}: {cause}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{says}")]
    struct Told {
        says: &'static str,
        source: Option<Box<Told>>,
    }

    #[test]
    fn what_an_error_says_of_its_cause_is_not_said_twice() {
        let of = |says, source: Option<Told>| Told { says, source: source.map(Box::new) };
        let refused = of("I/O: refused", Some(of("refused", Some(of("os error 111", None)))));
        assert_eq!(chain(&of("no connection", Some(refused))), "no connection: I/O: refused: os error 111");
    }
}
