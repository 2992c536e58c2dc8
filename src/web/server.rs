//! The server: two pages and a style, for whoever is allowed to ask.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use tokio::net::TcpListener;

use super::{limited::Limited, page::Page};
use crate::{supervise::Stop, telemetry::METRICS_TYPE};

/// How long those who are being answered may take once the end was asked for.
const LAST_ANSWERS: Duration = Duration::from_millis(500);

/// Whoever knows what stands just now.
pub trait Shown: Send + Sync + 'static {
    /// For people.
    fn page(&self) -> Page;
    /// For Prometheus, of the type [`METRICS_TYPE`].
    fn metrics(&self) -> String;
}

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Listens; port 0 takes a free one.
    pub async fn listen(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` is given.
    pub async fn run(self, shown: Arc<dyn Shown>, stop: Stop) {
        let mut router = Router::new()
            .route("/", get(page))
            .route("/metrics", get(metrics))
            .route("/style.css", get(style))
            .with_state(shown);
        if self.address.ip().is_loopback() {
            router = router.layer(middleware::from_fn(of_this_machine));
        }
        let router = router.layer(middleware::map_response(guarded));
        let ending = stop.clone();
        let serving = axum::serve(Limited::new(self.listener), router)
            .with_graceful_shutdown(async move { ending.given().await });
        let ended = async {
            stop.given().await;
            tokio::time::sleep(LAST_ANSWERS).await;
        };
        tokio::select! {
            // it gives no error: connections that fail are theirs who made them
            _ = serving => {}
            () = ended => {}
        }
    }
}

async fn page(State(shown): State<Arc<dyn Shown>>) -> Result<Html<String>, StatusCode> {
    shown.page().html().map(Html).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

async fn metrics(State(shown): State<Arc<dyn Shown>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, METRICS_TYPE)], shown.metrics())
}

async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("style.css"))
}

/// Refuses a request that names another host than this machine: a page somewhere whose name was made to mean this address
/// would else read what is here (DNS rebinding).
async fn of_this_machine(request: Request, next: Next) -> Response {
    if names_this_machine(request.headers()) {
        next.run(request).await
    } else {
        let says = "ask for http://127.0.0.1 or http://localhost: this page is shown under no other name\n";
        (StatusCode::MISDIRECTED_REQUEST, says).into_response()
    }
}

fn names_this_machine(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
    let name = host
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
        .map_or(host, |(name, _)| name);
    name == "localhost" || name.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Nothing but this page's own style is loaded by it, nobody frames it, and nobody keeps it.
async fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_answered_to() {
        for (host, answered) in [
            ("127.0.0.1:8470", true),
            ("localhost:8470", true),
            ("localhost", true),
            ("[::1]:8470", true),
            ("evil.example:8470", false),
            ("127.0.0.1.evil.example", false),
            ("10.0.0.5:8470", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(host))]);
            assert_eq!(names_this_machine(&headers), answered, "{host}");
        }
        assert!(!names_this_machine(&HeaderMap::new()));
    }
}
