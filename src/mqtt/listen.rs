//! A subscriber with a connection of its own: what anybody else would see of what we publish.

use std::time::Duration;

use bytes::Bytes;
use rumqttc::{
    AsyncClient, Event, EventLoop, Packet, Publish, PublishOptions, PublishProperties, QoS, SubscribeReasonCode,
};

use super::{Access, Error, client::options};
use crate::frame::Stamp;

/// Why nothing more arrives.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The way to the broker.
    #[error(transparent)]
    Access(#[from] Error),
    /// The connection did not come about, or ended.
    #[error("no connection to the broker `{broker}`")]
    Connection {
        /// The broker.
        broker: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The broker does not let us read these topics.
    #[error("the broker `{broker}` refuses a subscription to `{filter}` ({code})")]
    Refused {
        /// The broker.
        broker: String,
        /// The topic filter.
        filter: String,
        /// Its reason.
        code: String,
    },
}

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

/// Whether a topic filter, with its wildcards, covers a topic that may be published on.
pub fn covers(filter: &str, topic: &str) -> bool {
    // a broker ends the connection of whoever publishes on a topic with such a character
    let is_plain = !topic.is_empty() && !topic.contains(char::is_control);
    is_plain && rumqttc::valid_topic(topic) && rumqttc::valid_filter(filter) && rumqttc::matches(topic, filter)
}

/// A subscription that stands.
pub struct Listener {
    broker: String,
    events: EventLoop,
    /// Kept, because the event loop ends with its last client.
    client: AsyncClient,
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener").field("broker", &self.broker).finish_non_exhaustive()
    }
}

impl Listener {
    /// Connects under a name of its own and subscribes to a topic filter; returns once the broker has confirmed it.
    pub async fn connect(access: &Access, filter: &str) -> Result<Self, ListenError> {
        let client_id = format!("wader-listen-{:016x}", fastrand::u64(..));
        let mut options = options(access, &client_id)?;
        // Images and long lists arrive whole.
        options.set_max_packet_size(Some(64 << 20));
        // It sends nothing but its subscription; the library's table is as large as this.
        options.set_outgoing_inflight_upper_limit(8);
        let (client, events) = AsyncClient::builder(options).capacity(4).build();
        let mut listener = Self { broker: access.to_string(), events, client };
        listener.client.try_subscribe(filter, QoS::AtLeastOnce).map_err(|error| listener.broken(error))?;
        loop {
            if let Packet::SubAck(ack) = listener.packet().await? {
                return match ack.return_codes.first() {
                    Some(SubscribeReasonCode::Success(_)) => Ok(listener),
                    code => Err(ListenError::Refused {
                        broker: listener.broker,
                        filter: filter.to_owned(),
                        code: format!("{code:?}"),
                    }),
                };
            }
        }
    }

    /// Asks on a topic, to be answered on another one, below which it listens. Returns before the broker has it.
    pub fn ask(&self, topic: &str, question: &[u8], response_topic: &str) -> Result<(), ListenError> {
        let properties =
            PublishProperties { response_topic: Some(response_topic.to_owned()), ..PublishProperties::default() };
        let options = PublishOptions::at_least_once().properties(properties);
        let asked = self.client.try_publish(topic, question.to_vec(), options);
        asked.map(|_| ()).map_err(|error| self.broken(error))
    }

    /// Waits for the next message. To be called again and again: between calls nothing is read, and after a while of
    /// that the broker ends the connection. Safe to cancel.
    pub async fn next(&mut self) -> Result<Arrival, ListenError> {
        loop {
            if let Packet::Publish(publish) = self.packet().await? {
                return Ok(arrival(publish));
            }
        }
    }

    async fn packet(&mut self) -> Result<Packet, ListenError> {
        loop {
            match self.events.poll().await {
                Ok(Event::Incoming(packet)) => return Ok(packet),
                Ok(Event::Outgoing(_) | Event::Auth(_)) => {}
                Err(error) => return Err(self.broken(error)),
            }
        }
    }

    fn broken(&self, source: impl std::error::Error + Send + Sync + 'static) -> ListenError {
        ListenError::Connection { broker: self.broker.clone(), source: Box::new(source) }
    }
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
    }
}
