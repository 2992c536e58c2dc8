//! Brokers to test against: Debian's mosquitto in a folder of its own, a proxy that can be cut, and the clients of both.

use std::{fmt::Write as _, net::SocketAddr, path::PathBuf, process::Stdio, time::Duration};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines, copy_bidirectional},
    net::{TcpListener, TcpStream},
    process::{Child, ChildStdout, Command},
    sync::{mpsc, watch},
    task::JoinSet,
};
use wader::{
    mqtt::{Access, Arrival, Handle, Link, Listener, Publisher, Spec},
    supervise::Stop,
};

/// How long a test waits for what must happen. Long: machines are shared. Never waited out by a test that passes.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Waits for what must happen.
pub(crate) async fn within<T>(what: &str, happens: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, happens).await {
        Ok(value) => value,
        Err(_) => panic!("in vain: {what}"),
    }
}

/// A port that was free a moment ago, below those that the system gives to outgoing connections: so it stays free
/// while a broker is away.
pub(crate) async fn free_port() -> u16 {
    loop {
        let port = fastrand::u16(20_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).await.is_ok() {
            return port;
        }
    }
}

/// A mosquitto of our own; killed when dropped.
pub(crate) struct Mosquitto {
    pub(crate) port: u16,
    folder: TempDir,
    child: Option<Child>,
}

impl Mosquitto {
    /// Starts one with these lines added to its configuration; `{folder}` stands for its folder.
    pub(crate) async fn start(lines: &[&str]) -> Self {
        let mosquitto = Self::prepare(lines).await;
        mosquitto.started().await
    }

    /// All but started; its folder can still be filled.
    pub(crate) async fn prepare(lines: &[&str]) -> Self {
        let port = free_port().await;
        let folder = tempfile::tempdir().unwrap();
        // Whoever started it, it can read and write its folder.
        let mut config = format!("listener {port} 127.0.0.1\nuser root\n");
        if !lines.iter().any(|line| line.starts_with("allow_anonymous")) {
            config.push_str("allow_anonymous true\n");
        }
        for line in lines {
            writeln!(config, "{}", line.replace("{folder}", folder.path().to_str().unwrap())).unwrap();
        }
        std::fs::write(folder.path().join("mosquitto.conf"), config).unwrap();
        Self { port, folder, child: None }
    }

    /// Starts it (again), and waits until it takes connections.
    pub(crate) async fn started(mut self) -> Self {
        self.start_again().await;
        self
    }

    pub(crate) async fn start_again(&mut self) {
        // Debian puts it where only root's search path looks.
        let mut command = Command::new("/usr/sbin/mosquitto");
        command.arg("-c").arg(self.path("mosquitto.conf")).kill_on_drop(true);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().expect("mosquitto is installed"));
        within("mosquitto takes connections", async {
            while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        let ended = self.child.as_mut().unwrap().try_wait().unwrap();
        assert!(ended.is_none(), "mosquitto ended: {ended:?}");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn access(&self) -> Access {
        Access::parse(&format!("mqtt://127.0.0.1:{}", self.port)).unwrap()
    }

    /// Sends it a signal: `STOP` freezes, `CONT` thaws, `TERM` lets it save, `KILL` does not.
    pub(crate) async fn signal(&mut self, signal: &str) {
        let child = self.child.as_mut().unwrap();
        let pid = child.id().unwrap().to_string();
        let sent = Command::new("sh").args(["-c", &format!("kill -{signal} {pid}")]).status().await.unwrap();
        assert!(sent.success());
        if matches!(signal, "TERM" | "KILL") {
            within("mosquitto ends", child.wait()).await.unwrap();
        }
    }
}

/// Writes `ca.pem`, and signed by it `server.pem` and `client.pem` with their keys, into a mosquitto's folder.
pub(crate) fn write_certificates(mosquitto: &Mosquitto) {
    let issuer = {
        let mut params = named("authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    };
    std::fs::write(mosquitto.path("ca.pem"), issuer.pem()).unwrap();
    for name in ["server", "client"] {
        let key = KeyPair::generate().unwrap();
        let certificate = named(name).signed_by(&key, &issuer).unwrap();
        std::fs::write(mosquitto.path(&format!("{name}.pem")), certificate.pem()).unwrap();
        std::fs::write(mosquitto.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// What a proxy does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// It refuses connections, and has dropped those that there were, without any goodbye of MQTT.
    Down,
    /// It takes and forwards.
    Up,
    /// It takes connections, and forwards nothing.
    Stalled,
}

/// Forwards TCP connections, while it is up.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    way: watch::Sender<Way>,
    _task: JoinSet<()>,
}

impl Proxy {
    /// A proxy to this port on loopback, down: connections are refused.
    pub(crate) async fn down(to: u16) -> Self {
        let port = free_port().await;
        let (way, state) = watch::channel(Way::Down);
        let mut task = JoinSet::new();
        task.spawn(forward(port, to, state));
        Self { port, way, _task: task }
    }

    /// Goes on in this way.
    pub(crate) fn go(&self, way: Way) {
        self.way.send_replace(way);
    }

    /// Takes and forwards connections.
    pub(crate) fn up(&self) {
        self.go(Way::Up);
    }

    /// Drops all connections at once, without any goodbye of MQTT, and refuses new ones.
    pub(crate) fn cut(&self) {
        self.go(Way::Down);
    }

    pub(crate) fn access(&self) -> Access {
        Access::parse(&format!("mqtt://127.0.0.1:{}", self.port)).unwrap()
    }
}

async fn forward(port: u16, to: u16, mut state: watch::Receiver<Way>) {
    let of_connections = state.clone();
    while state.wait_for(|way| *way != Way::Down).await.is_ok() {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await.unwrap();
        // Dropped when the proxy goes down, and with it every connection.
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                down = state.wait_for(|way| *way == Way::Down) => match down {
                    Ok(_) => break,
                    // nobody will ever say so
                    Err(_) => return,
                },
                Ok((from, _)) = listener.accept() => {
                    connections.spawn(connection(from, to, of_connections.clone()));
                }
            }
        }
    }
}

async fn connection(mut from: TcpStream, to: u16, mut state: watch::Receiver<Way>) {
    let Ok(mut onwards) = TcpStream::connect(("127.0.0.1", to)).await else { return };
    let copy = copy_bidirectional(&mut from, &mut onwards);
    tokio::pin!(copy);
    while state.wait_for(|way| *way != Way::Stalled).await.is_ok() {
        tokio::select! {
            _ = &mut copy => return,
            _ = state.wait_for(|way| *way == Way::Stalled) => {}
        }
    }
}

/// A publisher that runs.
pub(crate) struct Running {
    pub(crate) handle: Handle,
    stop: Stop,
    task: JoinSet<()>,
}

impl Running {
    /// Runs a publisher with short waits, whose specification may still be changed.
    pub(crate) fn start(access: Access, change: impl FnOnce(&mut Spec)) -> Self {
        Self::hearing(access, &[], 1, change).0
    }

    /// One that also listens to these topic filters, with room for so many arrivals.
    pub(crate) fn hearing(
        access: Access,
        filters: &[&str],
        room: usize,
        change: impl FnOnce(&mut Spec),
    ) -> (Self, mpsc::Receiver<Arrival>) {
        let mut spec = Spec::new(access, format!("wader-test-{:016x}", fastrand::u64(..)));
        spec.retry = (Duration::from_millis(50), Duration::from_millis(200));
        change(&mut spec);
        let (mut publisher, handle) = Publisher::new(spec).unwrap();
        let (_, mut arrivals) = mpsc::channel(1);
        if !filters.is_empty() {
            let filters = filters.iter().map(|&filter| filter.to_owned()).collect();
            (publisher, arrivals) = publisher.hearing(filters, room);
        }
        let stop = Stop::new();
        let mut task = JoinSet::new();
        let given = stop.clone();
        task.spawn(async move { publisher.run(&given).await });
        (Self { handle, stop, task }, arrivals)
    }

    pub(crate) async fn link(&self, what: &str, wanted: impl FnMut(&Link) -> bool) -> Link {
        within(what, self.handle.link().wait_for(wanted)).await.unwrap().clone()
    }

    pub(crate) async fn connected(&self) {
        self.link("connected", |link| *link == Link::Connected).await;
    }

    pub(crate) async fn away(&self) -> Link {
        self.link("not connected", |link| matches!(link, Link::Away { .. })).await
    }

    /// Waits until nothing waits.
    pub(crate) async fn emptied(&self) {
        within("the outbox is empty", async {
            while self.handle.waiting().0 > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }

    /// Stops it in order.
    pub(crate) async fn stop(mut self) -> Handle {
        self.stop.give();
        within("the publisher stops", self.task.join_next()).await.unwrap().unwrap();
        self.handle
    }
}

/// Publishes with `mosquitto_pub`, `-r` and all; done once the broker has it.
pub(crate) async fn publish(port: u16, topic: &str, payload: &str, flags: &[&str]) {
    let mut command = Command::new("mosquitto_pub");
    command.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-V", "5", "-q", "1", "-t", topic]);
    // an empty message has a flag of its own
    if payload.is_empty() {
        command.arg("-n")
    } else {
        command.args(["-m", payload])
    };
    let status = within("mosquitto_pub is done", command.args(flags).status()).await.unwrap();
    assert!(status.success(), "mosquitto_pub on {topic}");
}

/// Waits until a late subscriber is told all of these lines, or longer ones that begin so; gives all that it was told until then.
pub(crate) async fn kept(port: u16, wanted: &[&str]) -> Vec<String> {
    let mut sub = MosquittoSub::start(port, "5");
    let mut lines: Vec<String> = Vec::new();
    while !wanted.iter().all(|wanted| lines.iter().any(|line| line.starts_with(wanted))) {
        lines.push(sub.line().await);
    }
    lines
}

/// Subscribes to all of wader's topics.
pub(crate) async fn listen(access: &Access) -> Listener {
    within("subscribed", Listener::connect(access, "wader/#")).await.unwrap()
}

/// Reads arrivals up to and including the first one wanted.
pub(crate) async fn read_until(
    listener: &mut Listener,
    what: &str,
    mut wanted: impl FnMut(&Arrival) -> bool,
) -> Vec<Arrival> {
    let mut arrivals = Vec::new();
    within(what, async {
        loop {
            let arrival = listener.next().await.unwrap();
            let last = wanted(&arrival);
            arrivals.push(arrival);
            if last {
                return;
            }
        }
    })
    .await;
    arrivals
}

/// `mosquitto_sub -v` on all of wader's topics; killed when dropped.
pub(crate) struct MosquittoSub {
    lines: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl MosquittoSub {
    /// `version`: `5` or `311`.
    pub(crate) fn start(port: u16, version: &str) -> Self {
        Self::with(port, &["-V", version])
    }

    /// One whose session the broker keeps, and that connects again after a loss.
    pub(crate) fn start_kept(port: u16) -> Self {
        Self::with(port, &["-V", "5", "-c", "-x", "3600", "-i", "witness"])
    }

    fn with(port: u16, arguments: &[&str]) -> Self {
        let mut command = Command::new("mosquitto_sub");
        command.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-q", "1", "-v", "-t", "wader/#"]).args(arguments);
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().expect("mosquitto_sub is installed");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { lines, _child: child }
    }

    /// The next line: topic, space, payload.
    pub(crate) async fn line(&mut self) -> String {
        within("mosquitto_sub prints a line", self.lines.next_line()).await.unwrap().unwrap()
    }

    /// The lines up to and including this one.
    pub(crate) async fn lines_until(&mut self, last: &str) -> Vec<String> {
        let mut lines = Vec::new();
        while lines.last().is_none_or(|line| line != last) {
            lines.push(self.line().await);
        }
        lines
    }

    /// This many next lines, sorted.
    pub(crate) async fn lines(&mut self, count: usize) -> Vec<String> {
        let mut lines = Vec::new();
        for _ in 0..count {
            lines.push(self.line().await);
        }
        lines.sort();
        lines
    }
}
