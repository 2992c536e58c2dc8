//! Passwords out of running text: whatever stands before the `@` of a URL.

use std::borrow::Cow;

/// A text whose URLs have lost their users and passwords, and queries that name a password or token.
///
/// For texts of others, such as a library's error; what wader itself holds as a secret never becomes a text.
pub fn redact(text: &str) -> Cow<'_, str> {
    if !text.contains("://") {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        clean.push_str(before);
        // An apostrophe, a backquote and a backslash may stand in a password, so they end no URL; but for the backslash of
        // a quote within a quoted text.
        let end = after.find(|c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>')).unwrap_or(after.len());
        let end = if after[end..].starts_with('"') { after[..end].trim_end_matches('\\').len() } else { end };
        let (url, after) = after.split_at(end);
        clean.push_str(&redact_url(url));
        rest = after;
    }
    clean.push_str(rest);
    Cow::Owned(clean)
}

/// The part of a URL behind `://`.
fn redact_url(url: &str) -> String {
    let address = match url.rfind('@') {
        // Also an `@` in the path: a password may hold a `/`, and a path is no loss.
        Some(at) => format!("***{}", &url[at..]),
        None => url.to_owned(),
    };
    match address.split_once('?') {
        Some((address, query)) if ["pass", "pwd", "token", "key"].iter().any(|word| query.contains(word)) => {
            format!("{address}?***")
        }
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_what_stands_before_the_at_is_lost() {
        for (text, clean) in [
            (
                "could not open rtsp://me:hunter2@10.0.0.5/sub: refused",
                "could not open rtsp://***@10.0.0.5/sub: refused",
            ),
            ("{\"url\":\"rtsp://me:hun@ter2@a/b\"}", "{\"url\":\"rtsp://***@a/b\"}"),
            ("http://a/b?token=hunter2 and mqtt://c:1883", "http://a/b?*** and mqtt://c:1883"),
            ("me@example.org asks", "me@example.org asks"),
            ("'http://a/s?pwd=it's`hunter2', no", "'http://a/s?*** no"),
            (r#"{"m":"not \"http://a/s?pwd=hunter2\""}"#, r#"{"m":"not \"http://a/s?***\""}"#),
            ("from 'rtsp://me:it's@a/b', 'http://a'", "from 'rtsp://***@a/b', 'http://a'"),
        ] {
            assert_eq!(redact(text), clean);
        }
    }

    proptest! {
        #[test]
        fn no_password_of_a_url_is_left(before in "[a-z ]*", password in "[a-z@:/%'?]{1,12}", after in " ?[a-z]*") {
            let text = format!("{before}rtsp://me:S3CR3T{password}@host/sub{after}");
            prop_assert!(!redact(&text).contains("S3CR3T"));
        }
    }
}
