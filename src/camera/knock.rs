//! Whether a camera's host takes connections: a look that costs one packet, where a whole attempt costs a pipeline.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    net::{TcpStream, lookup_host},
    time::Instant,
};

use super::Address;

/// One knock waits so long. The system repeats its packet after a second: so a host that is back is met by one packet a
/// second at least, where a connection that nobody gave up would wait ever longer for its next.
const KNOCK: Duration = Duration::from_secs(2);

/// From a refusal to the next knock.
const PAUSE: Duration = Duration::from_secs(1);

/// A name may stand for several addresses; more are not tried.
const ADDRESSES: usize = 3;

/// Waits until it is worth trying a camera again that broke: for `open` while its host takes connections (then the fault
/// lies deeper, and only time can help), for `closed` while it takes none, and at once when it begins to.
///
/// The name is looked up anew each time, since cameras move. `draw` is uniform in 0..1, so that many do not knock at once.
pub async fn worth_a_try(address: &Address, open: Duration, closed: Duration, draw: f64) {
    let Some(door) = address.door() else { return tokio::time::sleep(open).await };
    let began = Instant::now();
    // A camera that hangs up may need a moment to close its port, too.
    tokio::time::sleep(open.min(PAUSE / 2)).await;
    if is_open(door).await {
        return tokio::time::sleep_until(began + open).await;
    }
    while began.elapsed() < closed {
        tokio::time::sleep(PAUSE.mul_f64(0.75 + draw.clamp(0.0, 1.0) / 2.0)).await;
        if is_open(door).await {
            return;
        }
    }
}

async fn is_open((host, port): (&str, u16)) -> bool {
    // Not given up when it takes long: its thread would go on.
    let Ok(found) = lookup_host((host, port)).await else { return false };
    for address in found.take(ADDRESSES) {
        if takes_connections(address).await {
            return true;
        }
    }
    false
}

async fn takes_connections(address: SocketAddr) -> bool {
    matches!(tokio::time::timeout(KNOCK, TcpStream::connect(address)).await, Ok(Ok(_)))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::frame::Stamp;

    const LONG: Duration = Duration::from_secs(600);

    fn address(port: u16) -> Address {
        Address::parse(&format!("rtsp://127.0.0.1:{port}/s")).unwrap()
    }

    #[tokio::test]
    async fn a_host_that_comes_back_is_worth_a_try_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let camera = address(port);
        let waiting = worth_a_try(&camera, Duration::from_millis(10), LONG, 0.0);
        tokio::pin!(waiting);
        assert!(tokio::time::timeout(Duration::from_millis(1200), &mut waiting).await.is_err(), "nobody is there");
        let _back = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let began = Stamp::now();
        tokio::time::timeout(LONG, waiting).await.unwrap();
        assert!(Stamp::now().since(began) < Duration::from_secs(10));
    }

    #[tokio::test]
    async fn a_host_that_takes_connections_all_along_is_left_alone() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let camera = address(listener.local_addr().unwrap().port());
        let began = Stamp::now();
        worth_a_try(&camera, Duration::from_millis(1500), LONG, 0.5).await;
        assert!(Stamp::now().since(began) >= Duration::from_millis(1500));
        assert!(Address::parse("test:pattern").unwrap().door().is_none());
    }
}
