//! Deliver messages, survive the broker.
//!
//! `topics` says where, `message` what and how, `outbox` what waits and what goes first when there is no room, `handle`
//! takes messages in, `durable` keeps them on the disk until the broker has them, `flood` keeps complaints about floods
//! from being floods, `client` keeps the connection and hears what others want. `listen` is a subscriber of its own,
//! `arrival` a message as either of them gets it, `broker` a broker inside the process. `wire` and `discovery` are what
//! this service says of itself, in JSON.
//! Knows no model and no camera.

mod access;
mod arrival;
pub mod asyncapi;
pub mod broker;
mod client;
mod complaint;
pub mod discovery;
mod durable;
mod flood;
mod handle;
mod listen;
mod message;
pub mod outbox;
mod topics;
pub mod wire;

pub use access::{Access, AccessError};
pub use arrival::{Arrival, LONGEST_TOPIC, MOST_LEVELS, covers};
pub use client::{Error, Publisher, Spec};
pub use complaint::{Code, Complaint, in_a_line};
pub use handle::{Disk, Handle, Link};
pub use listen::{ListenError, Listener};
pub use message::{CameraStatus, Class, Content, Message, OFF, ON, ServiceStatus};
pub use topics::{PrefixError, Topics};
