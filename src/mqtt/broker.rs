//! A broker inside this process, for those who have none: MQTT 5 and 3.1.1, on this machine only.

use std::{net::SocketAddr, time::Duration};

use mqtt5::broker::config::{AuthConfig, AuthMethod, StorageBackend, StorageConfig};
use mqtt5::broker::{BrokerConfig, MqttBroker};
use tokio::task::JoinSet;

use super::{Access, AccessError};

/// Why there is no broker.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It does not start.
    #[error("cannot start a broker on `{address}`")]
    Start {
        /// Where.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It stopped by itself.
    #[error("the broker inside this process ended")]
    Ended {
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It does not end in time.
    #[error("the broker inside this process did not end within {} s", .0.as_secs())]
    Late(Duration),
}

/// How long a stop may take.
const STOP_WITHIN: Duration = Duration::from_secs(2);
/// The largest packet: room for a picture.
const LARGEST_PACKET: usize = 16 << 20;

/// A broker that runs until it is stopped or dropped. Keeps everything in memory: a restart begins anew.
pub struct Embedded {
    address: SocketAddr,
    shutdown: mqtt5::broker::BrokerShutdownHandle,
    task: JoinSet<Result<(), Error>>,
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Embedded").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Embedded {
    /// Starts a broker on an address of this machine's loopback; port 0 takes a free one. Ready once this returns.
    pub async fn start(address: SocketAddr) -> Result<Self, Error> {
        let failed = |source| Error::Start { address, source };
        if !address.ip().is_loopback() {
            return Err(failed("it asks for no password, so it listens on loopback only".into()));
        }
        let mut broker = MqttBroker::with_config(config(address)).await.map_err(|error| failed(Box::new(error)))?;
        let bound = broker.local_addr().ok_or_else(|| failed("it listens nowhere".into()))?;
        let shutdown = broker.shutdown_handle();
        let mut ready = broker.ready_receiver();
        let mut task = JoinSet::new();
        task.spawn(async move { broker.run().await.map_err(|error| Error::Ended { source: Box::new(error) }) });
        tokio::select! {
            ready = ready.wait_for(|&ready| ready) => match ready {
                Ok(_) => Ok(()),
                Err(error) => Err(failed(Box::new(error))),
            },
            Some(Ok(Err(error))) = task.join_next() => Err(error),
        }?;
        Ok(Self { address: bound, shutdown, task })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as others write it: `mqtt://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("mqtt://{}", self.address)
    }

    /// The way in.
    pub fn access(&self) -> Result<Access, AccessError> {
        Access::parse(&self.url())
    }

    /// Waits for it to end by itself, which it should not. Safe to cancel.
    pub async fn ended(&mut self) -> Result<(), Error> {
        match self.task.join_next().await {
            Some(Ok(result)) => result,
            Some(Err(panic)) => Err(Error::Ended { source: Box::new(panic) }),
            None => Ok(()),
        }
    }

    /// Ends all connections and the broker.
    pub async fn stop(mut self) -> Result<(), Error> {
        self.shutdown.shutdown();
        match tokio::time::timeout(STOP_WITHIN, self.ended()).await {
            Ok(result) => result,
            Err(_) => Err(Error::Late(STOP_WITHIN)),
        }
    }
}

fn config(address: SocketAddr) -> BrokerConfig {
    BrokerConfig {
        bind_addresses: vec![address],
        max_packet_size: LARGEST_PACKET,
        // Whoever is on this machine may connect; nobody else can.
        auth_config: AuthConfig { allow_anonymous: true, auth_method: AuthMethod::None, ..AuthConfig::default() },
        // The library's default is a folder in the working directory.
        storage_config: StorageConfig {
            backend: StorageBackend::Memory,
            enable_persistence: false,
            ..StorageConfig::default()
        },
        sys_topics_enabled: false,
        ..BrokerConfig::default()
    }
}
