//! Deliver messages, survive the broker.
