//! The fault matrix: what breaks, row by row, and what it costs. Each row makes its fault, measures, and records it.

mod broker;
mod camera;
mod host;
mod hostile;
mod inference;
mod matrix;
mod media;
mod mqtt;
mod outbox;
mod overload;
mod refusal;
mod rig;
mod time;
