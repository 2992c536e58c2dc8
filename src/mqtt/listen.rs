//! A subscriber with a connection of its own: what anybody else would see of what we publish.

use rumqttc::{AsyncClient, Event, EventLoop, Packet, PublishOptions, PublishProperties, QoS, SubscribeReasonCode};

use super::{Access, Arrival, Error, arrival::arrival, client::options};

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
