//! Speaks to the service manager: ready, what we do, stopping, still alive. Outside systemd all of it does nothing.

use std::time::Duration;

use sd_notify::NotifyState;

/// The service manager, if there is one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Notify;

impl Notify {
    /// The work has begun; until then `systemctl start` waits.
    pub fn ready(self) {
        send(&[NotifyState::Ready]);
    }

    /// One line about what goes on, for `systemctl status`.
    pub fn status(self, text: &str) {
        // A line break would end the status and begin another message.
        send(&[NotifyState::Status(&text.replace(['\n', '\r'], " "))]);
    }

    /// The end has begun.
    pub fn stopping(self) {
        send(&[NotifyState::Stopping]);
    }

    /// Work was done: to be called only on proof of it, never by a timer.
    pub fn watchdog(self) {
        send(&[NotifyState::Watchdog]);
    }

    /// How long the manager waits for [`Notify::watchdog`]; `None` when it does not watch.
    pub fn watchdog_timeout(self) -> Option<Duration> {
        sd_notify::watchdog_enabled()
    }
}

fn send(states: &[NotifyState<'_>]) {
    // The work is worth more than the manager's knowledge of it.
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::net::UnixDatagram, process::Command};

    use super::*;

    /// Run by itself, outside systemd: nothing happens. Run by the next test, the states go to its socket.
    #[test]
    fn all_states_can_be_told_to_nobody() {
        Notify.ready();
        Notify.status("2 cameras\nREADY=1");
        Notify.watchdog();
        Notify.stopping();
    }

    #[test]
    fn under_systemd_each_state_reaches_its_socket() {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        // The environment of a running process cannot be changed safely; so another process.
        let told = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "systemd::tests::all_states_can_be_told_to_nobody"])
            .env("NOTIFY_SOCKET", folder.path().join("notify"))
            .output()
            .unwrap();
        assert!(told.status.success());
        socket.set_nonblocking(true).unwrap();
        let mut buffer = [0; 256];
        let mut received = Vec::new();
        while let Ok(length) = socket.recv(&mut buffer) {
            received.push(String::from_utf8_lossy(&buffer[..length]).trim_end().to_owned());
        }
        assert_eq!(received, ["READY=1", "STATUS=2 cameras READY=1", "WATCHDOG=1", "STOPPING=1"]);
    }
}
