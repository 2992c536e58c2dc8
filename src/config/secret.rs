//! Values that must never be shown, and the ways they could be: printing them, or quoting a URL that holds one.

use std::fmt;

use url::Url;

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
    let Some(begin) = text.find("://").map(|at| at + 3) else { return hide_loose(&hide_named(text)) };
    let (scheme, rest) = text.split_at(begin);
    let scheme = &hide_loose(scheme);
    // The last `@`: a password may hold others.
    let (credentials, address) = match rest.rsplit_once('@') {
        Some((credentials, address)) if is_reference(credentials) => (format!("{credentials}@"), address),
        // A `?` before it: is that the password, or is the `@` in the query? Then nothing is sure.
        Some((credentials, _)) if credentials.contains('?') => return format!("{scheme}{HIDDEN}"),
        Some((_, address)) => (format!("{HIDDEN}@"), address),
        None => (String::new(), rest),
    };
    let address = match address.split_once('?') {
        Some((address, _)) if !address.contains("${") => format!("{}?{HIDDEN}", hide_named(address)),
        _ => hide_named(address),
    };
    format!("{scheme}{credentials}{address}")
}

/// A camera's URL without secrets and what else is `hidden` in its path; whether it had a user is told, not who.
///
/// Behind the host an `@` may be of a user's name, or a password may have strayed there, so that nothing of it is sure; a
/// fragment may be a password's end.
pub(super) fn redact_url(url: &Url, has_login: bool, hidden: &[Secret]) -> String {
    let mut url = url.clone();
    url.set_fragment(None);
    for part in hidden {
        url.set_path(&url.path().replace(part.reveal(), HIDDEN));
    }
    if url.query().is_some() {
        url.set_query(Some(HIDDEN));
    }
    let shown = hide_named(url.as_str());
    match shown.split_once("://") {
        Some((scheme, rest)) if url.has_host() && rest.contains('@') => format!("{scheme}://{HIDDEN}"),
        Some((scheme, rest)) if has_login => format!("{scheme}://{HIDDEN}@{rest}"),
        _ => shown,
    }
}

/// A text that is no URL, as `rtsp//user:password@host` is none: without what may be a password before an `@`.
fn hide_loose(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((before, after)) if before.contains([':', '/']) && !is_reference(before) => format!("{HIDDEN}@{after}"),
        _ => text.to_owned(),
    }
}

/// A text without the values of `password=…` and its like.
fn hide_named(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let found = ["password=", "passwd=", "pass=", "pwd=", "token="]
        .iter()
        .filter_map(|word| lower.find(word).map(|at| at + word.len()))
        .min();
    let Some(begin) = found else { return text.to_owned() };
    // To the end, since nobody knows where such a password ends, but for a closing quote.
    let quote = if text.ends_with('"') { "\"" } else { "" };
    format!("{}{HIDDEN}{quote}", &text[..begin])
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
            ("rtsp://10.0.0.5/user=a_password=hunter2_channel=1", "rtsp://10.0.0.5/user=a_password=***"),
            ("rtsp://10.0.0.5/s?token=hun@ter2", "rtsp://***"),
            ("rtsp://door:hun?ter2@10.0.0.5/sub", "rtsp://***"),
            ("rtsp://door:${DOOR:?set it}@10.0.0.5/sub", "rtsp://door:${DOOR:?set it}@10.0.0.5/sub"),
            ("rtsp//door:hunter2@10.0.0.5/sub", "***@10.0.0.5/sub"),
            ("door:hunter2@rtsp://10.0.0.5/sub", "***@rtsp://10.0.0.5/sub"),
            ("no url at all", "no url at all"),
            ("Is it me@example.org?", "Is it me@example.org?"),
        ] {
            assert_eq!(redact(text), shown);
        }
    }

    #[test]
    fn a_printed_url_tells_that_there_is_a_login_and_hides_whatever_may_be_secret() {
        for (url, has_login, shown) in [
            ("rtsp://10.0.0.5/a?token=hun@ter2", true, "rtsp://***@10.0.0.5/a?***"),
            ("rtsp://10.0.0.5/a?token=hun@ter2", false, "rtsp://10.0.0.5/a?***"),
            ("rtsp://10.0.0.5/a#hunter2", false, "rtsp://10.0.0.5/a"),
            ("rtsp://10.0.0.5/user=a&password=hun@ter2", true, "rtsp://***@10.0.0.5/user=a&password=***"),
            ("http://10.0.0.5/user=me@home", true, "http://***"),
            ("rtsp://ss/hunter2=@10.0.0.5/a", true, "rtsp://***"),
            ("rtsp://admin:1234/hunter2@10.0.0.5/a", false, "rtsp://***"),
            ("file:///srv/yard.mp4", false, "file:///srv/yard.mp4"),
            ("file:///srv/left@yard.mp4", false, "file:///srv/left@yard.mp4"),
        ] {
            assert_eq!(redact_url(&Url::parse(url).unwrap(), has_login, &[]), shown);
        }
        let url = Url::parse("rtsp://10.0.0.5/hunter2/live").unwrap();
        assert_eq!(redact_url(&url, false, &[Secret::new("hunter2")]), "rtsp://10.0.0.5/***/live");
    }
}
