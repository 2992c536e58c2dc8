//! What a reply means over time.
