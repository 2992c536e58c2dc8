//! The fault matrix: what breaks, row by row, and what it costs. Each row prints what it measured against its target.

mod camera;
mod media;
mod refusal;
mod rig;
mod time;
