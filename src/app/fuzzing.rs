//! A door for fuzz targets: what strangers ask, and what is read back at a start.

use std::path::Path;

use super::{asks::kind, memory::Memory};
use crate::{mqtt::wire::read_ask, prompt::AnswerKind};

/// How a question is answered that stands in this message; else what its asker is told.
pub fn understood(payload: &[u8]) -> Result<AnswerKind, String> {
    kind(&read_ask(payload)?)
}

/// Reads what is remembered in this folder, under this client id, and writes it again; whether it could be read. What it
/// wrote must be remembered as it was.
pub fn remembered_again(folder: &Path, client_id: &str) -> bool {
    let memory = Memory::new(Some(folder), client_id);
    let Ok(before) = memory.read() else { return false };
    memory.write(&before).is_ok() && memory.read().is_ok_and(|after| after == before)
        || panic!("what was remembered is forgotten: {before:?}")
}
