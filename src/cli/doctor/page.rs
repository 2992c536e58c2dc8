//! Whether the page can be shown where it is to be.

use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpListener},
};

use super::finding::Finding;

const PART: &str = "page";

/// Tries the address, as `wader run` will.
pub(super) fn look(listen: SocketAddr) -> Finding {
    match TcpListener::bind(listen) {
        Ok(_) => Finding::good(PART, format!("{listen} is free")),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            let remedy = "where this wader runs already, that is its page; else end what is there, or write another address as \
                          `listen` below `[web]`";
            Finding::doubtful(PART, format!("something is on {listen}"), remedy)
        }
        Err(error) => {
            let remedy = "write an address of this machine as `listen` below `[web]`";
            Finding::bad(PART, format!("{listen} cannot be listened on: {error}"), Some(remedy))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_taken_or_of_another_machine_is_told() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let shown = |listen: SocketAddr| look(listen).is;
        let address = taken.local_addr().unwrap();
        assert!(shown(address).starts_with("something is on 127.0.0.1:"));
        drop(taken);
        assert!(shown(address).ends_with(" is free"));
        assert!(shown("192.0.2.1:8080".parse().unwrap()).contains("cannot be listened on"));
    }
}
