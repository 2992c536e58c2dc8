//! Words and bounds that the checks go by, and the schema for editors or the commands.

use jiff::civil::Weekday;

/// The longest question, in characters.
pub const LONGEST_ASK: usize = 1000;
/// The longest label of an answer, in characters.
pub const LONGEST_LABEL: usize = 64;

/// The most wordings of a question, its own counted: each is a row of the decoder about each window.
pub(super) const MOST_WORDINGS: usize = 8;

/// Schemes of cameras' URLs, those that `camera` can open; a test holds them against each other.
pub(super) const CAMERA_SCHEMES: [&str; 6] = ["rtsp", "rtsps", "http", "https", "file", "test"];

/// The pipeline descriptions that are part of wader, and the schemes of the URLs that each opens; of two for one scheme the
/// first is the usual one.
pub(super) const BUILT_IN_PIPELINES: [(&str, &[&str]); 5] = [
    ("rtsp-cpu", &["rtsp", "rtsps"]),
    ("rtsp-nvdec", &["rtsp", "rtsps"]),
    ("rtsp-vaapi", &["rtsp", "rtsps"]),
    ("file", &["file"]),
    ("test-pattern", &["test"]),
];

/// The days of the week as they are written.
pub(super) const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// The built-in pipeline that receives a URL of this scheme where none is named; `None` where there is none.
pub fn usual_pipeline(scheme: &str) -> Option<&'static str> {
    BUILT_IN_PIPELINES.iter().find(|(_, opens)| opens.contains(&scheme)).map(|(name, _)| *name)
}
