//! What the library is told, and what its errors mean.

use std::{fs, future, pin::Pin, time::Duration};

use rumqttc::{
    ConnectionError, DisconnectReasonCode, LastWill, MqttOptions, PersistedAckMode, PersistedSession, PublishOptions,
    PublishProperties, QoS, SessionStore, SessionStoreError, SessionStoreKey, StateError, TlsConfiguration, Transport,
};

use super::{Error, Spec};
use crate::mqtt::{Access, Message, ServiceStatus};

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

/// The options of the service's own connection, and how many messages may be on their way in it.
pub(super) fn service_options(spec: &Spec) -> Result<(MqttOptions, usize), Error> {
    let mut options = options(&spec.access, &spec.client_id)?;
    let will = LastWill::new(spec.topics.status(), ServiceStatus::Offline.word(), QoS::AtLeastOnce, true, None);
    let keep_alive = u16::try_from(spec.keep_alive.as_secs()).unwrap_or(u16::MAX).max(1);
    let session_expiry = seconds(spec.session_expiry);
    // All that may be under way, the subscription, the two statuses, and the goodbye.
    let room = u16::try_from(spec.limits.in_flight).unwrap_or(u16::MAX).saturating_add(4);
    options
        .set_last_will(will)
        .set_keep_alive(keep_alive)
        .set_clean_start(false)
        .set_session_expiry_interval(Some(session_expiry))
        // The library looks through a table of this size at each packet; the broker's limit can be 65 535.
        .set_outgoing_inflight_upper_limit(room)
        .set_session_store(NothingUnderWay { session_expiry, room });
    Ok((options, usize::from(room)))
}

/// Whether the broker complains of a packet's size.
pub(super) fn too_large(error: &ConnectionError) -> bool {
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

/// Whether the broker ended the connection without a complaint; and then whether it says that another client has the name now,
/// which not all do.
pub(super) fn closed(error: &ConnectionError) -> Option<bool> {
    match error {
        ConnectionError::MqttState(StateError::ConnectionAborted) => Some(false),
        ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, .. }) => {
            (*reason_code == DisconnectReasonCode::SessionTakenOver).then_some(true)
        }
        _ => None,
    }
}

/// Whether the two could not agree on encryption, or on who the other is: also where the broker says so.
pub(super) fn is_tls(error: &ConnectionError) -> bool {
    match error {
        ConnectionError::Tls(_) => true,
        // what goes wrong in a handshake is for the library an error of reading
        ConnectionError::Io(error) => error.get_ref().is_some_and(|inner| format!("{inner:?}").contains("ertificate")),
        _ => false,
    }
}

/// How a message is sent.
pub(super) fn publish_options(message: &Message) -> PublishOptions {
    let properties = PublishProperties {
        payload_format_indicator: message.content.is_text().then_some(1),
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
pub(in crate::mqtt) fn options(access: &Access, client_id: &str) -> Result<MqttOptions, Error> {
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
