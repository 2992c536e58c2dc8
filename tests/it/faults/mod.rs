//! The fault matrix: each row a test that makes the fault, measures what it cost, and records it.

mod broker;
mod matrix;
mod mqtt;
mod outbox;
