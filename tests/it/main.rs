//! All integration tests, one binary: one link instead of many.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics, and so says where")]

mod answer;
mod camera;
mod config;
mod examples;
mod flow;
mod json;
mod layers;
mod model;
mod mqtt;
mod run;
mod scene;
mod service;
mod support;
mod tidy;
