//! What people see: one page of what stands just now, and the figures for Prometheus, over HTTP.
//!
//! Reads only. The page has no script, and whatever a model or a stranger wrote is escaped.

mod limited;
mod page;
mod server;

pub use page::{Camera, Page, Prompt};
pub use server::{Server, Shown};
