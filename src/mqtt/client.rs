//! Keeps the connection to the broker, and empties the outbox through it.
//!
//! One connection is one event loop of the library, made anew each time: what the library would remember of a lost
//! connection is forgotten on purpose, because the outbox knows it better. Only this file and `listen.rs` name the
//! library.

use std::{
    collections::HashSet,
    fs, future, io,
    path::PathBuf,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use futures_util::stream::{FuturesUnordered, StreamExt};
use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, DisconnectReasonCode, Event, EventLoop, LastWill, MqttOptions,
    Packet, PersistedAckMode, PersistedSession, PubAckReason, PublishNoticeError, PublishOptions, PublishProperties,
    PublishResult, QoS, SessionStore, SessionStoreError, SessionStoreKey, StateError, SubscribeFilterInput,
    SubscribeReasonCode, TlsConfiguration, Transport,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};
use tracing::debug;

use super::{
    Access, AccessError, Arrival, Handle, Link, Message, ServiceStatus, Topics,
    handle::Shared,
    listen::arrival,
    outbox::{Limits, Next, Ticket},
};
use crate::{
    frame::Stamp,
    supervise::{Backoff, Stop},
    telemetry::Event as Notice,
};

/// How to be connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// The broker.
    pub access: Access,
    /// The names of all topics.
    pub topics: Topics,
    /// The name under which the broker knows this service, also after a restart. Two with one name end each other's
    /// connections.
    pub client_id: String,
    /// A silent broker is asked for a sign of life this often; whole seconds, 1 at least.
    pub keep_alive: Duration,
    /// How long the broker keeps this client's session when it is away.
    pub session_expiry: Duration,
    /// A connection over which nothing was acknowledged for so long, while something should be, is given up.
    pub acknowledge_within: Duration,
    /// How long a stop may take to send what still waits.
    pub stop_within: Duration,
    /// The first and the longest wait between two connections.
    pub retry: (Duration, Duration),
    /// The wait after the broker has refused user or password, so that it does not lock them.
    pub retry_refused: Duration,
    /// The outbox.
    pub limits: Limits,
}

impl Spec {
    /// A connection to this broker, under this client name, with the defaults for all else.
    pub fn new(access: Access, client_id: impl Into<String>) -> Self {
        Self {
            access,
            topics: Topics::default(),
            client_id: client_id.into(),
            keep_alive: Duration::from_secs(15),
            session_expiry: Duration::from_secs(3600),
            acknowledge_within: Duration::from_secs(20),
            stop_within: Duration::from_secs(2),
            retry: (Duration::from_secs(1), Duration::from_secs(30)),
            retry_refused: Duration::from_secs(24 * 60),
            limits: Limits::default(),
        }
    }
}

/// Why there is no connection (any more).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address and what belongs to it.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// A certificate file.
    #[error("cannot read the certificate file `{path}`")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The broker knows neither user nor password, or does not want them.
    #[error("the broker `{broker}` refuses this user and password ({code})")]
    Credentials {
        /// The broker.
        broker: String,
        /// Its reason.
        code: String,
    },
    /// It did not come about, or ended.
    #[error("no connection to the broker `{broker}`")]
    Connection {
        /// The broker.
        broker: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It stands, but the broker says nothing.
    #[error("the broker `{broker}` has acknowledged nothing for {} s", .waited.as_secs())]
    Silent {
        /// The broker.
        broker: String,
        /// For how long.
        waited: Duration,
    },
}

impl Error {
    /// The error and its causes, on one line.
    fn chain(&self) -> String {
        let causes = std::iter::successors(std::error::Error::source(self), |error| error.source());
        causes.fold(self.to_string(), |line, cause| format!("{line}: {cause}"))
    }
}

/// A connection that lasted so long was a good one.
const STEADY: Duration = Duration::from_secs(10);
/// How long the last word before a stop may take.
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);

/// Brings the outbox to the broker, and what others say back from there.
#[derive(Debug)]
pub struct Publisher {
    spec: Spec,
    shared: Arc<Shared>,
    ear: Option<Ear>,
}

/// What is listened for, and where it goes.
#[derive(Debug)]
struct Ear {
    filters: Vec<String>,
    arrivals: mpsc::Sender<Arrival>,
}

impl Publisher {
    /// A publisher with an empty outbox, and the handle to fill it.
    pub fn new(spec: Spec) -> Result<(Self, Handle), Error> {
        spec.access.check()?;
        let shared = Arc::new(Shared::new(spec.limits));
        Ok((Self { spec, shared: Arc::clone(&shared), ear: None }, Handle(shared)))
    }

    /// Also subscribes to these topic filters, on each connection. At most `room` arrivals wait to be taken; more are
    /// dropped and counted ([`Handle::unheard`]), so that whoever floods these topics holds up nothing.
    #[must_use]
    pub fn hearing(self, filters: Vec<String>, room: usize) -> (Self, mpsc::Receiver<Arrival>) {
        let (arrivals, receiver) = mpsc::channel(room);
        (Self { ear: Some(Ear { filters, arrivals }), ..self }, receiver)
    }

    /// Connects, and connects again after each loss, until `stop` is given; then sends what still waits.
    pub async fn run(self, stop: &Stop) {
        let (first, longest) = self.spec.retry;
        let mut backoff = Backoff::new(first, longest);
        let mut refused = Backoff::new(self.spec.retry_refused, self.spec.retry_refused);
        // An outage is said once, not at each try.
        let mut said = None;
        while !stop.is_given() {
            let began = Instant::now();
            let Err(error) = self.connect_once(stop).await else { break };
            // A connection that ends at once, time after time, is no success.
            if began.elapsed() > STEADY {
                backoff.reset();
                said = None;
            }
            let draw = fastrand::f64();
            let wait = if matches!(error, Error::Credentials { .. }) { refused.next(draw) } else { backoff.next(draw) };
            let error = error.chain();
            if said.as_ref() == Some(&error) {
                debug!(error, retry_in = ?wait, "still no connection to the broker");
            } else {
                Notice::BrokerLost { broker: &self.broker(), reason: &error, retry_in: wait }.emit();
                said = Some(error.clone());
            }
            self.shared.link.send_replace(Link::Away { error, retry_in: wait });
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stop.given() => {}
            }
        }
        let left = self.shared.outbox().len();
        if left > 0 {
            let reason = "stopped before the broker had taken them";
            Notice::OutboxDropped { messages: left as u64, reason }.emit();
        }
        self.shared.link.send_replace(Link::Stopped);
    }

    /// Runs one connection: to its end, which is an error, or to the stop, which is none.
    pub async fn connect_once(&self, stop: &Stop) -> Result<(), Error> {
        let mut options = options(&self.spec.access, &self.spec.client_id)?;
        let will =
            LastWill::new(self.spec.topics.status(), ServiceStatus::Offline.word(), QoS::AtLeastOnce, true, None);
        let keep_alive = u16::try_from(self.spec.keep_alive.as_secs()).unwrap_or(u16::MAX).max(1);
        let session_expiry = seconds(self.spec.session_expiry);
        // All that may be under way, the subscription, the two statuses, and the goodbye.
        let room = u16::try_from(self.spec.limits.in_flight).unwrap_or(u16::MAX).saturating_add(4);
        options
            .set_last_will(will)
            .set_keep_alive(keep_alive)
            .set_clean_start(false)
            .set_session_expiry_interval(Some(session_expiry))
            // The library looks through a table of this size at each packet; the broker's limit can be 65 535.
            .set_outgoing_inflight_upper_limit(room)
            .set_session_store(NothingUnderWay { session_expiry, room });
        let (client, mut events) = AsyncClient::builder(options).capacity(usize::from(room)).build();
        let (tell, connected) = oneshot::channel();
        let result = {
            let mut drive = pin!(self.drive(&mut events, tell));
            tokio::select! {
                error = &mut drive => Err(self.connection_error(error)),
                result = self.feed(&client, connected, stop) => match result {
                    Ok(Ended::BeforeConnected) => Ok(()),
                    Ok(Ended::Connected) => {
                        self.leave(&client, drive).await;
                        Ok(())
                    }
                    Err(error) => Err(error),
                },
            }
        };
        self.shared.outbox().connection_lost();
        result
    }

    /// Sends what waits and takes acknowledgements, until the connection hangs or `stop` is given.
    async fn feed(
        &self,
        client: &AsyncClient,
        connected: oneshot::Receiver<Connected>,
        stop: &Stop,
    ) -> Result<Ended, Error> {
        let connected = tokio::select! {
            Ok(connected) = connected => connected,
            () = stop.given() => return Ok(Ended::BeforeConnected),
        };
        Notice::BrokerConnected { broker: &self.broker() }.emit();
        self.shared.link.send_replace(Link::Connected);
        self.shared.outbox().connected(!connected.session_present, Stamp::now());
        self.subscribe(client)?;
        self.publish_status(client, ServiceStatus::Online)?;
        let mut warned = HashSet::new();
        let mut acknowledgements = FuturesUnordered::new();
        let mut silent_at = Instant::now() + self.spec.acknowledge_within;
        let mut give_up_at = None;
        loop {
            while let Some(next) = self.next(connected.largest) {
                let (ticket, message) = match next {
                    Next::Send(ticket, message) => (ticket, message),
                    Next::TooLarge { topic, size } => {
                        if warned.insert(Arc::clone(&topic)) {
                            let reason = format!("of {size} bytes; the broker takes {}", connected.largest);
                            Notice::MessageDropped { topic: &topic, reason: &reason }.emit();
                        }
                        continue;
                    }
                };
                if acknowledgements.is_empty() {
                    silent_at = Instant::now() + self.spec.acknowledge_within;
                }
                let notice = client
                    .try_publish_tracked(message.topic.to_string(), message.payload.clone(), publish_options(&message))
                    .map_err(|error| self.broken(error))?;
                acknowledgements.push(async move { (ticket, notice.wait_async().await) });
            }
            if give_up_at.is_some() && acknowledgements.is_empty() {
                return Ok(Ended::Connected);
            }
            tokio::select! {
                Some((ticket, result)) = acknowledgements.next() => {
                    silent_at = Instant::now() + self.spec.acknowledge_within;
                    self.acknowledge(ticket, result, &mut warned)?;
                }
                () = self.shared.offered.notified() => {}
                () = sleep_until(silent_at), if !acknowledgements.is_empty() => {
                    return Err(Error::Silent { broker: self.broker(), waited: self.spec.acknowledge_within });
                }
                () = stop.given(), if give_up_at.is_none() => give_up_at = Some(Instant::now() + self.spec.stop_within),
                () = sleep_until(give_up_at.unwrap_or(silent_at)), if give_up_at.is_some() => {
                    return Ok(Ended::Connected);
                }
            }
        }
    }

    fn next(&self, largest: usize) -> Option<Next> {
        self.shared.outbox().next(Stamp::now(), largest)
    }

    fn acknowledge(
        &self,
        ticket: Ticket,
        result: Result<PublishResult, PublishNoticeError>,
        warned: &mut HashSet<Arc<str>>,
    ) -> Result<(), Error> {
        let reason = match result {
            Ok(PublishResult::Qos1(ack))
                if !matches!(ack.reason, PubAckReason::Success | PubAckReason::NoMatchingSubscribers) =>
            {
                format!("{:?}", ack.reason)
            }
            Ok(_) => {
                self.shared.arrived(ticket);
                return Ok(());
            }
            Err(error @ PublishNoticeError::RetainNotSupported) => error.to_string(),
            // The library gave it up; the message goes back to the outbox with all others under way.
            Err(error) => return Err(self.broken(error)),
        };
        if let Some(topic) = self.shared.outbox().refused(ticket)
            && warned.insert(Arc::clone(&topic))
        {
            Notice::MessageDropped { topic: &topic, reason: &format!("the broker refuses it: {reason}") }.emit();
        }
        Ok(())
    }

    /// Publishes that this service was stopped, and ends the connection in order: else the broker would publish the
    /// last will.
    async fn leave(&self, client: &AsyncClient, drive: impl Future<Output = ConnectionError>) {
        let said = self.publish_status(client, ServiceStatus::Stopped);
        let asked = client.try_disconnect_with_timeout(GOODBYE_WITHIN);
        if let (Ok(()), Ok(())) = (said, asked)
            && let Ok(ConnectionError::RequestsDone) = tokio::time::timeout(GOODBYE_WITHIN, drive).await
        {
            debug!("disconnected from the broker");
        } else {
            Notice::StopLate { task: "the broker's leave" }.emit();
        }
    }

    /// Also where the broker has kept the session: an older wader may have left it, with other topics.
    ///
    /// Whoever says something that the broker is to keep is seen to do so even while we listen: what is kept would be
    /// obeyed again at each start.
    fn subscribe(&self, client: &AsyncClient) -> Result<(), Error> {
        let Some(ear) = &self.ear else { return Ok(()) };
        let filters = ear.filters.iter();
        let filters = filters.map(|filter| SubscribeFilterInput::new(filter, QoS::AtLeastOnce).preserve_retain(true));
        client.try_subscribe_many(filters).map_err(|error| self.broken(error))
    }

    /// Keeps the library's event loop going until the connection ends, by `RequestsDone` where we ended it.
    async fn drive(&self, events: &mut EventLoop, tell: oneshot::Sender<Connected>) -> ConnectionError {
        let mut tell = Some(tell);
        loop {
            match events.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(ack))) => {
                    let largest = ack.properties.and_then(|properties| properties.max_packet_size);
                    let largest = largest.map_or(usize::MAX, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
                    let connected = Connected { session_present: ack.session_present, largest };
                    // Nobody listens where the stop was given in this moment; the caller ends this loop then.
                    tell.take().and_then(|tell| tell.send(connected).err());
                }
                Ok(Event::Incoming(Packet::Publish(publish))) => self.hear(arrival(publish)),
                Ok(Event::Incoming(Packet::SubAck(ack))) => self.subscribed(&ack.return_codes),
                Ok(_) => {}
                Err(error) => return error,
            }
        }
    }

    fn hear(&self, arrival: Arrival) {
        let Some(Ear { arrivals, .. }) = &self.ear else { return };
        if let Err(mpsc::error::TrySendError::Full(arrival)) = arrivals.try_send(arrival) {
            let total = self.shared.count_unheard();
            Notice::ArrivalDropped { topic: &arrival.topic, total }.emit();
        }
    }

    /// A broker that does not let us hear is told of, and answers go out as ever.
    fn subscribed(&self, codes: &[SubscribeReasonCode]) {
        let filters = self.ear.iter().flat_map(|ear| &ear.filters);
        for (filter, code) in filters.zip(codes) {
            if !matches!(code, SubscribeReasonCode::Success(_)) {
                let reason = format!("{code:?}");
                Notice::SubscriptionRefused { broker: &self.broker(), filter, reason: &reason }.emit();
            }
        }
    }

    /// Not through the outbox: whether the service is connected is true of this connection only.
    fn publish_status(&self, client: &AsyncClient, status: ServiceStatus) -> Result<(), Error> {
        let options = PublishOptions::at_least_once().retained();
        let published = client.try_publish(self.spec.topics.status(), status.word(), options);
        published.map_err(|error| self.broken(error))
    }

    fn broker(&self) -> String {
        self.spec.access.to_string()
    }

    fn broken(&self, source: impl std::error::Error + Send + Sync + 'static) -> Error {
        Error::Connection { broker: self.broker(), source: Box::new(source) }
    }

    fn connection_error(&self, error: ConnectionError) -> Error {
        if too_large(&error)
            && let Some(topic) = self.shared.outbox().give_up_largest()
        {
            Notice::MessageDropped { topic: &topic, reason: "the broker ended the connection because of its size" }
                .emit();
        }
        match error {
            ConnectionError::ConnectionRefused(
                code @ (ConnectReturnCode::BadUserNamePassword
                | ConnectReturnCode::NotAuthorized
                | ConnectReturnCode::BadAuthenticationMethod
                | ConnectReturnCode::Banned),
            ) => Error::Credentials { broker: self.broker(), code: format!("{code:?}") },
            error => self.broken(error),
        }
    }
}

/// How a connection stood when the stop was given.
#[derive(Debug, Clone, Copy)]
enum Ended {
    BeforeConnected,
    Connected,
}

/// What the broker said when it took the connection.
#[derive(Debug, Clone, Copy)]
struct Connected {
    session_present: bool,
    largest: usize,
}

/// What the library is told it remembers of the session that the broker kept: that nothing was under way.
///
/// The session is for what others send us while we are away. What we send, the outbox remembers, and it sends again
/// with QoS 1 whatever was not acknowledged. Without this the library refuses to send anything over a kept session.
#[derive(Debug, Clone, Copy)]
struct NothingUnderWay {
    session_expiry: u32,
    room: u16,
}

type Stored<'a, T> = Pin<Box<dyn Future<Output = Result<T, SessionStoreError>> + Send + 'a>>;

impl SessionStore for NothingUnderWay {
    fn load<'a>(&'a self, key: &'a SessionStoreKey) -> Stored<'a, Option<PersistedSession>> {
        let session = PersistedSession {
            format_version: 1,
            client_id: key.client_id().to_owned(),
            clean_start: false,
            session_expiry_interval: Some(self.session_expiry),
            outgoing_inflight_upper_limit: Some(self.room),
            ack_mode: PersistedAckMode::Automatic,
            last_pkid: 0,
            last_puback: 0,
            replay: Vec::new(),
            incoming_qos2: Vec::new(),
        };
        Box::pin(future::ready(Ok(Some(session))))
    }
    fn save<'a>(&'a self, _: &'a SessionStoreKey, _: &'a PersistedSession) -> Stored<'a, ()> {
        Box::pin(future::ready(Ok(())))
    }
    fn clear<'a>(&'a self, _: &'a SessionStoreKey) -> Stored<'a, ()> {
        Box::pin(future::ready(Ok(())))
    }
}

/// Whether the broker complains of a packet's size.
fn too_large(error: &ConnectionError) -> bool {
    /// MQTT 5 reason "packet too large"; mosquitto also acknowledges with it, which the library takes for nonsense.
    const PACKET_TOO_LARGE: u8 = 0x95;
    match error {
        ConnectionError::MqttState(StateError::OutgoingPacketTooLarge { .. }) => true,
        ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, .. }) => {
            *reason_code == DisconnectReasonCode::PacketTooLarge
        }
        ConnectionError::MqttState(StateError::Deserialization(rumqttc::Error::InvalidConnectReturnCode(code))) => {
            *code == PACKET_TOO_LARGE
        }
        _ => false,
    }
}

fn publish_options(message: &Message) -> PublishOptions {
    let properties = PublishProperties {
        payload_format_indicator: message.content.mime().map(|_| 1),
        message_expiry_interval: message.expiry.map(seconds),
        content_type: message.content.mime().map(str::to_owned),
        correlation_data: message.correlation.clone(),
        ..PublishProperties::default()
    };
    PublishOptions::at_least_once().retain(message.retain).properties(properties)
}

/// Whole seconds, rounded up: nothing expires before its time.
fn seconds(duration: Duration) -> u32 {
    let seconds = duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0));
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

/// The library's options for this way to the broker. Reads the certificates anew, since they may have been renewed.
pub(super) fn options(access: &Access, client_id: &str) -> Result<MqttOptions, Error> {
    access.check()?;
    let mut options = MqttOptions::new(client_id, (access.host(), access.port()));
    // Answers are small and must not wait for company.
    let mut network = options.network_options();
    network.set_tcp_nodelay(true);
    options.set_network_options(network);
    if access.host().contains(':') {
        // The library would take an IPv6 address' last part for the port.
        let address = format!("[{}]:{}", access.host(), access.port());
        options.set_socket_connector(move |_, network| rumqttc::default_socket_connect(address.clone(), network));
    }
    // What others send is bounded where it is read; the library's own 10 KiB would end the connection.
    options.set_max_packet_size(Some(1 << 20));
    if let Some(login) = access.login() {
        options.set_credentials(login.user.clone(), login.password.clone());
    }
    if access.is_tls() {
        options.set_transport(Transport::tls_with_config(tls(access)?));
    }
    Ok(options)
}

fn tls(access: &Access) -> Result<TlsConfiguration, Error> {
    let read =
        |path: &std::path::Path| fs::read(path).map_err(|source| Error::Certificate { path: path.to_owned(), source });
    let Some(ca) = access.ca() else {
        return TlsConfiguration::try_default_rustls()
            .map_err(|error| Error::Connection { broker: access.to_string(), source: Box::new(error) });
    };
    let client_auth = match access.client_certificate() {
        Some((certificate, key)) => Some((read(certificate)?, read(key)?)),
        None => None,
    };
    Ok(TlsConfiguration::Simple { ca: read(ca)?, alpn: None, client_auth })
}
