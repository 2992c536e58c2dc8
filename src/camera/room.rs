//! Whether the process may have what another camera needs.
//!
//! GLib ends the process where it cannot have a descriptor or a thread, and every other camera with it: so a camera that could
//! run out of them does not begin. Limits are read, not tried: to take what is left, even for a moment, would do the harm
//! to whoever needs it in that moment.

use std::fs;

use rustix::process::{Resource, getrlimit};

use super::Error;

/// Descriptors that are to be free: more than the few cameras that begin at the same time will take.
const DESCRIPTORS: u64 = 160;
/// The same of threads.
const THREADS: u64 = 96;

/// Refuses to begin where there is no room. What cannot be read limits nothing.
pub(super) fn check() -> Result<(), Error> {
    let descriptors =
        (getrlimit(Resource::Nofile).current, fs::read_dir("/proc/self/fd").ok().map(|d| d.count() as u64));
    let threads = fs::read_dir("/proc/self/task").ok().map(|tasks| tasks.count() as u64);
    let all = [
        ("file descriptors", "`LimitNOFILE=` of the unit, or `ulimit -n`", descriptors, DESCRIPTORS),
        (
            "threads",
            "`LimitNPROC=` of the unit, or `ulimit -u`",
            (getrlimit(Resource::Nproc).current, threads),
            THREADS,
        ),
        ("threads", "`TasksMax=` of the unit, or the container's limit of processes", tasks_of_group(), THREADS),
    ];
    all.into_iter().try_for_each(|(what, remedy, (limit, taken), needed)| match (limit, taken) {
        (Some(limit), Some(taken)) if limit < taken.saturating_add(needed) => {
            Err(Error::NoRoom { what, limit, taken, needed, remedy })
        }
        _ => Ok(()),
    })
}

/// How many tasks the control group may have, and has.
fn tasks_of_group() -> (Option<u64>, Option<u64>) {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let folder = groups.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        match (parts.next()?, parts.next()?) {
            ("pids", path) => Some(format!("/sys/fs/cgroup/pids{path}")),
            ("", path) if fs::exists("/sys/fs/cgroup/cgroup.controllers").is_ok_and(|there| there) => {
                Some(format!("/sys/fs/cgroup{path}"))
            }
            _ => None,
        }
    });
    let read = |name| fs::read_to_string(format!("{}/pids.{name}", folder.as_ref()?)).ok()?.trim().parse().ok();
    (read("max"), read("current"))
}
