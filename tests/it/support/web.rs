//! What a browser would ask for.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{broker::within, service::Service};

/// Below `[web]`: a free port.
pub(crate) const ANY_PORT: &str = "\n[web]\nlisten = \"127.0.0.1:0\"\n";

/// Where the service shows its page.
pub(crate) async fn address(service: &Service) -> SocketAddr {
    let shown = async {
        loop {
            let log = service.log();
            if let Some((_, rest)) = log.split_once("is shown at http://") {
                return rest.split(|c: char| c.is_whitespace() || c == '"').next().unwrap().parse().unwrap();
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    within("the page is shown", shown).await
}

/// The head and the body of an answer, by a client that believes the server to be called `host`.
pub(crate) async fn get_as(address: SocketAddr, path: &str, host: &str) -> (String, String) {
    let ask = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let answer = within("the page comes", ask).await;
    assert!(!super::service::tells(answer.as_bytes()), "a page tells a password: {answer}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

/// The body of a page that is there.
pub(crate) async fn get(address: SocketAddr, path: &str) -> String {
    let (head, body) = get_as(address, path, &address.to_string()).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    body
}

/// Asks for a page until it fits.
pub(crate) async fn until(address: SocketAddr, path: &str, what: &str, fits: impl Fn(&str) -> bool) -> String {
    let wait = async {
        loop {
            let body = get(address, path).await;
            if fits(&body) {
                return body;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    within(what, wait).await
}
