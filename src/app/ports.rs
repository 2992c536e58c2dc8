//! Whether what a changed configuration listens on can be opened, tried while the one before it runs.

use std::net::{SocketAddr, TcpListener};

use super::Error;
use crate::{
    config::{BrokerConfig, Config},
    mqtt::broker,
};

/// Opens each address that is listened on from now on, both at a time, and closes them again.
pub(super) fn try_out(before: &Config, now: &Config) -> Result<(), Error> {
    let ours = [before.web.listen, of_broker(before)];
    let open = |wanted: Option<SocketAddr>| {
        let wanted = wanted.filter(|wanted| !ours.contains(&Some(*wanted)))?;
        Some((wanted, TcpListener::bind(wanted)))
    };
    let (broker, web) = (open(of_broker(now)), open(now.web.listen));
    if let Some((address, Err(error))) = broker {
        return Err(broker::Error::Start { address, source: Box::new(error) }.into());
    }
    if let Some((listen, Err(error))) = web {
        return Err(Error::Web { listen, error });
    }
    Ok(())
}

/// Where the broker inside wader listens, if there is to be one.
const fn of_broker(config: &Config) -> Option<SocketAddr> {
    match config.mqtt.broker {
        BrokerConfig::Embedded { listen } => Some(listen),
        BrokerConfig::Remote { .. } => None,
    }
}
