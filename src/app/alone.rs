//! One wader of a name in a state folder: two would write the same files, and the broker would put each out for the other.

use std::{
    fs::{self, File, TryLockError},
    io::Write,
    path::Path,
};

use super::{Error, memory};
use crate::config::Config;

/// The lock of the name; the system frees it with the process, however that ends.
#[derive(Debug)]
pub(super) struct Alone {
    _lock: File,
}

impl Alone {
    /// Takes the name, unless another process has it. Nothing where no file can be written: what needs the folder tells of it.
    pub(super) fn take(config: &Config) -> Result<Option<Self>, Error> {
        let client_id = &config.mqtt.client_id;
        let Some(path) = memory::file(config.state.as_deref(), client_id, "lock") else { return Ok(None) };
        let Some(mut lock) = opened(&path) else { return Ok(None) };
        match lock.try_lock() {
            Ok(()) => {
                // only for whoever is refused
                lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id())).ok();
                Ok(Some(Self { _lock: lock }))
            }
            Err(TryLockError::WouldBlock) => {
                let process = fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok());
                Err(Error::Taken { process, client_id: client_id.clone(), lock: path })
            }
            Err(TryLockError::Error(_)) => Ok(None), // a file system without locks
        }
    }
}

fn opened(path: &Path) -> Option<File> {
    fs::create_dir_all(path.parent()?).ok()?;
    File::options().create(true).truncate(false).write(true).open(path).ok()
}
