//! Choose the frames worth asking about.
