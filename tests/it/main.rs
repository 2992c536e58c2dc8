//! All integration tests, one binary: one link instead of many.

mod config;
mod layers;
mod service;
mod support;
mod tidy;
