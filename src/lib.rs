//! wader watches live cameras and answers standing questions about them.
//!
//! The way of the data, which is the order of the modules below:
//! a `camera` turns a stream into `frame`s, a `window` chooses the frames worth asking about,
//! `sight` whether they show anything, the `engine` runs the `model` over each frame, window and `prompt` once, an `answer` says what the reply
//! means over time, and `mqtt` delivers it; `web` shows it. `app` puts these together; `config` says how.

pub mod answer;
pub mod app;
pub mod camera;
pub mod cli;
pub mod config;
pub mod engine;
pub mod frame;
pub mod model;
pub mod mqtt;
pub mod name;
pub mod prompt;
pub mod scene;
pub mod sight;
pub mod store;
pub mod supervise;
pub mod systemd;
pub mod telemetry;
pub mod web;
pub mod window;
