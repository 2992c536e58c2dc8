//! What several integration tests need.
pub(crate) mod config;
pub(crate) mod tree;
