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

/// Logs a complaint and publishes it, unless too many of its kind came at once: then it is counted, and the next tells how
/// many there were.
pub(super) fn complain(outbox: &Handle, topics: &Topics, complaint: &Complaint) {
    if let Some(untold) = outbox.may_complain(complaint.code) {
        tell(outbox, topics, complaint, untold);
    }
}

/// Tells of what was counted only, where no other complaint of its kind came to tell it.
pub(super) fn tell_the_rest(outbox: &Handle, topics: &Topics) {
    for (code, untold) in outbox.untold_complaints() {
        let message = format!("{untold} more with this code are not told one by one: too many came at once");
        tell(outbox, topics, &Complaint::new(code, message), untold);
    }
}

fn tell(outbox: &Handle, topics: &Topics, complaint: &Complaint, untold: u64) {
    let complaint = &complaint.bounded();
    Event::Complained { code: complaint.code.word(), message: &complaint.message, untold }.emit();
    outbox.offer(Message::error(topics, complaint, untold, SystemTime::now()));
}
