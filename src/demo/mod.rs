//! The first five minutes, and the smoke test: a real camera, broker and model, all on this machine.

mod truth;
