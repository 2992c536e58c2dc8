//! One connection's work: sends what waits, takes acknowledgements, and says goodbye.

use std::{collections::HashSet, sync::Arc, time::Duration};

use futures_util::stream::{FuturesUnordered, StreamExt};
use rumqttc::{
    AsyncClient, ConnectionError, PubAckReason, PublishNoticeError, PublishOptions, PublishResult, QoS,
    SubscribeFilterInput,
};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep_until},
};
use tracing::debug;

use super::{
    Connected, End, Error, Publisher,
    library::publish_options,
    watch::{Outstanding, Overdue},
};
use crate::{
    frame::Stamp,
    mqtt::{
        Link, ServiceStatus,
        outbox::{Next, Ticket},
    },
    supervise::Stop,
    telemetry::Event as Notice,
};

/// How long the last word before a stop may take: the disk is told after it, and all has to end in time.
const GOODBYE_WITHIN: Duration = Duration::from_millis(600);

impl Publisher {
    /// Sends what waits and takes acknowledgements, until the connection hangs or `stop` is given.
    pub(super) async fn feed(
        &self,
        client: &AsyncClient,
        connected: oneshot::Receiver<Connected>,
        stop: &Stop,
    ) -> Result<Ended, Error> {
        let connected = tokio::select! {
            Ok(connected) = connected => connected,
            () = stop.given() => return Ok(Ended::BeforeConnected),
        };
        Notice::BrokerConnected { broker: &self.broker() }.emit();
        self.shared.link.send_replace(Link::Connected);
        self.shared.outbox().connected(!connected.session_present, Stamp::now());
        self.subscribe(client)?;
        self.publish_status(client, ServiceStatus::Online)?;
        let mut warned = HashSet::new();
        let mut acknowledgements = FuturesUnordered::new();
        let mut outstanding = Outstanding::new(self.spec.acknowledge_within, Instant::now());
        let mut give_up_at = None;
        loop {
            while let Some(next) = self.next(connected.largest) {
                let (ticket, message) = match next {
                    Next::Send(ticket, message) => (ticket, message),
                    Next::TooLarge { topic, size } => {
                        if warned.insert(Arc::clone(&topic)) {
                            let reason = format!("of {size} bytes; the broker takes {}", connected.largest);
                            Notice::MessageDropped { topic: &topic, reason: &reason }.emit();
                        }
                        continue;
                    }
                };
                outstanding.sent(ticket, Instant::now());
                let notice = client
                    .try_publish_tracked(message.topic.to_string(), message.payload.clone(), publish_options(&message))
                    .map_err(|error| self.broken(error))?;
                acknowledgements.push(async move { (ticket, notice.wait_async().await) });
            }
            if give_up_at.is_some() && acknowledgements.is_empty() {
                return Ok(Ended::Connected);
            }
            let due = outstanding.due();
            let (due_at, overdue) = due.unwrap_or((Instant::now(), Overdue::All));
            tokio::select! {
                Some((ticket, result)) = acknowledgements.next() => {
                    outstanding.acknowledged(ticket, Instant::now());
                    self.acknowledge(ticket, result, &mut warned)?;
                }
                () = self.shared.offered.notified() => {}
                () = sleep_until(due_at), if due.is_some() => return Err(self.overdue(overdue)),
                () = stop.given(), if give_up_at.is_none() => give_up_at = Some(Instant::now() + self.spec.stop_within),
                () = sleep_until(give_up_at.unwrap_or(due_at)), if give_up_at.is_some() => {
                    return Ok(Ended::Connected);
                }
            }
        }
    }

    fn overdue(&self, overdue: Overdue) -> Error {
        let (broker, waited) = (self.broker(), self.spec.acknowledge_within);
        match overdue {
            Overdue::All => Error::Unacknowledged { broker, waited },
            Overdue::One => Error::PassedOver { broker, waited },
        }
    }

    fn next(&self, largest: usize) -> Option<Next> {
        self.shared.outbox().next(Stamp::now(), largest)
    }

    fn acknowledge(
        &self,
        ticket: Ticket,
        result: Result<PublishResult, PublishNoticeError>,
        warned: &mut HashSet<Arc<str>>,
    ) -> Result<(), Error> {
        let reason = match result {
            Ok(PublishResult::Qos1(ack))
                if !matches!(ack.reason, PubAckReason::Success | PubAckReason::NoMatchingSubscribers) =>
            {
                format!("{:?}", ack.reason)
            }
            Ok(_) => {
                self.shared.outbox().arrived(ticket);
                return Ok(());
            }
            Err(error @ PublishNoticeError::RetainNotSupported) => error.to_string(),
            // The library gave it up; the message goes back to the outbox with all others under way.
            Err(error) => return Err(self.broken(error)),
        };
        if let Some(topic) = self.shared.outbox().refused(ticket)
            && warned.insert(Arc::clone(&topic))
        {
            Notice::MessageDropped { topic: &topic, reason: &format!("the broker refuses it: {reason}") }.emit();
        }
        Ok(())
    }

    /// Publishes that this service was stopped, and ends the connection in order: else the broker would publish the
    /// last will.
    pub(super) async fn leave(&self, client: &AsyncClient, drive: impl Future<Output = End>) {
        let said = self.publish_status(client, ServiceStatus::Stopped);
        let asked = client.try_disconnect_with_timeout(GOODBYE_WITHIN);
        if let (Ok(()), Ok(())) = (said, asked)
            && let Ok(End::Library(ConnectionError::RequestsDone)) = tokio::time::timeout(GOODBYE_WITHIN, drive).await
        {
            debug!("disconnected from the broker");
        } else {
            Notice::StopLate { task: "the broker's leave" }.emit();
        }
    }

    /// Also where the broker has kept the session: an older wader may have left it, with other topics.
    ///
    /// Whoever says something that the broker is to keep is seen to do so even while we listen: what is kept would be
    /// obeyed again at each start.
    fn subscribe(&self, client: &AsyncClient) -> Result<(), Error> {
        let Some(ear) = &self.ear else { return Ok(()) };
        let filters = ear.filters.iter();
        let filters = filters.map(|filter| SubscribeFilterInput::new(filter, QoS::AtLeastOnce).preserve_retain(true));
        client.try_subscribe_many(filters).map_err(|error| self.broken(error))
    }

    /// Not through the outbox: whether the service is connected is true of this connection only.
    fn publish_status(&self, client: &AsyncClient, status: ServiceStatus) -> Result<(), Error> {
        let options = PublishOptions::at_least_once().retained();
        let published = client.try_publish(self.spec.topics.status(), status.word(), options);
        published.map_err(|error| self.broken(error))
    }
}

/// How a connection stood when the stop was given.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ended {
    BeforeConnected,
    Connected,
}
