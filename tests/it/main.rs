//! All integration tests, one binary: one link instead of many.

mod config;
mod layers;
mod service;
mod support;
mod tidy;
mod camera;
mod scene;
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics, and so says where")]

mod answer;
mod mqtt;
mod service;
mod support;

mod model;
