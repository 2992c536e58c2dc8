//! Values that must never be shown, and the ways they could be: printing them, or quoting a URL that holds one.

use std::fmt;

/// What stands where a secret would.
pub(super) const HIDDEN: &str = "***";

/// A text that prints as `***`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// A text without the secrets that URLs carry: what stands before an `@`, queries, and `password=…` anywhere
/// (some cameras want it in the path).
///
/// Hides too much rather than too little, since it also meets URLs that do not parse.
pub(super) fn redact(text: &str) -> String {
    let mut shown = text.to_owned();
    if let Some(begin) = shown.find("://").map(|at| at + 3) {
        if let Some(at) = shown.rfind('@').filter(|&at| at >= begin && !is_reference(&shown[begin..at])) {
            shown.replace_range(begin..at, HIDDEN);
        }
        if let Some(query) = shown.find('?').filter(|&at| !shown[..at].contains("${")) {
            shown.replace_range(query + 1.., HIDDEN);
        }
    }
    let lower = shown.to_ascii_lowercase();
    let found = ["password=", "passwd=", "pass=", "pwd=", "token="]
        .iter()
        .filter_map(|word| lower.find(word).map(|at| at + word.len()))
        .min();
    if let Some(begin) = found {
        let length = shown[begin..].find(['&', '/', '_', '"', ' ']).unwrap_or(shown.len() - begin);
        shown.replace_range(begin..begin + length, HIDDEN);
    }
    shown
}

/// Whether `user:${NAME}` names its password instead of holding it.
fn is_reference(credentials: &str) -> bool {
    credentials.split_once(':').is_some_and(|(_, password)| names_its_secret(password))
}

/// Whether a text is `${NAME}` and nothing more; then showing it helps and tells nothing.
pub(super) fn names_its_secret(text: &str) -> bool {
    let inside = text.strip_prefix("${").and_then(|text| text.strip_suffix('}'));
    inside.is_some_and(|inside| !inside.contains(":-") && !inside.contains("${"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_as_stars() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?}"), "*** ***");
        assert_eq!(secret.reveal(), "hunter2");
    }

    #[test]
    fn a_quoted_url_shows_no_password() {
        for (text, shown) in [
            ("rtsp://door:hunter2@10.0.0.5/sub", "rtsp://***@10.0.0.5/sub"),
            ("rtsp://door:hun@ter/2@10.0.0.5/sub", "rtsp://***@10.0.0.5/sub"),
            ("rtsp://door:${DOOR}@10.0.0.5/sub", "rtsp://door:${DOOR}@10.0.0.5/sub"),
            ("rtsp://door:${DOOR:-hunter2}@10.0.0.5/sub", "rtsp://***@10.0.0.5/sub"),
            ("http://10.0.0.5/s?user=a&password=hunter2", "http://10.0.0.5/s?***"),
            ("rtsp://10.0.0.5/user=a_password=hunter2_channel=1", "rtsp://10.0.0.5/user=a_password=***_channel=1"),
            ("no url at all", "no url at all"),
        ] {
            assert_eq!(redact(text), shown);
        }
    }
}
