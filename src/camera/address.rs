//! Where a camera is, and who we are to it: a URL with the user and password split off.
//!
//! A password leaves this type through [`Address::password`] only; whatever is printed of an address is redacted.

use std::{borrow::Cow, fmt, ops::Range, path::PathBuf};

use percent_encoding::percent_decode_str;
use url::Url;

/// Schemes an address may have; `test` goes with descriptions that make their own picture.
const SCHEMES: [&str; 6] = ["rtsp", "rtsps", "http", "https", "file", "test"];

/// Keys after which cameras expect a password in the path, as in `/user=admin&password=secret&channel=1`.
const PASSWORD_KEYS: [&str; 4] = ["password=", "passwd=", "pwd=", "pass="];

/// Why a text is not a camera's address. Never holds the text: there may be a password in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// The text is not a URL.
    #[error("not a URL ({0}); an address looks like `rtsp://user:password@10.0.0.5:554/stream`")]
    NotUrl(url::ParseError),
    /// The scheme is none of those we can open.
    #[error("`{0}` is not a scheme of cameras; use rtsp, rtsps, http, https or file")]
    Scheme(String),
    /// There is no host to connect to.
    #[error("the URL names no host")]
    NoHost,
    /// A `file` URL without an absolute path on this machine.
    #[error("a file URL needs an absolute path, as in `file:///srv/clip.mkv`")]
    NoPath,
    /// The user or password is not UTF-8 after percent-decoding.
    #[error("the user or password is not UTF-8 once percent-decoded")]
    NotUtf8,
}

/// A camera's URL, user and password. `Debug` and `Display` show neither of these nor the query.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// Without user and password.
    url: Url,
    user: Option<String>,
    password: Option<String>,
    /// The password as it stood in the URL.
    escaped: Option<String>,
    /// What else of the URL is not to be shown.
    hidden: Vec<String>,
}

impl Address {
    /// Reads a URL; `%40` and the like in user and password are decoded.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let mut url = Url::parse(text.trim()).map_err(AddressError::NotUrl)?;
        if !SCHEMES.contains(&url.scheme()) {
            return Err(AddressError::Scheme(url.scheme().to_owned()));
        }
        match url.scheme() {
            "file" if url.to_file_path().is_err() => return Err(AddressError::NoPath),
            "file" | "test" => {}
            _ if url.host_str().is_none_or(str::is_empty) => return Err(AddressError::NoHost),
            _ => {}
        }
        let user = Some(url.username()).filter(|user| !user.is_empty()).map(decode).transpose()?;
        let escaped = url.password().map(str::to_owned);
        let password = escaped.as_deref().map(decode).transpose()?;
        // Both fail only for URLs that cannot hold a user, which then have none to remove.
        url.set_username("").and_then(|()| url.set_password(None)).ok();
        Ok(Self { url, user, password, escaped, hidden: Vec::new() })
    }

    /// The same address for this user, in plain text.
    #[must_use]
    pub fn with_login(self, user: &str, password: &str) -> Self {
        Self { user: Some(user.to_owned()), password: Some(password.to_owned()), escaped: None, ..self }
    }

    /// The same address, of whose path these parts are not to be shown: a token that some relays want there.
    #[must_use]
    pub fn hiding(self, parts: impl IntoIterator<Item = String>) -> Self {
        Self { hidden: parts.into_iter().collect(), ..self }
    }

    /// The URL to open: without user and password, with the query. Not for printing.
    pub fn location(&self) -> &str {
        self.url.as_str()
    }

    /// The URL's scheme, in lower case.
    pub fn scheme(&self) -> &str {
        self.url.scheme()
    }

    /// The file of a `file` URL.
    pub fn path(&self) -> Option<PathBuf> {
        if self.scheme() == "file" { self.url.to_file_path().ok() } else { None }
    }

    /// The host and port to connect to; `None` of a file or a test picture.
    pub fn door(&self) -> Option<(&str, u16)> {
        let port = match self.scheme() {
            "rtsp" | "rtsps" => 554, // what GStreamer takes for either, whatever RFC 7826 says of the latter
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        let host = self.url.host_str()?.trim_start_matches('[').trim_end_matches(']');
        Some((host, self.url.port().unwrap_or(port)))
    }

    /// The user, percent-decoded.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The password, percent-decoded. Set it as a property, print it nowhere.
    pub fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    /// A foreign text with all that is secret in this address taken out, for texts of libraries that were given it.
    ///
    /// All is found in the text as it is, before anything is taken out: else one secret could hide the end of another.
    pub fn scrub(&self, text: &str) -> String {
        let secrets = [self.url.query(), self.url.fragment(), self.password(), self.escaped.as_deref()];
        let hidden = self.hidden.iter().map(String::as_str);
        let secrets = secrets.into_iter().flatten().chain(hidden).filter(|secret| !secret.is_empty());
        let found = secrets.flat_map(|secret| occurrences(text, secret));
        let mut found: Vec<Range<usize>> = found.chain(users(text)).collect();
        found.sort_by_key(|range| range.start);
        let (mut clean, mut at) = (String::with_capacity(text.len()), 0);
        for range in found {
            if range.start > at || (at == 0 && range.start == 0) {
                clean.push_str(&text[at..range.start]);
                clean.push('…');
            }
            at = at.max(range.end);
        }
        clean.push_str(&text[at..]);
        redact_path(&clean)
    }
}

/// Where a part stands in a text, also where it overlaps itself.
fn occurrences<'a>(text: &'a str, part: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
    text.char_indices().filter(move |&(at, _)| text[at..].starts_with(part)).map(move |(at, _)| at..at + part.len())
}

/// What stands before an `@` of each URL in a text: a library may have been given the URL as it was written.
fn users(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    text.match_indices("://").filter_map(|(at, scheme)| {
        let begin = at + scheme.len();
        let word = text[begin..].split(char::is_whitespace).next().unwrap_or_default();
        word.rfind('@').map(|end| begin..begin + end)
    })
}

fn decode(text: &str) -> Result<String, AddressError> {
    percent_decode_str(text).decode_utf8().map(Cow::into_owned).map_err(|_| AddressError::NotUtf8)
}

/// A text without the values of `password=…` and its like, each up to the next space: nobody knows where else it ends.
fn redact_path(path: &str) -> String {
    let mut shown = path.to_owned();
    for key in PASSWORD_KEYS {
        let mut from = 0;
        while let Some(found) = shown[from..].to_ascii_lowercase().find(key) {
            let start = from + found + key.len();
            let end = shown[start..].find(' ').map_or(shown.len(), |length| start + length);
            shown.replace_range(start..end, "…");
            from = start;
        }
    }
    shown
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut url = self.url.clone();
        let query = if url.query().is_some() { "?…" } else { "" };
        url.set_query(None);
        url.set_fragment(None);
        for part in &self.hidden {
            url.set_path(&url.path().replace(part, "***"));
        }
        write!(f, "{}{query}", redact_path(url.as_str()))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let credentials = match (&self.user, &self.password) {
            (None, None) => "",
            (_, None) => " (with a user)",
            (_, Some(_)) => " (with a password)",
        };
        write!(f, "Address({self}{credentials})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_password_are_split_off_and_decoded() {
        let address = Address::parse("rtsp://front%20desk:p%40ss%3A%2Fw%C3%B6rd%25@10.0.0.5:8554/s?x=1").unwrap();
        assert_eq!(address.location(), "rtsp://10.0.0.5:8554/s?x=1");
        assert_eq!(address.user(), Some("front desk"));
        // a `+` is no digit, whatever a reader of numbers takes it for
        assert_eq!(Address::parse("rtsp://a:%+5%4@h/").unwrap().password(), Some("%+5%4"));
        assert_eq!(address.password(), Some("p@ss:/wörd%"));
        assert_eq!(Address::parse("file:///srv/a%20b.mkv").unwrap().path(), Some("/srv/a b.mkv".into()));
        assert_eq!(Address::parse("rtsp://10.0.0.5/s").unwrap().user(), None);
    }

    #[test]
    fn nothing_secret_is_shown() {
        for text in [
            "rtsp://admin:hunter2@cam/s?user=admin&password=hunter2",
            "rtsp://cam/user=admin&password=a_hunter2&channel=1_stream=0.sdp",
            "rtsp://cam/s?token=hunter2#hunter2",
        ] {
            let address = Address::parse(text).unwrap();
            let foreign = address.scrub(&format!("cannot open {} with hunter2", address.location()));
            for shown in [address.to_string(), format!("{address:?}"), format!("{address:#?}")] {
                assert!(!shown.contains("hunter2"), "{shown}");
                assert!(shown.contains("rtsp://cam/"), "{shown}");
            }
            assert!(address.password().is_none() || !foreign.contains("hunter2"), "{foreign}");
            assert!(!foreign.contains("password=hunter2") && !foreign.contains("token=hunter2"), "{foreign}");
        }
    }

    #[test]
    fn the_door_is_where_gstreamer_knocks() {
        for (url, port) in
            [("rtsp://cam/s", 554), ("rtsps://cam/s", 554), ("https://cam/s", 443), ("rtsps://cam:7441/s", 7441)]
        {
            assert_eq!(Address::parse(url).unwrap().door(), Some(("cam", port)), "{url}");
        }
    }

    #[test]
    fn what_is_hidden_of_a_path_is_shown_nowhere() {
        let address = Address::parse("rtsps://relay:7441/hunter2?enableSrtp").unwrap().hiding(["hunter2".to_owned()]);
        assert_eq!(address.to_string(), "rtsps://relay:7441/***?…");
        assert!(!format!("{address:?}").contains("hunter2"));
        assert_eq!(address.scrub("no rtsps://relay:7441/hunter2 there"), "no rtsps://relay:7441/… there");
        assert_eq!(address.location(), "rtsps://relay:7441/hunter2?enableSrtp");
    }

    #[test]
    fn a_password_is_taken_out_of_foreign_texts_escaped_or_not() {
        let address = Address::parse("rtsp://me:hunter%40%272@cam/s?h").unwrap();
        let shown = address.scrub("rtsp://me:hunter%40%272@cam/s?h is not me:hunter@'2");
        assert!(!shown.contains("unter"), "{shown}");
        let shown = Address::parse("rtsp://me:it's@cam/").unwrap().scrub("no rtsp://me:it's@cam/ here");
        assert_eq!(shown, "no rtsp://…@cam/ here");
        let shown = Address::parse("rtsp://me:it's@cam/?:/").unwrap().scrub("rtsp://me:it's@cam/?:/ is gone");
        assert!(!shown.contains("it's"), "{shown}");
        // the password looks like a URL itself, the next is a part of its own query, and of all that stands around it
        let address = Address::parse("rtsp://me:p%3A%2F%2F**%40h%20unter@cam/").unwrap();
        assert_eq!(address.scrub("not p://**@h unter, no"), "not …, no");
        let address = Address::parse("rtsp://me:a@cam/?token=abc").unwrap();
        assert_eq!(address.scrub("at rtsp://cam/?token=abc"), "…t rtsp://c…m/?…");
    }

    #[test]
    fn what_is_not_an_address_says_why_without_repeating_it() {
        for (text, says) in [
            ("10.0.0.5/s:hunter2", "not a URL"),
            ("gopher://u:hunter2@h/", "`gopher` is not a scheme of cameras"),
            ("rtsp:///hunter2", "the URL names no host"),
            ("rtsp://u:%ffhunter2@h/", "not UTF-8"),
        ] {
            let error = Address::parse(text).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
