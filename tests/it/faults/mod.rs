//! The fault matrix: what breaks, row by row, and what it costs. Each row makes its fault, measures, and records it.

mod broker;
mod camera;
mod hostile;
mod matrix;
mod media;
mod mqtt;
mod outbox;
mod refusal;
mod rig;
mod time;
