//! A network between wader and a camera that does as it is told: it delays, stalls, swallows, resets, throttles, cuts,
//! loses packets and flips bits, and can be told otherwise while it runs. With the same seed it does the same again.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use super::interleaved::{Harm, Interleaved};

/// What the network does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Mode {
    /// Hands on what comes.
    Pass,
    /// Hands it on so much later.
    Delay(Duration),
    /// Keeps connections open and carries nothing; what was sent meanwhile arrives afterwards.
    Stall,
    /// Carries nothing, and what was sent is lost, as are new connections' requests.
    BlackHole,
    /// Takes connections and resets them; those that are open, too.
    Reset,
    /// Nobody listens: open connections are closed, and new ones refused.
    Refuse,
    /// Carries so many bytes a second from the camera.
    Rate(u32),
    /// Closes each connection after so many bytes from the camera.
    CutAfter(u64),
    /// Harms the RTP packets from the camera.
    Harm(Harm),
}

/// A proxy to one port; ends when dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    mode: watch::Sender<Mode>,
    accepted: Arc<AtomicU64>,
    harmed: Arc<AtomicU64>,
    _task: JoinSet<()>,
}

impl Proxy {
    /// One to this port of the loopback interface.
    pub(crate) async fn to(port: u16, seed: u64) -> Self {
        Self::between(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), port, seed).await
    }

    /// One that listens at this address.
    pub(crate) async fn between(at: SocketAddr, to: u16, seed: u64) -> Self {
        let listener = TcpListener::bind(at).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (mode, modes) = watch::channel(Mode::Pass);
        let (accepted, harmed) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let mut task = JoinSet::new();
        task.spawn(serve(listener, to, modes, seed, (Arc::clone(&accepted), Arc::clone(&harmed))));
        Self { address, mode, accepted, harmed, _task: task }
    }

    /// From now on, also on connections that are open.
    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// How many connections it took.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// How many packets were lost, moved or had bits flipped.
    pub(crate) fn harmed(&self) -> u64 {
        self.harmed.load(Ordering::Relaxed)
    }

    /// A camera's URL, through the proxy.
    pub(crate) fn url(&self, camera: &str) -> String {
        let mut url = url::Url::parse(camera).unwrap();
        url.set_port(Some(self.address.port())).unwrap();
        url.set_host(Some(&self.address.ip().to_string())).unwrap();
        url.into()
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }
}

async fn serve(
    mut listener: TcpListener,
    to: u16,
    mut modes: watch::Receiver<Mode>,
    seed: u64,
    (accepted, harmed): (Arc<AtomicU64>, Arc<AtomicU64>),
) {
    let at = listener.local_addr().unwrap();
    let mut connections = JoinSet::new();
    loop {
        if *modes.borrow_and_update() == Mode::Refuse {
            drop(listener);
            connections.shutdown().await;
            if modes.wait_for(|mode| *mode != Mode::Refuse).await.is_err() {
                return;
            }
            listener = TcpListener::bind(at).await.unwrap();
        }
        tokio::select! {
            changed = modes.changed() => if changed.is_err() { return },
            Ok((client, _)) = listener.accept() => {
                let number = accepted.fetch_add(1, Ordering::Relaxed);
                let (modes, harmed) = (modes.clone(), Arc::clone(&harmed));
                connections.spawn(connect(client, to, modes, seed ^ number << 32, harmed));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// One connection, until either side closes it or the network does.
async fn connect(client: TcpStream, to: u16, mut modes: watch::Receiver<Mode>, seed: u64, harmed: Arc<AtomicU64>) {
    if *modes.borrow() == Mode::Reset {
        return reset(&client);
    }
    let Ok(camera) = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).await else { return };
    let ((from_client, to_client), (from_camera, to_camera)) = (client.into_split(), camera.into_split());
    let mut up = Pump { from: from_client, to: to_camera, modes: modes.clone(), interleaved: None, carried: 0 };
    let interleaved = Some(Interleaved::new(seed, harmed));
    let mut down = Pump { from: from_camera, to: to_client, modes: modes.clone(), interleaved, carried: 0 };
    let is_reset = tokio::select! {
        () = up.run() => false,
        () = down.run() => false,
        changed = modes.wait_for(|mode| *mode == Mode::Reset) => changed.is_ok(),
    };
    if is_reset {
        reset(up.from.as_ref());
    }
}

/// Closing it says "reset" instead of goodbye.
fn reset(stream: &TcpStream) {
    stream.set_zero_linger().ok();
}

struct Pump {
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    modes: watch::Receiver<Mode>,
    /// What understands the camera's side of the conversation.
    interleaved: Option<Interleaved>,
    carried: u64,
}

impl Pump {
    async fn run(&mut self) {
        let mut buffer = vec![0; 16 << 10];
        let mut free_at = Instant::now();
        loop {
            if self.modes.wait_for(|mode| *mode != Mode::Stall).await.is_err() {
                return;
            }
            let mode = *self.modes.borrow_and_update();
            // Small pieces are what a slow network is made of.
            let room = if matches!(mode, Mode::Rate(_)) { 1 << 10 } else { buffer.len() };
            let count = tokio::select! {
                read = self.from.read(&mut buffer[..room]) => match read {
                    Ok(count) if count > 0 => count,
                    _ => return,
                },
                changed = self.modes.changed() => if changed.is_ok() { continue } else { return },
            };
            // What is read while it stalls waits, and so does all behind it.
            if self.modes.wait_for(|mode| *mode != Mode::Stall).await.is_err() {
                return;
            }
            let mode = *self.modes.borrow();
            let mut data = buffer[..count].to_vec();
            if let Some(interleaved) = &mut self.interleaved {
                let harm = if let Mode::Harm(harm) = mode { harm } else { Harm::NONE };
                data = interleaved.pass(&data, harm);
            }
            match mode {
                Mode::BlackHole => continue,
                Mode::Delay(by) => sleep(by).await,
                Mode::Rate(bytes) if self.interleaved.is_some() => {
                    free_at = free_at.max(Instant::now()) + Duration::from_secs_f64(count as f64 / f64::from(bytes));
                    sleep_until(free_at).await;
                }
                Mode::CutAfter(bytes) if self.interleaved.is_some() && self.carried >= bytes => return,
                _ => {}
            }
            if self.to.write_all(&data).await.is_err() {
                return;
            }
            self.carried += count as u64;
        }
    }
}
