//! How to be connected, and why one is not.

use std::{io, path::PathBuf, time::Duration};

use crate::mqtt::{Access, AccessError, Topics, outbox::Limits};

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
    /// A connection over which nothing was acknowledged for so long, while something should be, is given up; so is one on
    /// which a message was passed over for so long, while later ones were acknowledged.
    pub acknowledge_within: Duration,
    /// How long a stop may take to send what still waits.
    pub stop_within: Duration,
    /// The first and the longest wait between two connections.
    pub retry: (Duration, Duration),
    /// The wait after the broker has refused user or password, so that it does not lock them.
    pub retry_refused: Duration,
    /// The shortest wait after the two could not agree on encryption.
    pub retry_tls: Duration,
    /// The outbox.
    pub limits: Limits,
    /// The file that keeps what waits across restarts; without it, it waits in memory only.
    pub outbox: Option<PathBuf>,
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
            acknowledge_within: Duration::from_secs(8),
            stop_within: Duration::from_secs(2),
            retry: (Duration::from_secs(1), Duration::from_secs(30)),
            retry_refused: Duration::from_secs(24 * 60),
            retry_tls: Duration::from_secs(12),
            limits: Limits::default(),
            outbox: None,
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
    /// The broker ended it, saying nothing or that another client has the name now.
    #[error("the broker `{broker}` closed the connection{}", if *.again {
        format!(", again and again: is another client connected as `{client_id}`? Give each its own `client_id` and `prefix`")
    } else {
        String::new()
    })]
    Closed {
        /// The broker.
        broker: String,
        /// The client's name.
        client_id: String,
        /// The broker says so, or has done it before, soon after each begin.
        again: bool,
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
    /// The two do not agree on encryption, or on who the other is.
    #[error("no encrypted connection to the broker `{broker}`")]
    Tls {
        /// The broker.
        broker: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It stands, but the broker says nothing.
    #[error("nothing was heard of the broker `{broker}` for {} s", .waited.as_secs_f64())]
    Silent {
        /// The broker.
        broker: String,
        /// For how long.
        waited: Duration,
    },
    /// The broker does not say that it has what it was sent.
    #[error("the broker `{broker}` has acknowledged nothing for {} s", .waited.as_secs_f64())]
    Unacknowledged {
        /// The broker.
        broker: String,
        /// For how long.
        waited: Duration,
    },
    /// The broker passes a message over.
    #[error("the broker `{broker}` has not acknowledged a message for {} s, but later ones", .waited.as_secs_f64())]
    PassedOver {
        /// The broker.
        broker: String,
        /// For how long.
        waited: Duration,
    },
    /// The thread that writes the outbox did not start.
    #[error("cannot start the outbox's thread")]
    Thread(#[source] io::Error),
}
