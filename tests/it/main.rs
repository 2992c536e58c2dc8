//! All integration tests, one binary: one link instead of many.

mod config;
mod service;
mod support;
