//! A pipeline description: the text of a `pipelines/*.gst` file, checked and filled.
//!
//! Pure: knows the rules of these files, not GStreamer. URLs, users and passwords never stand in a description; they
//! become properties of its element `source`.

use std::{fs, io, path::Path, time::Duration};

use crate::frame::Size;

/// The descriptions that are part of the program, by name.
const BUILT_IN: [(&str, &str); 5] = [
    ("rtsp-cpu", include_str!("../../pipelines/rtsp-cpu.gst")),
    ("rtsp-nvdec", include_str!("../../pipelines/rtsp-nvdec.gst")),
    ("rtsp-vaapi", include_str!("../../pipelines/rtsp-vaapi.gst")),
    ("file", include_str!("../../pipelines/file.gst")),
    ("test-pattern", include_str!("../../pipelines/test-pattern.gst")),
];

/// Every slot that a description may hold.
const SLOTS: [&str; 4] = ["width", "height", "latency_ms", "timeout_us"];

/// Why a text is not a description, or a description cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum DescriptionError {
    /// There is neither a file nor a built-in description of this name.
    #[error("there is no pipeline `{name}`; known are {known}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// Those that exist, separated by commas.
        known: String,
    },
    /// The file exists but cannot be read.
    #[error("cannot read the pipeline `{name}`")]
    Unreadable {
        /// The name asked for.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// Nothing is left once comments are taken out.
    #[error("the pipeline `{name}` is empty")]
    Empty {
        /// Its name.
        name: String,
    },
    /// A slot that nobody fills.
    #[error("the pipeline `{name}` holds the unknown slot `{{{slot}}}`; slots are {}", known_slots())]
    UnknownSlot {
        /// The description's name.
        name: String,
        /// The slot's name.
        slot: String,
    },
    /// One of the elements that wader must find is not there.
    #[error("the pipeline `{name}` has no `{needs}`{why}")]
    Lacks {
        /// The description's name.
        name: String,
        /// What it must hold, as it stands in a description.
        needs: &'static str,
        /// What it is needed for.
        why: &'static str,
    },
}

fn known_slots() -> String {
    SLOTS.map(|slot| format!("`{{{slot}}}`")).join(", ")
}

/// What fills the slots of a description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slots {
    /// `{width}` and `{height}`, in pixels: what the model asks for.
    pub size: Size,
    /// `{latency_ms}`: the jitter buffer.
    pub latency: Duration,
    /// `{timeout_us}`: how long a connection may take.
    pub timeout: Duration,
}

/// A checked description: one GStreamer pipeline with slots in braces, ending in `appsink name=frames`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    name: String,
    /// Without comments, on one line.
    text: String,
}

impl Description {
    /// Reads a description: `#` begins a comment line, line breaks mean nothing.
    pub fn parse(name: &str, text: &str) -> Result<Self, DescriptionError> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let text = lines.collect::<Vec<_>>().join(" ");
        let name = name.to_owned();
        if text.is_empty() {
            return Err(DescriptionError::Empty { name });
        }
        if let Some(slot) = slots(&text).find(|slot| !SLOTS.contains(slot)) {
            return Err(DescriptionError::UnknownSlot { slot: slot.to_owned(), name });
        }
        let has = |element: Option<&str>, called: &str| {
            text.split('!').any(|part| {
                let mut words = part.split_whitespace();
                let first = words.next();
                element.is_none_or(|element| first == Some(element)) && words.any(|word| word == called)
            })
        };
        if !has(Some("appsink"), "name=frames") {
            let (needs, why) = ("appsink name=frames", ", where the frames come out");
            return Err(DescriptionError::Lacks { name, needs, why });
        }
        if !has(None, "name=sample") {
            let (needs, why) = ("identity name=sample", ", where frames are chosen: after decoding, before scaling");
            return Err(DescriptionError::Lacks { name, needs, why });
        }
        if !has(None, "name=source") {
            let (needs, why) = ("name=source", ": the element that is given the camera's address");
            return Err(DescriptionError::Lacks { name, needs, why });
        }
        Ok(Self { name, text })
    }

    /// The description that is part of the program under this name.
    pub fn built_in(name: &str) -> Option<Self> {
        let (name, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        Self::parse(name, text).ok()
    }

    /// The names of the descriptions that are part of the program.
    pub fn built_in_names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// The description `<folder>/<name>.gst`, else the one that is part of the program.
    pub fn find(name: &str, folder: Option<&Path>) -> Result<Self, DescriptionError> {
        // A name is a file's stem, never a way to another folder.
        let plain = !name.contains(['/', '\\', '.']);
        if let Some(folder) = folder.filter(|_| plain) {
            match fs::read_to_string(folder.join(format!("{name}.gst"))) {
                Ok(text) => return Self::parse(name, &text),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(DescriptionError::Unreadable { name: name.to_owned(), source }),
            }
        }
        Self::built_in(name).ok_or_else(|| DescriptionError::Unknown { name: name.to_owned(), known: known(folder) })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text for GStreamer, every slot filled.
    pub fn fill(&self, slots: &Slots) -> String {
        let values = [
            slots.size.width.to_string(),
            slots.size.height.to_string(),
            slots.latency.as_millis().to_string(),
            slots.timeout.as_micros().to_string(),
        ];
        let fill = |text: String, (slot, value): (&str, String)| text.replace(&format!("{{{slot}}}"), &value);
        SLOTS.into_iter().zip(values).fold(self.text.clone(), fill)
    }
}

/// The names of all descriptions that [`Description::find`] would find, for an error.
fn known(folder: Option<&Path>) -> String {
    let in_folder = folder.and_then(|folder| fs::read_dir(folder).ok()).into_iter().flatten().flatten();
    let stems = in_folder.filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".gst")?.to_owned()));
    let mut names: Vec<String> = stems.chain(Description::built_in_names().map(str::to_owned)).collect();
    names.sort();
    names.dedup();
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// What stands in braces and looks like a slot. GStreamer's own lists, as `{ I420, NV12 }`, do not: slots are of
/// small letters and `_` only.
fn slots(text: &str) -> impl Iterator<Item = &str> {
    text.split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}').map(|(inside, _)| inside))
        .filter(|inside| !inside.is_empty() && inside.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDING: &str = "! identity name=sample ! appsink name=frames";

    #[test]
    fn comments_go_and_slots_are_filled() {
        let text =
            format!("# a camera\nfakesrc name=source x={{latency_ms}}\n  # more\n! a{{width}}x{{height}} {ENDING}");
        let description = Description::parse("own", &text).unwrap();
        let size = Size { width: 384, height: 256 };
        let slots = Slots { size, latency: Duration::from_millis(200), timeout: Duration::from_secs(5) };
        assert_eq!(description.fill(&slots), format!("fakesrc name=source x=200 ! a384x256 {ENDING}"));
    }

    #[test]
    fn a_description_that_wader_cannot_use_says_what_is_wrong() {
        for (text, says) in [
            ("# nothing\n".to_owned(), "is empty"),
            (format!("fakesrc name=source a={{url}} {ENDING}"), "unknown slot `{url}`; slots are `{width}`"),
            ("fakesrc name=source ! identity name=sample ! appsink".to_owned(), "no `appsink name=frames`"),
            ("fakesrc name=source ! identity name=sample ! fakesink name=frames".to_owned(), "`appsink name=frames`"),
            ("fakesrc name=source ! appsink name=frames".to_owned(), "no `identity name=sample`"),
            (format!("fakesrc {ENDING}"), "no `name=source`"),
        ] {
            let error = Description::parse("own", &text).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
            assert!(error.contains("`own`"), "{error}");
        }
    }

    #[test]
    fn lists_of_gstreamer_are_not_slots() {
        let text = format!("fakesrc name=source ! video/x-raw,format={{ I420, NV12 }} {ENDING}");
        assert!(Description::parse("own", &text).is_ok());
    }

    #[test]
    fn the_built_in_ones_are_whole_and_a_file_of_the_same_name_wins() {
        for name in Description::built_in_names() {
            assert!(Description::built_in(name).is_some(), "{name}");
        }
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file.gst"), format!("mysrc name=source {ENDING}")).unwrap();
        fs::write(folder.path().join("own.gst"), format!("ownsrc name=source {ENDING}")).unwrap();
        let find = |name| Description::find(name, Some(folder.path()));
        assert!(find("file").unwrap().text.starts_with("mysrc"));
        assert!(find("own").unwrap().text.starts_with("ownsrc"));
        assert_eq!(find("rtsp-cpu").unwrap(), Description::built_in("rtsp-cpu").unwrap());
        let unknown = find("../own").unwrap_err().to_string();
        assert!(unknown.contains("no pipeline `../own`; known are `file`, `own`, `rtsp-cpu`"), "{unknown}");
    }
}
