//! Prompts that are shown, not told: the two graphs, what the engine makes of them, and the service with a real camera.

mod command;
mod engine;
mod feedback;
mod graphs;
mod service;
