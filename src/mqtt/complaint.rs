//! What is said on the error topic: a stable code for programs, a sentence for people.

/// What went wrong; the words are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// A command's payload is none that it knows.
    BadPayload,
    /// A question is to be answered on a topic where that is not allowed.
    BadResponseTopic,
    /// A camera is asked about more often than is allowed.
    TooMany,
    /// A command came as a message that the broker keeps; it would be obeyed again at each start.
    RetainedCommand,
    /// A command names a camera that is not configured.
    UnknownCamera,
    /// A command names a prompt that is not asked about this camera.
    UnknownPrompt,
    /// A command would enable what the configuration disables.
    DisabledInConfiguration,
    /// A command was obeyed, but will be forgotten at the next start.
    NotSaved,
    /// An answer was judged that is not known, or not any more.
    UnknownAnswer,
    /// A prompt cannot learn from what is said of its answers.
    NotTeachable,
    /// The configuration in the files was changed, and cannot be used.
    BadConfiguration,
    /// A new prompt is none that could stand in the configuration.
    BadPrompt,
    /// The configuration does not allow this to others.
    NotAllowed,
    /// Messages were given up before the broker had them.
    MessagesLost,
    /// What waits for the broker is in memory only: the disk does not take it.
    OutboxNotSaved,
    /// A prompt's answers owe nothing to the picture.
    NoEvidence,
    /// The accelerator failed; the message says what was done about it.
    ModelTrouble,
}

impl Code {
    /// All codes.
    pub const ALL: [Self; 17] = [
        Self::BadPayload,
        Self::BadResponseTopic,
        Self::TooMany,
        Self::RetainedCommand,
        Self::UnknownCamera,
        Self::UnknownPrompt,
        Self::DisabledInConfiguration,
        Self::NotSaved,
        Self::UnknownAnswer,
        Self::NotTeachable,
        Self::BadConfiguration,
        Self::BadPrompt,
        Self::NotAllowed,
        Self::MessagesLost,
        Self::OutboxNotSaved,
        Self::NoEvidence,
        Self::ModelTrouble,
    ];

    /// The word that is published.
    pub const fn word(self) -> &'static str {
        match self {
            Self::BadPayload => "bad_payload",
            Self::BadResponseTopic => "bad_response_topic",
            Self::TooMany => "too_many",
            Self::RetainedCommand => "retained_command",
            Self::UnknownCamera => "unknown_camera",
            Self::UnknownPrompt => "unknown_prompt",
            Self::DisabledInConfiguration => "disabled_in_configuration",
            Self::NotSaved => "not_saved",
            Self::UnknownAnswer => "unknown_answer",
            Self::NotTeachable => "not_teachable",
            Self::BadConfiguration => "bad_configuration",
            Self::BadPrompt => "bad_prompt",
            Self::NotAllowed => "not_allowed",
            Self::MessagesLost => "messages_lost",
            Self::OutboxNotSaved => "outbox_not_saved",
            Self::NoEvidence => "no_evidence",
            Self::ModelTrouble => "model_trouble",
        }
    }
}

/// Something that went wrong and that whoever caused it, or whoever runs this, should hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// For programs.
    pub code: Code,
    /// For people.
    pub message: String,
    /// The camera it is about, as the command named it: it may be no camera's name.
    pub camera: Option<String>,
    /// The prompt it is about, as the command named it.
    pub prompt: Option<String>,
    /// The question it is about, by the `id` that the asker gave it.
    pub id: Option<String>,
}

/// The most characters of a complaint's message, and of the name of what it is about: strangers write parts of both.
const LONGEST_MESSAGE: usize = 2000;
const LONGEST_NAME: usize = 64;
/// And of a library's complaint about what somebody wrote, which it quotes.
const LONGEST_LINE: usize = 400;

impl Complaint {
    /// One that is about no camera.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), camera: None, prompt: None, id: None }
    }

    /// The same, whatever was written by whoever it is about: not long, and without signs that move a terminal's cursor.
    #[must_use]
    pub fn bounded(&self) -> Self {
        let name = |name: &Option<String>| name.as_deref().map(|name| plain(name, LONGEST_NAME, false));
        Self {
            code: self.code,
            message: plain(&self.message, LONGEST_MESSAGE, true),
            camera: name(&self.camera),
            prompt: name(&self.prompt),
            id: name(&self.id),
        }
    }
}

/// A library's complaint about what somebody wrote: on one line, and not long.
pub fn in_a_line(complaint: &str) -> String {
    plain(complaint, LONGEST_LINE, false)
}

/// At most so many characters of a text, control characters escaped; line breaks where they may be.
fn plain(text: &str, longest: usize, lines: bool) -> String {
    let is_plain = |c: char| !c.is_control() || (lines && c == '\n');
    let cut = text.char_indices().nth(longest).map_or(text.len(), |(at, _)| at);
    if cut == text.len() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(cut);
    for c in text[..cut].chars() {
        if is_plain(c) { shown.push(c) } else { shown.extend(c.escape_default()) }
    }
    if cut < text.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strangers_wrote_is_told_in_few_plain_characters() {
        let said = |text: &str| Complaint { camera: Some(text.to_owned()), ..Complaint::new(Code::BadPayload, text) };
        let long = said(&"é\u{1b}[2J".repeat(100_000)).bounded();
        assert!(long.message.len() < 20_000 && long.camera.is_some_and(|camera| camera.chars().count() < 400));
        assert_eq!(said("one\ntwo\u{1b}").bounded().message, "one\ntwo\\u{1b}");
        assert_eq!(in_a_line("unknown field `a\nINFO all is well`"), "unknown field `a\\nINFO all is well`");
        assert_eq!(said("as it is").bounded(), said("as it is"));
    }

    #[test]
    fn the_schema_lists_every_code() {
        let schema: serde_json::Value = serde_json::from_str(super::super::wire::ERROR_JSON_SCHEMA).unwrap();
        let listed: Vec<_> = schema["properties"]["code"]["enum"].as_array().unwrap().iter().collect();
        assert_eq!(listed, Code::ALL.map(Code::word));
    }
}
