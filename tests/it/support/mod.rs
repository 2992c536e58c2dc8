//! What several integration tests need.

pub(crate) mod broker;
pub(crate) mod config;
pub(crate) mod evil_rtsp;
pub(crate) mod failing;
pub(crate) mod faults;
pub(crate) mod interleaved;
pub(crate) mod model;
pub(crate) mod preload;
pub(crate) mod proxy;
pub(crate) mod recording;
pub(crate) mod service;
pub(crate) mod tree;
pub(crate) mod video;
pub(crate) mod web;
pub(crate) mod wrapped;
