//! What may be called what: the names of cameras and prompts, which stand in configs, topics and logs.

use std::{fmt, sync::Arc};

/// The longest name: it must leave room in an MQTT topic and a Home Assistant entity id.
pub const MAX_LENGTH: usize = 48;

/// Words that stand where a camera's or prompt's name would stand in a topic, and so cannot be names.
pub const RESERVED: [&str; 8] = ["status", "error", "feedback", "ask", "about", "enabled", "response", "prompts"];

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is empty.
    #[error("a name cannot be empty")]
    Empty,
    /// The text is longer than [`MAX_LENGTH`].
    #[error("`{0}` is longer than {MAX_LENGTH} characters")]
    TooLong(String),
    /// A character is not one of `a-z`, `0-9`, `_`, `-`.
    #[error("`{name}` holds `{character}`; names are made of a-z, 0-9, `_` and `-`{}", suggest(.name))]
    Character {
        /// The whole text.
        name: String,
        /// The first character that may not stand in a name.
        character: char,
    },
    /// The word has a meaning of its own in topics.
    #[error("`{0}` is a word of wader's own topics; choose another name")]
    Reserved(String),
}

fn suggest(name: &str) -> String {
    let slug: String = name.to_lowercase().chars().map(|c| if is_name_character(c) { c } else { '_' }).collect();
    format!(": `{slug}` would do")
}

fn is_name_character(c: char) -> bool {
    matches!(c, 'a'..='z' | '0'..='9' | '_' | '-')
}

fn check(text: &str) -> Result<Arc<str>, NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > MAX_LENGTH {
        return Err(NameError::TooLong(text.to_owned()));
    }
    if let Some(character) = text.chars().find(|&c| !is_name_character(c)) {
        return Err(NameError::Character { name: text.to_owned(), character });
    }
    if RESERVED.contains(&text) {
        return Err(NameError::Reserved(text.to_owned()));
    }
    Ok(text.into())
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $type(Arc<str>);

        impl $type {
            /// Checks a text and makes it a name.
            pub fn new(text: &str) -> Result<Self, NameError> {
                check(text).map(Self)
            }
            /// The text of the name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// The name of a camera.
    CameraName
);
name!(
    /// The name of a standing prompt.
    PromptName
);

impl PromptName {
    /// The name of a question that is asked once; no standing prompt can have it.
    pub fn asked() -> Self {
        Self("ask".into())
    }
}

impl CameraName {
    /// What stands for the camera where a file is looked at instead.
    pub fn of_a_file() -> Self {
        Self("file".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_a_name_and_anything_else_says_why() {
        assert_eq!(CameraName::new("front_door-2").unwrap().as_str(), "front_door-2");
        for (bad, says) in [
            ("", "a name cannot be empty"),
            ("Front Door", "`Front Door` holds `F`; names are made of a-z, 0-9, `_` and `-`: `front_door` would do"),
            ("a/b", "`a/b` holds `/`; names are made of a-z, 0-9, `_` and `-`: `a_b` would do"),
            ("ask", "`ask` is a word of wader's own topics; choose another name"),
        ] {
            assert_eq!(PromptName::new(bad).unwrap_err().to_string(), says);
        }
    }
}
