//! One way to say what went wrong: in the log, and on the error topic.

use std::time::SystemTime;

use crate::{
    mqtt::{Arrival, Code, Complaint, Handle, Message, Topics},
    telemetry::Event,
};

/// Refuses what a broker keeps: it would be heard again at each start. `what` begins the sentence.
pub(super) fn not_retained(arrival: &Arrival, what: &str) -> Result<(), (Code, String)> {
    if !arrival.retained {
        return Ok(());
    }
    let message = format!("{what} on `{}` is kept by the broker; send it without `retain`", arrival.topic);
    Err((Code::RetainedCommand, message))
}

/// Logs a complaint and publishes it.
pub(super) fn complain(outbox: &Handle, topics: &Topics, complaint: &Complaint) {
    let complaint = &complaint.bounded();
    Event::Complained { code: complaint.code.word(), message: &complaint.message }.emit();
    outbox.offer(Message::error(topics, complaint, SystemTime::now()));
}
