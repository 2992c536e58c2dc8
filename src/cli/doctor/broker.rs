//! Sends a message to the broker and waits for it to come back, as answers to questions do.

use std::{
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use super::finding::Finding;
use crate::{
    app, cli,
    config::{BrokerConfig, Config},
    frame::Stamp,
    mqtt::{Access, ListenError, Listener, Topics},
};

const PART: &str = "broker";
/// What is retained comes with the subscription.
const SAYS_SO: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether messages go to the configured broker and come back.
pub(super) async fn look(config: &Config) -> Finding {
    let access = match app::broker_access(config) {
        Ok(access) => access,
        Err(error) => return Finding::bad(PART, error.to_string(), None),
    };
    let tried = round_trip(&access, app::topics(config));
    let said = match tokio::time::timeout(PATIENCE, tried).await {
        Ok(Ok(took)) => {
            if let BrokerConfig::Embedded { listen } = &config.mqtt.broker
                && !is_wader(&access, &app::topics(config)).await
            {
                let is = format!("another broker than wader's own is on {listen}, where that one is to be");
                return Finding::bad(PART, is, Some(&cli::elsewhere(listen.port())));
            }
            let is = format!("`{access}` takes a message and gives it back in {} ms", took.as_millis());
            return Finding::good(PART, is);
        }
        Ok(Err(error)) => format!("{:#}", anyhow::Error::from(error)),
        Err(_) => format!("`{access}` did not give a message back within {} s", PATIENCE.as_secs()),
    };
    match &config.mqtt.broker {
        BrokerConfig::Embedded { listen } => not_yet(*listen, &said),
        BrokerConfig::Remote { .. } => {
            let remedy = "is it running, do host, port, TLS and login below `[mqtt]` fit, and may this user publish and \
                          subscribe below the prefix? `mosquitto_sub` with the same values tells; where there is no broker, \
                          `url = \"embedded\"` brings one for programs of this machine";
            Finding::bad(PART, said, Some(remedy))
        }
    }
}

async fn round_trip(access: &Access, topics: Topics) -> Result<Duration, ListenError> {
    // below what the service itself may use, so that the broker's rules hold for it, too
    let topic = format!("{}/doctor-{:016x}", topics.responses(), fastrand::u64(..));
    let mut listener = Listener::connect(access, &topic).await?;
    let sent = Stamp::now();
    listener.ask(&topic, b"are you there?", &topic)?;
    listener.next().await?;
    Ok(Stamp::now().since(sent))
}

/// The broker inside wader is there when wader runs; until then its port must be free.
fn not_yet(listen: SocketAddr, said: &str) -> Finding {
    match TcpListener::bind(listen) {
        Ok(_) => Finding::good(PART, format!("the one inside wader: it begins with `wader run`, and {listen} is free")),
        Err(error) => {
            let remedy =
                "something else is there: end it, or give the broker another address as `listen` below `[mqtt]`";
            let is = format!(
                "the one inside wader cannot listen on {listen}: {error}; and what is there is no broker: {said}"
            );
            Finding::bad(PART, is, Some(remedy))
        }
    }
}

/// Whether a wader says on this broker that it runs, as it does on its own.
async fn is_wader(access: &Access, topics: &Topics) -> bool {
    let said = async { Listener::connect(access, &topics.status()).await?.next().await };
    matches!(tokio::time::timeout(SAYS_SO, said).await, Ok(Ok(arrival)) if &*arrival.payload == b"online")
}
