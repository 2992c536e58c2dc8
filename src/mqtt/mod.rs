//! Deliver messages, survive the broker.
//!
//! `topics` says where, `message` what and how, `outbox` what waits and what goes first when there is no room,
//! `handle` takes messages in,
//! `client` keeps the connection. `listen` is a subscriber of its own, `broker` a broker inside the process.
//! Knows no model and no camera; subscribing to asks is not here yet.

mod access;
pub mod broker;
mod client;
mod handle;
mod listen;
mod message;
pub mod outbox;
mod topics;

pub use access::{Access, AccessError};
pub use client::{Error, Publisher, Spec};
pub use handle::{Handle, Link};
pub use listen::{Arrival, ListenError, Listener};
pub use message::{CameraStatus, Class, Content, Message, ServiceStatus};
pub use topics::{PrefixError, Topics};
