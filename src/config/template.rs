//! `${NAME}` in a text of the files: what stands there instead, and where it is looked up.
//!
//! | written | means |
//! |---|---|
//! | `${NAME}` | the value of `NAME`; an error when it is not set |
//! | `${NAME:-default}` | the value, or `default` when it is not set or empty |
//! | `${NAME:?hint}` | the value; an error that shows `hint` when it is not set or empty |
//! | `$${` | the characters `${` |

use std::{env::VarError, fmt::Write, io::ErrorKind, path::Path};

/// systemd's own folder for the unit of this name (systemd.exec, section "Credentials").
const CREDENTIALS_OF_SERVICE: &str = "/run/credentials/wader.service";

/// The value of a name, none where it is not set, or what keeps it from being read.
pub type Found = Result<Option<String>, String>;

/// Where systemd, Docker and Podman put secrets, then the environment: the first that has `name` gives its value.
///
/// A file's last line break is not part of its value.
///
/// # Errors
///
/// There is such a file, which cannot be read, and none of the other places has it.
pub fn system_lookup(name: &str) -> Found {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY");
    let folders = credentials.as_deref().map(Path::new).into_iter().chain([Path::new("/run/secrets")]);
    match (lookup_in(folders, name), std::env::var(name)) {
        (Ok(Some(value)), _) | (_, Ok(value)) => Ok(Some(value)),
        (Ok(None), Err(VarError::NotUnicode(_))) => Err("what the environment has is not UTF-8".to_owned()),
        (found, Err(_)) => found,
    }
}

/// As [`system_lookup`], then where systemd keeps the credentials of the installed service: for root, who asks about it beside it.
pub fn lookup_beside_service(name: &str) -> Found {
    match system_lookup(name) {
        Ok(None) => lookup_in([Path::new(CREDENTIALS_OF_SERVICE)].into_iter(), name)
            .map_err(|problem| format!("{problem}; what the service is given root may read: try with `sudo`")),
        found => found,
    }
}

fn lookup_in<'a>(folders: impl Iterator<Item = &'a Path>, name: &str) -> Found {
    let mut unreadable = Ok(None);
    for folder in folders {
        let file = folder.join(name);
        match std::fs::read_to_string(&file) {
            Ok(text) => {
                let line =
                    text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
                return Ok(Some(line.to_owned()));
            }
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            Err(error) => unreadable = Err(format!("`{}` cannot be read ({error})", file.display())),
        }
    }
    unreadable
}

/// Why a text could not be filled in. Holds names and hints, never a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Error {
    #[error("`${{` has no `}}`; write `$${{` for the characters themselves")]
    Open,
    #[error("`{0}` cannot be the name of a value: letters, digits, `_`, `-` and `.`, not beginning with `-` or `.`")]
    Name(String),
    #[error(
        "`{0}` is not set: it is looked up in `$CREDENTIALS_DIRECTORY/{0}`, `/run/secrets/{0}` and the environment; what \
         `LoadCredential` gives to the installed service is there only while that runs"
    )]
    Unset(String),
    #[error("`{0}` is not set: {1}")]
    Required(String, String),
    #[error("`{0}` is not known: {1}")]
    Unreadable(String, String),
}

/// A text that holds one `${…}` at least which [`fill`] can fill, as a regular expression.
pub(super) const PATTERN: &str = r"\$\{[A-Za-z0-9_][A-Za-z0-9_.-]*(:[-?][^}]*)?\}";

/// Whether [`fill`] would change the text.
pub(super) fn is_template(text: &str) -> bool {
    text.contains("${")
}

/// Replaces each `${…}` of a text.
///
/// A value that comes to stand in a URL's user or password is percent-encoded, so that a password may hold `@` or `/`.
pub(super) fn fill(text: &str, lookup: &dyn Fn(&str) -> Found) -> Result<String, Error> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            filled.push_str(&rest[..at - 1]);
            filled.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        filled.push_str(&rest[..at]);
        let end = rest[at..].find('}').ok_or(Error::Open)? + at;
        let value = look_up(&rest[at + 2..end], lookup)?;
        rest = &rest[end + 1..];
        if stands_in_credentials(&filled, rest) {
            filled.push_str(&percent_encoded(&value));
        } else {
            filled.push_str(&value);
        }
    }
    filled.push_str(rest);
    Ok(filled)
}

fn look_up(inside: &str, lookup: &dyn Fn(&str) -> Found) -> Result<String, Error> {
    let (name, otherwise) = match inside.find(':') {
        Some(colon) => (&inside[..colon], Some(&inside[colon + 1..])),
        None => (inside, None),
    };
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    // Names become file names: none may climb out of the folder of secrets.
    if name.is_empty() || name.starts_with(['-', '.']) || !name.chars().all(legal) {
        return Err(Error::Name(name.to_owned()));
    }
    let value = lookup(name).map_err(|wrong| Error::Unreadable(name.to_owned(), wrong))?;
    match otherwise.map(|text| (text.get(..1), text.get(1..).unwrap_or_default())) {
        None => value.ok_or_else(|| Error::Unset(name.to_owned())),
        Some((Some("-"), default)) => Ok(value.filter(|v| !v.is_empty()).unwrap_or_else(|| default.to_owned())),
        Some((Some("?"), hint)) => {
            value.filter(|v| !v.is_empty()).ok_or_else(|| Error::Required(name.to_owned(), hint.to_owned()))
        }
        Some(_) => Err(Error::Name(inside.to_owned())),
    }
}

/// Whether a value between these two texts is (part of) the `user:password` of a URL.
fn stands_in_credentials(before: &str, after: &str) -> bool {
    let Some(authority) = before.find("://").map(|at| &before[at + 3..]) else { return false };
    let ends = |text: &str| text.find('/').unwrap_or(text.len());
    !authority.contains(['/', '@']) && after[..ends(after)].contains('@')
}

/// A value as it stands in a URL's user or password.
pub(super) fn percent_encoded(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // Writing into a String cannot fail.
            _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use proptest::prelude::*;

    fn values(name: &str) -> Found {
        match name {
            "DOOR" => Ok(Some("hun@ter/2".to_owned())),
            "EMPTY" => Ok(Some(String::new())),
            "LOCKED" => Err("`/run/secrets/LOCKED` cannot be read".to_owned()),
            _ => Ok(None),
        }
    }

    #[test]
    fn each_form_means_what_the_table_says() {
        for (text, filled) in [
            ("plain", "plain"),
            ("a${DOOR}b", "ahun@ter/2b"),
            ("${NONE:-some:thing}", "some:thing"),
            ("${EMPTY:-thing}", "thing"),
            ("${EMPTY}", ""),
            ("${DOOR:?set it}", "hun@ter/2"),
            ("$${DOOR} and $5", "${DOOR} and $5"),
            ("rtsp://me:${DOOR}@host/x", "rtsp://me:hun%40ter%2F2@host/x"),
            ("rtsp://host/${DOOR}", "rtsp://host/hun@ter/2"),
        ] {
            assert_eq!(fill(text, &values).as_deref(), Ok(filled), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_a_value() {
        for (text, error) in [
            ("${NONE}", Error::Unset("NONE".into())),
            ("${DOOR", Error::Open),
            ("${}", Error::Name(String::new())),
            ("${../passwd}", Error::Name("../passwd".into())),
            ("${..}", Error::Name("..".into())),
            ("${DOOR:x}", Error::Name("DOOR:x".into())),
            ("${LOCKED:-open}", Error::Unreadable("LOCKED".into(), "`/run/secrets/LOCKED` cannot be read".into())),
            ("${NONE:?run `pass init`}", Error::Required("NONE".into(), "run `pass init`".into())),
        ] {
            assert_eq!(fill(text, &values), Err(error), "{text}");
        }
    }

    #[test]
    fn a_secret_file_gives_its_text_without_the_last_line_break() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(second.path().join("DOOR"), "two\n").unwrap();
        let folders = || [first.path(), second.path()].into_iter();
        assert_eq!(lookup_in(folders(), "DOOR"), Ok(Some("two".to_owned())));
        std::fs::write(first.path().join("DOOR"), "one\r\n").unwrap();
        assert_eq!(lookup_in(folders(), "DOOR"), Ok(Some("one".to_owned())));
        assert_eq!(lookup_in(folders(), "YARD"), Ok(None));
    }

    #[test]
    fn a_secret_that_is_there_and_cannot_be_read_is_not_called_unset() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(first.path().join("DOOR"), [0xff]).unwrap();
        let folders = || [first.path(), second.path()].into_iter();
        assert!(lookup_in(folders(), "DOOR").unwrap_err().contains("DOOR` cannot be read"));
        std::fs::write(second.path().join("DOOR"), "two").unwrap();
        assert_eq!(lookup_in(folders(), "DOOR"), Ok(Some("two".to_owned())));
    }

    proptest! {
        #[test]
        fn what_fits_the_pattern_can_be_filled_and_nothing_else_can(inside in "[-.A-Z ]?[a-z0-9_.-]{0,2}(:[-?+=a]?[ -|]{0,2})?") {
            static FITS: LazyLock<jsonschema::Validator> =
                LazyLock::new(|| jsonschema::validator_for(&serde_json::json!({ "pattern": PATTERN })).unwrap());
            let text = format!("a${{{inside}}}b");
            let filled = fill(&text, &|_| Ok(Some("value".to_owned())));
            prop_assert_eq!(FITS.is_valid(&text.into()), filled.is_ok());
        }

        #[test]
        fn no_text_panics(text in ".*") {
            _ = fill(&text, &values);
        }

        #[test]
        fn any_text_can_be_written_with_escapes(text in "[^$]*") {
            prop_assert_eq!(fill(&text, &values), Ok(text.clone()));
        }
    }
}
