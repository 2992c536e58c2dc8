//! What several integration tests need.
pub(crate) mod config;
pub(crate) mod tree;

pub(crate) mod video;

pub(crate) mod model;

pub(crate) mod broker;
