//! All integration tests, one binary: one link instead of many.

mod config;
mod camera;
mod scene;
mod support;

mod model;
