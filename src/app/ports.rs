//! Whether what a changed configuration listens on can be opened, tried while the one before it runs.

use std::net::{SocketAddr, TcpListener};

use super::Error;
use crate::{
    config::{BrokerConfig, Config},
    mqtt::broker,
};

/// Opens each address that is listened on from now on, both at a time, and closes them again. What is in the way of itself
/// until the configuration before it has ended is not tried.
pub(super) fn try_out(before: &Config, now: &Config) -> Result<(), Error> {
    let ours = [before.web.listen, of_broker(before)];
    let open = |wanted: Option<SocketAddr>| {
        let wanted = wanted.filter(|wanted| !ours.iter().flatten().any(|ours| meet(*ours, *wanted)))?;
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

/// Whether nobody can listen on one while the other is listened on.
fn meet(one: SocketAddr, other: SocketAddr) -> bool {
    let every = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() == other.port() && (every || one.ip() == other.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_meet_where_one_is_the_other_or_all_of_its_port() {
        let meets = |one: &str, other: &str| meet(one.parse().unwrap(), other.parse().unwrap());
        assert!(meets("127.0.0.1:8470", "127.0.0.1:8470"));
        assert!(meets("127.0.0.1:8470", "0.0.0.0:8470") && meets("[::]:8470", "10.0.0.5:8470"));
        assert!(!meets("127.0.0.1:8470", "0.0.0.0:8471") && !meets("127.0.0.1:8470", "10.0.0.5:8470"));
    }
}
