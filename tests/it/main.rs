//! All integration tests, one binary: one link instead of many.

mod camera;
mod scene;
mod support;
