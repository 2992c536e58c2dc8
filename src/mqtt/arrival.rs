//! A message as it arrives, whoever listened for it.

use std::time::Duration;

use bytes::Bytes;
use rumqttc::Publish;

use crate::frame::Stamp;

/// A message that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// Where.
    pub topic: String,
    /// What.
    pub payload: Bytes,
    /// Whether the broker had kept it since before we subscribed; for [`Publisher::hearing`](super::Publisher::hearing)
    /// also whether it is kept from now on.
    pub retained: bool,
    /// Its content type.
    pub content_type: Option<String>,
    /// Whether the payload is declared to be UTF-8.
    pub is_text: bool,
    /// What is left of its time.
    pub expiry: Option<Duration>,
    /// Where its sender wants to be answered.
    pub response_topic: Option<String>,
    /// What its sender will know the answer by.
    pub correlation: Option<Bytes>,
    /// When it was read from the connection.
    pub arrived: Stamp,
}

impl Arrival {
    /// The payload as text; bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.payload).into_owned()
    }
}

/// What the library read from a connection just now.
pub(super) fn arrival(publish: Publish) -> Arrival {
    let properties = publish.properties.unwrap_or_default();
    Arrival {
        topic: String::from_utf8_lossy(&publish.topic).into_owned(),
        payload: publish.payload,
        retained: publish.retain,
        content_type: properties.content_type,
        is_text: properties.payload_format_indicator == Some(1),
        expiry: properties.message_expiry_interval.map(|s| Duration::from_secs(u64::from(s))),
        response_topic: properties.response_topic,
        correlation: properties.correlation_data,
        arrived: Stamp::now(),
    }
}

/// The longest topic, in bytes, that others may choose, and the most levels of it: no more than brokers allow, which end the
/// connection of whoever publishes on another.
pub const LONGEST_TOPIC: usize = 256;
/// As [`LONGEST_TOPIC`].
pub const MOST_LEVELS: usize = 16;

/// Whether a topic filter, with its wildcards, covers a topic that may be published on.
pub fn covers(filter: &str, topic: &str) -> bool {
    // as for length, so for a character like these
    let is_plain = !topic.is_empty() && !topic.contains(char::is_control);
    let is_plain = is_plain && topic.len() <= LONGEST_TOPIC && topic.split('/').count() <= MOST_LEVELS;
    is_plain && rumqttc::valid_topic(topic) && rumqttc::valid_filter(filter) && rumqttc::matches(topic, filter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_wildcard_and_no_control_character_is_a_topic_to_answer_on() {
        for topic in ["wader/response/a", "wader/response"] {
            assert!(covers("wader/response/#", topic), "{topic}");
        }
        for topic in
            ["", "wader/response/+", "wader/response/#", "wader/response/a\0", "wader/response/a\n", "wader/state"]
        {
            assert!(!covers("wader/response/#", topic), "{topic:?}");
        }
        for (part, fits) in [("/a", MOST_LEVELS - 2), ("a", LONGEST_TOPIC - "wader/response/".len())] {
            let topic = |parts| format!("wader/response/{}", part.repeat(parts)).replace("//", "/");
            assert!(covers("wader/response/#", &topic(fits)), "{}", topic(fits));
            assert!(!covers("wader/response/#", &topic(fits + 1)), "{}", topic(fits + 1));
        }
    }
}
