//! Where each message goes: every topic of wader, in one place.

use crate::name::{CameraName, PromptName};

/// Why a text cannot stand before all topics.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// No text, or an empty level.
    #[error("the topic prefix `{0}` is empty or has an empty level; write one like `wader` or `site/wader`")]
    EmptyLevel(String),
    /// A wildcard, `$`, or a control character.
    #[error("the topic prefix `{prefix}` holds `{}`, which a topic to publish on cannot hold", .character.escape_debug())]
    Character {
        /// The whole text.
        prefix: String,
        /// The first character that cannot stand there.
        character: char,
    },
}

/// All topics below one prefix.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Topics {
    prefix: String,
}

impl Default for Topics {
    fn default() -> Self {
        Self { prefix: "wader".to_owned() }
    }
}

impl Topics {
    /// Topics below this prefix.
    pub fn new(prefix: &str) -> Result<Self, PrefixError> {
        if prefix.split('/').any(str::is_empty) {
            return Err(PrefixError::EmptyLevel(prefix.to_owned()));
        }
        if let Some(character) = prefix.chars().find(|&c| matches!(c, '+' | '#' | '$') || c.is_control()) {
            return Err(PrefixError::Character { prefix: prefix.to_owned(), character });
        }
        Ok(Self { prefix: prefix.to_owned() })
    }

    /// What stands before all topics.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// `online`, `offline` (last will) or `stopped`.
    pub fn status(&self) -> String {
        format!("{}/status", self.prefix)
    }
    /// A camera's `online`, `offline` or `disabled`.
    pub fn camera_status(&self, camera: &CameraName) -> String {
        format!("{}/{camera}/status", self.prefix)
    }
    /// The bare state.
    pub fn state(&self, camera: &CameraName, prompt: &PromptName) -> String {
        format!("{}/{camera}/{prompt}/state", self.prefix)
    }
    /// The whole answer.
    pub fn answer(&self, camera: &CameraName, prompt: &PromptName) -> String {
        format!("{}/{camera}/{prompt}/answer", self.prefix)
    }
    /// Transitions.
    pub fn event(&self, camera: &CameraName, prompt: &PromptName) -> String {
        format!("{}/{camera}/{prompt}/event", self.prefix)
    }
    /// The newest frame the model judged.
    pub fn image(&self, camera: &CameraName, prompt: &PromptName) -> String {
        format!("{}/{camera}/{prompt}/image", self.prefix)
    }
    /// Whether the camera is watched.
    pub fn camera_enabled(&self, camera: &CameraName) -> String {
        format!("{}/{camera}/enabled", self.prefix)
    }
    /// Where others say whether the camera is to be watched.
    pub fn camera_enabled_set(&self, camera: &CameraName) -> String {
        format!("{}/{camera}/enabled/set", self.prefix)
    }
    /// Whether the prompt is asked.
    pub fn enabled(&self, camera: &CameraName, prompt: &PromptName) -> String {
        format!("{}/{camera}/{prompt}/enabled", self.prefix)
    }
    /// Where others say whether the prompt is to be asked.
    pub fn enabled_set(&self, camera: &CameraName, prompt: &PromptName) -> String {
        format!("{}/{camera}/{prompt}/enabled/set", self.prefix)
    }
    /// Where others ask.
    pub fn ask(&self, camera: &CameraName) -> String {
        format!("{}/{camera}/ask", self.prefix)
    }
    /// Where an ask that names no response topic is answered.
    pub fn ask_answer(&self, camera: &CameraName) -> String {
        format!("{}/{camera}/ask/answer", self.prefix)
    }
    /// Below it others may have what they ask answered, each on a topic of its own.
    pub fn responses(&self) -> String {
        format!("{}/response", self.prefix)
    }
    /// Reads the topic of a question: the camera's name as it stands there.
    pub fn ask_of<'a>(&self, topic: &'a str) -> Option<&'a str> {
        let name = topic.strip_prefix(&self.prefix)?.strip_prefix('/')?.strip_suffix("/ask")?;
        (!name.contains('/')).then_some(name)
    }
    /// Where others say whether an answer was right.
    pub fn feedback(&self) -> String {
        format!("{}/feedback", self.prefix)
    }
    /// Where others add a standing prompt of this name.
    pub fn new_prompt(&self, prompt: &PromptName) -> String {
        format!("{}/prompts/{prompt}/set", self.prefix)
    }
    /// Reads the topic of a new prompt: its name as it stands there.
    pub fn new_prompt_of<'a>(&self, topic: &'a str) -> Option<&'a str> {
        let name = topic.strip_prefix(&self.prefix)?.strip_prefix("/prompts/")?.strip_suffix("/set")?;
        (!name.contains('/')).then_some(name)
    }
    /// What went wrong, with a stable code.
    pub fn error(&self) -> String {
        format!("{}/error", self.prefix)
    }
    /// What runs here: version and model.
    pub fn about(&self) -> String {
        format!("{}/about", self.prefix)
    }
    /// The levels of a topic below the prefix.
    pub fn levels<'a>(&self, topic: &'a str) -> Option<Vec<&'a str>> {
        Some(topic.strip_prefix(&self.prefix)?.strip_prefix('/')?.split('/').collect())
    }
    /// This service's name among the devices of Home Assistant, where only letters, digits, `_` and `-` may stand.
    pub fn device(&self) -> String {
        self.prefix.replace(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-', "_")
    }
    /// A camera's name among the devices of Home Assistant.
    pub fn camera_device(&self, camera: &CameraName) -> String {
        format!("{}_{camera}", self.device())
    }
    /// The service as a device of Home Assistant, which listens below this prefix.
    pub fn discovery(&self, homeassistant: &str) -> String {
        format!("{homeassistant}/device/{}/config", self.device())
    }
    /// A camera as a device of Home Assistant, which listens below this prefix.
    pub fn camera_discovery(&self, homeassistant: &str, camera: &CameraName) -> String {
        format!("{homeassistant}/device/{}/config", self.camera_device(camera))
    }
    /// The topics on which others tell this service what to do.
    pub fn commands(&self) -> [String; 5] {
        ["+/enabled/set", "+/+/enabled/set", "+/ask", "feedback", "prompts/+/set"]
            .map(|filter| format!("{}/{filter}", self.prefix))
    }
    /// Reads the topic of a command: the names of the camera and, where it is about one, of the prompt, as they stand
    /// there.
    pub fn enabled_set_of<'a>(&self, topic: &'a str) -> Option<(&'a str, Option<&'a str>)> {
        let names = topic.strip_prefix(&self.prefix)?.strip_prefix('/')?.strip_suffix("/enabled/set")?;
        match names.split_once('/') {
            None => Some((names, None)),
            Some((camera, prompt)) => (!prompt.contains('/')).then_some((camera, Some(prompt))),
        }
    }
    /// Every topic that holds a retained value about this prompt: what to clear when the prompt is gone.
    pub fn retained_of_prompt(&self, camera: &CameraName, prompt: &PromptName) -> [String; 4] {
        [
            self.state(camera, prompt),
            self.answer(camera, prompt),
            self.image(camera, prompt),
            self.enabled(camera, prompt),
        ]
    }
    /// Every topic that holds a retained value about this camera itself; that of its discovery is another's.
    pub fn retained_of_camera(&self, camera: &CameraName) -> [String; 2] {
        [self.camera_status(camera), self.camera_enabled(camera)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_those_of_the_handbook() {
        let topics = Topics::default();
        let camera = CameraName::new("door").unwrap();
        let prompt = PromptName::new("person").unwrap();
        let all = [
            topics.status(),
            topics.camera_status(&camera),
            topics.state(&camera, &prompt),
            topics.answer(&camera, &prompt),
            topics.event(&camera, &prompt),
            topics.image(&camera, &prompt),
            topics.enabled(&camera, &prompt),
            topics.enabled_set(&camera, &prompt),
            topics.ask(&camera),
            topics.ask_answer(&camera),
            topics.feedback(),
            topics.error(),
            topics.camera_enabled(&camera),
            topics.camera_enabled_set(&camera),
            topics.about(),
            topics.discovery("homeassistant"),
            topics.camera_discovery("homeassistant", &camera),
        ];
        let expected = "wader/status wader/door/status wader/door/person/state wader/door/person/answer \
            wader/door/person/event wader/door/person/image wader/door/person/enabled wader/door/person/enabled/set \
            wader/door/ask wader/door/ask/answer wader/feedback wader/error wader/door/enabled wader/door/enabled/set \
            wader/about homeassistant/device/wader/config homeassistant/device/wader_door/config";
        assert_eq!(all.join(" "), expected);
        assert_eq!(Topics::new("site.a/wader").unwrap().camera_device(&camera), "site_a_wader_door");
    }

    #[test]
    fn a_command_says_by_its_topic_what_it_is_about() {
        let topics = Topics::new("site/wader").unwrap();
        for (topic, names) in [
            ("site/wader/door/enabled/set", Some(("door", None))),
            ("site/wader/door/person/enabled/set", Some(("door", Some("person")))),
            ("site/wader/door/person/enabled", None),
            ("site/wader/a/b/c/enabled/set", None),
            ("site/waderdoor/enabled/set", None),
            ("wader/door/enabled/set", None),
        ] {
            assert_eq!(topics.enabled_set_of(topic), names, "{topic}");
        }
    }

    #[test]
    fn a_new_prompt_is_named_by_its_topic() {
        let topics = Topics::new("site/wader").unwrap();
        let dark = PromptName::new("dark").unwrap();
        assert_eq!(topics.new_prompt_of(&topics.new_prompt(&dark)), Some("dark"));
        // a camera may have any name
        for other in
            ["site/wader/prompts/enabled/set/x", "site/wader/prompts/dark/enabled/set", "site/wader/door/dark/set"]
        {
            assert_eq!(topics.new_prompt_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_prefix_with_a_wildcard_or_an_empty_level_says_so() {
        assert_eq!(Topics::new("site/wader").unwrap().status(), "site/wader/status");
        for (prefix, says) in [
            ("", "the topic prefix `` is empty or has an empty level; write one like `wader` or `site/wader`"),
            ("/a", "the topic prefix `/a` is empty or has an empty level; write one like `wader` or `site/wader`"),
            ("a/#", "the topic prefix `a/#` holds `#`, which a topic to publish on cannot hold"),
            ("$SYS", "the topic prefix `$SYS` holds `$`, which a topic to publish on cannot hold"),
        ] {
            assert_eq!(Topics::new(prefix).unwrap_err().to_string(), says);
        }
    }
}
