//! Keeps the connection to the broker, and empties the outbox through it.
//!
//! One connection is one event loop of the library, made anew each time: what the library would remember of a lost
//! connection is forgotten on purpose, because the outbox knows it better. Only this folder, `arrival.rs` and `listen.rs`
//! name the library. `spec` says how to be connected, `feed` is what one connection does, `watch` sees that the broker lags, and
//! `library` what the library is told.

mod feed;
mod library;
mod spec;
mod watch;

use std::{pin::pin, sync::Arc, time::Duration};

use rumqttc::{AsyncClient, ConnectReturnCode, ConnectionError, Event, EventLoop, Packet, SubscribeReasonCode};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};
use tracing::debug;

use super::{Arrival, Handle, Link, arrival::arrival, durable::Durable, handle::Shared};
use crate::{
    supervise::{Backoff, Stop},
    telemetry::{Event as Notice, chain},
};
use feed::Ended;
pub(super) use library::options;
pub use spec::{Error, Spec};

/// A connection that lasted so long was a good one.
const STEADY: Duration = Duration::from_secs(10);
/// A connection that the broker closes sooner, as the one before it, was hardly closed by chance: two clients of one name put
/// each other out, each a little later than the last time.
const SOON: Duration = Duration::from_secs(60);

/// Brings the outbox to the broker, and what others say back from there.
#[derive(Debug)]
pub struct Publisher {
    spec: Spec,
    shared: Arc<Shared>,
    ear: Option<Ear>,
    durable: Option<Durable>,
}

/// What is listened for, and where it goes.
#[derive(Debug)]
struct Ear {
    filters: Vec<String>,
    arrivals: mpsc::Sender<Arrival>,
}

impl Publisher {
    /// A publisher, and the handle to fill its outbox, in which what an earlier one left on the disk waits already.
    /// Blocks for a moment: it reads a file.
    pub fn new(spec: Spec) -> Result<(Self, Handle), Error> {
        spec.access.check()?;
        let shared = Arc::new(Shared::new(spec.limits, spec.outbox.is_some()));
        let durable = spec.outbox.clone().map(|file| Durable::start(file, Arc::clone(&shared)));
        let durable = durable.transpose().map_err(Error::Thread)?;
        Ok((Self { spec, shared: Arc::clone(&shared), ear: None, durable }, Handle(shared)))
    }

    /// Also subscribes to these topic filters, on each connection. At most `room` arrivals wait to be taken; more are
    /// dropped and counted ([`Handle::unheard`]), so that whoever floods these topics holds up nothing.
    #[must_use]
    pub fn hearing(self, filters: Vec<String>, room: usize) -> (Self, mpsc::Receiver<Arrival>) {
        let (arrivals, receiver) = mpsc::channel(room);
        (Self { ear: Some(Ear { filters, arrivals }), ..self }, receiver)
    }

    /// Connects, and connects again after each loss, until `stop` is given; then sends what still waits.
    pub async fn run(mut self, stop: &Stop) {
        let (first, longest) = self.spec.retry;
        let mut backoff = Backoff::new(first, longest);
        let mut refused = Backoff::new(self.spec.retry_refused, self.spec.retry_refused);
        // An outage is said once, not at each try.
        let mut said = None;
        let mut closed_soon = 0;
        while !stop.is_given() {
            let began = Instant::now();
            let Err(mut error) = self.connect_once(stop).await else { break };
            let was_connected = *self.shared.link.borrow() == Link::Connected;
            if let (Error::Closed { again, .. }, true) = (&mut error, was_connected) {
                closed_soon = if began.elapsed() < SOON { closed_soon + 1 } else { 0 };
                *again |= closed_soon > 1;
            } else {
                closed_soon = 0;
            }
            // A connection that ends at once, time after time, is no success.
            if began.elapsed() > STEADY {
                backoff.reset();
                said = None;
            }
            let draw = fastrand::f64();
            let wait = match error {
                Error::Credentials { .. } => refused.next(draw),
                // certificates are mended by people, too, but nobody is locked out for them
                Error::Tls { .. } => backoff.next(draw).max(self.spec.retry_tls),
                _ => backoff.next(draw),
            };
            let error = chain(&error);
            if said.as_ref() == Some(&error) {
                debug!(error, retry_in = ?wait, "still no connection to the broker");
            } else {
                Notice::BrokerLost { broker: &self.broker(), reason: &error, retry_in: wait }.emit();
                said = Some(error.clone());
            }
            let hurried = self.shared.hurried.notified(); // from here on it is heard
            self.shared.link.send_replace(Link::Away { error, retry_in: wait });
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = hurried => {}
                () = stop.given() => {}
            }
        }
        self.tell_what_is_left().await;
        self.shared.link.send_replace(Link::Stopped);
    }

    /// What the broker did not take: on the disk for the next start, or gone.
    async fn tell_what_is_left(&mut self) {
        if let Some(durable) = self.durable.take() {
            // it waits for the disk; a panic was reported where it happened
            tokio::task::spawn_blocking(move || drop(durable)).await.ok();
        }
        let (kept, left) = {
            let outbox = self.shared.outbox();
            (outbox.kept(), outbox.len())
        };
        if kept > 0 {
            Notice::OutboxKept { messages: kept as u64 }.emit();
        }
        if left > kept {
            let reason = "stopped before the broker had taken them";
            Notice::OutboxDropped { messages: (left - kept) as u64, reason }.emit();
        }
    }

    /// Runs one connection: to its end, which is an error, or to the stop, which is none.
    pub async fn connect_once(&self, stop: &Stop) -> Result<(), Error> {
        let (options, room) = library::service_options(&self.spec)?;
        let (client, mut events) = AsyncClient::builder(options).capacity(room).build();
        let (tell, connected) = oneshot::channel();
        let result = {
            let mut drive = pin!(self.drive(&mut events, tell));
            tokio::select! {
                end = &mut drive => Err(self.ended(end)),
                result = self.feed(&client, connected, stop) => match result {
                    Ok(Ended::BeforeConnected) => Ok(()),
                    Ok(Ended::Connected) => {
                        self.leave(&client, drive).await;
                        Ok(())
                    }
                    Err(error) => Err(error),
                },
            }
        };
        self.shared.outbox().connection_lost();
        result
    }

    /// Keeps the library's event loop going until the connection ends, by `RequestsDone` where we ended it.
    ///
    /// A broker of which nothing is heard for one and a half times the interval at which it is asked for a sign of life
    /// is frozen, or the network is. The library would wait until it wants to ask for the second time.
    async fn drive(&self, events: &mut EventLoop, tell: oneshot::Sender<Connected>) -> End {
        let mut tell = Some(tell);
        let patience = self.spec.keep_alive.mul_f64(1.5);
        let mut heard = Instant::now();
        loop {
            let event = match timeout_at(heard + patience, events.poll()).await {
                Ok(Ok(event)) => event,
                Ok(Err(error)) => return End::Library(error),
                Err(_) => return End::Silent(patience),
            };
            if let Event::Incoming(_) = event {
                heard = Instant::now();
            }
            match event {
                Event::Incoming(Packet::ConnAck(ack)) => {
                    let largest = ack.properties.and_then(|properties| properties.max_packet_size);
                    let largest = largest.map_or(usize::MAX, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
                    let connected = Connected { session_present: ack.session_present, largest };
                    // Nobody listens where the stop was given in this moment; the caller ends this loop then.
                    tell.take().and_then(|tell| tell.send(connected).err());
                }
                Event::Incoming(Packet::Publish(publish)) => self.hear(arrival(publish)),
                Event::Incoming(Packet::SubAck(ack)) => self.subscribed(&ack.return_codes),
                _ => {}
            }
        }
    }

    fn hear(&self, arrival: Arrival) {
        let Some(Ear { arrivals, .. }) = &self.ear else { return };
        if let Err(error) = arrivals.try_send(arrival) {
            let arrival = error.into_inner();
            let total = self.shared.count_unheard();
            Notice::ArrivalDropped { topic: &arrival.topic, total }.emit();
        }
    }

    /// A broker that does not let us hear is told of, and answers go out as ever.
    fn subscribed(&self, codes: &[SubscribeReasonCode]) {
        let filters = self.ear.iter().flat_map(|ear| &ear.filters);
        for (filter, code) in filters.zip(codes) {
            if !matches!(code, SubscribeReasonCode::Success(_)) {
                let reason = format!("{code:?}");
                Notice::SubscriptionRefused { broker: &self.broker(), filter, reason: &reason }.emit();
            }
        }
    }

    fn broker(&self) -> String {
        self.spec.access.to_string()
    }

    fn broken(&self, source: impl std::error::Error + Send + Sync + 'static) -> Error {
        Error::Connection { broker: self.broker(), source: Box::new(source) }
    }

    fn ended(&self, end: End) -> Error {
        let error = match end {
            End::Library(error) => error,
            End::Silent(waited) => return Error::Silent { broker: self.broker(), waited },
        };
        if library::too_large(&error)
            && let Some(topic) = self.shared.outbox().give_up_largest()
        {
            Notice::MessageDropped { topic: &topic, reason: "the broker ended the connection because of its size" }
                .emit();
        }
        if let Some(again) = library::closed(&error) {
            return Error::Closed { broker: self.broker(), client_id: self.spec.client_id.clone(), again };
        }
        match error {
            ConnectionError::ConnectionRefused(
                code @ (ConnectReturnCode::BadUserNamePassword
                | ConnectReturnCode::NotAuthorized
                | ConnectReturnCode::BadAuthenticationMethod
                | ConnectReturnCode::Banned),
            ) => Error::Credentials { broker: self.broker(), code: format!("{code:?}") },
            error if library::is_tls(&error) => Error::Tls { broker: self.broker(), source: Box::new(error) },
            error => self.broken(error),
        }
    }
}

/// Why a connection ended.
#[derive(Debug)]
enum End {
    /// The library says why.
    Library(ConnectionError),
    /// Nothing was heard for so long.
    Silent(Duration),
}

/// What the broker said when it took the connection.
#[derive(Debug, Clone, Copy)]
struct Connected {
    session_present: bool,
    largest: usize,
}
