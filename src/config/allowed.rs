//! Words and bounds that both the checks and the schema for editors go by.

use jiff::civil::Weekday;

/// The longest question and the longest label, in characters.
pub(super) const LONGEST_ASK: usize = 1000;
pub(super) const LONGEST_LABEL: usize = 64;

/// The most wordings of a question, its own counted: each is a row of the decoder about each window.
pub(super) const MOST_WORDINGS: usize = 8;

/// Schemes of cameras' URLs, those that `camera` can open; a test holds them against each other.
pub(super) const CAMERA_SCHEMES: [&str; 6] = ["rtsp", "rtsps", "http", "https", "file", "test"];

/// The pipeline descriptions that are part of wader.
pub(super) const BUILT_IN_PIPELINES: [&str; 5] = ["rtsp-cpu", "rtsp-nvdec", "rtsp-vaapi", "file", "test-pattern"];

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
