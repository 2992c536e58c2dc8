//! The test camera: footage and drawn frames are what they say they are.

use std::{path::PathBuf, time::Duration};

use wader::{
    frame::Size,
    scene::{self, Barcode, Clip, Drawn, Footage, Showing, Source},
};

use crate::support::video::{drawn, watch_scene};

/// The real footage, which `./x` puts into the cache.
fn footage() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").expect("a home folder")).join(".cache"));
    cache.join("wader/footage/vtest.avi")
}
