//! One way to say what went wrong: in the log, and on the error topic.

use std::time::SystemTime;

use crate::{
    mqtt::{Complaint, Handle, Message, Topics},
    telemetry::Event,
};

/// Logs a complaint and publishes it.
pub(super) fn complain(outbox: &Handle, topics: &Topics, complaint: &Complaint) {
    Event::Complained { code: complaint.code.word(), message: &complaint.message }.emit();
    outbox.offer(Message::error(topics, complaint, SystemTime::now()));
}
