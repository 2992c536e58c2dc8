//! Passwords in URLs, and in whatever texts libraries make of them: none is ever in what is printed.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use wader::{camera::Address, config, mqtt::Access, telemetry::redact};

/// What is part of each password, and of nothing else.
const SECRET: &str = "S3CR3Tcanary";

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    before: &'a str,
    scheme: u8,
    user: &'a str,
    /// What stands around the secret in the password.
    password: [&'a str; 2],
    rest: &'a str,
    after: &'a str,
    /// Whether the password stands in the query or the path, as cameras like it.
    place: u8,
}

/// A text as it may stand in a URL's user or password, escaped only as far as it must be there.
fn escaped(text: &str) -> String {
    let must = |c: char| c.is_control() || c.is_whitespace() || !c.is_ascii() || "\"#<>?`{}/\\^|[]@:%".contains(c);
    let mut escaped = String::new();
    for c in text.chars() {
        if must(c) {
            c.to_string().bytes().for_each(|byte| escaped.push_str(&format!("%{byte:02X}")));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

fuzz_target!(|input: Input<'_>| {
    let Input { before, scheme, user, password: [one, two], rest, after, place } = input;
    if [before, user, one, two, rest, after].iter().any(|text| text.contains(SECRET)) {
        return;
    }
    let scheme = ["rtsp", "rtsps", "http", "https", "mqtt", "mqtts"][usize::from(scheme) % 6];
    let password = format!("{one}{SECRET}{two}");
    // what stands behind the host: no white space, which ends a URL in a text
    let rest: String =
        rest.chars().filter(|c| !c.is_whitespace() && !c.is_control() && !"\"<>`\\".contains(*c)).collect();
    if rest.contains(SECRET) {
        return;
    }
    let key = ["password=", "passwd=", "pwd=", "pass="][usize::from(place / 4) % 4];
    let url = match place % 4 {
        0 | 1 => format!("{scheme}://{}:{}@host/{rest}", escaped(user), escaped(&password)),
        2 => format!("{scheme}://host/s?user=a&{key}{}&x=1", escaped(&password)),
        _ => format!("{scheme}://host/user=a&{key}{SECRET}&channel=1"),
    };
    let hides = |shown: &str| assert!(!shown.contains(SECRET), "{url:?} is shown as {shown:?}");
    // in the log, whatever stands around it
    let in_path = place % 4 == 3;
    if !in_path {
        hides(&redact(&format!("{before} {url} {after}")));
        hides(&redact(&format!("{before}'{url}' {after}")));
        hides(&redact(&format!("{{\"url\":\"{url}\",\"x\":1}}")));
    }
    // in a report about a file; what it says of a reference is meant to be read
    if !url.contains("${") {
        hides(&config::fuzzing::redact(&url));
        hides(&config::fuzzing::redact(&format!("\"{url}\"")));
    }
    match Address::parse(&url) {
        Ok(address) => {
            let spelt = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
            if place % 4 < 2 {
                assert_eq!(
                    (address.user(), address.password()),
                    (spelt(user).as_deref(), Some(password.as_str())),
                    "{url}"
                );
            }
            assert!(!address.location().contains(SECRET) || place % 4 > 1, "{url}");
            for shown in [address.to_string(), format!("{address:?}"), format!("{address:#?}")] {
                hides(&shown);
            }
            if place % 4 < 2 {
                let foreign = format!("cannot open {url} ({password}) at {}", address.location());
                hides(&address.scrub(&foreign));
            } else {
                hides(&address.scrub(&format!("cannot open {}", address.location())));
            }
        }
        Err(error) => hides(&error.to_string()),
    }
    match Access::parse(&url) {
        Ok(access) => {
            hides(&access.to_string());
            hides(&format!("{access:?}"));
            access.check().err().into_iter().for_each(|error| hides(&error.to_string()));
        }
        // what goes on after the host is repeated, and the broker's address has no password there
        Err(error) if place % 4 < 2 => hides(&error.to_string()),
        Err(_) => {}
    }
});
