//! All integration tests, one binary: one link instead of many.

mod answer;
mod mqtt;
mod support;
