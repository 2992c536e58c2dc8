//! Tasks with a name, an owner and an end.

use std::{collections::HashMap, future::Future, time::Duration};

use tokio::task::{Id, JoinSet};

/// Owns a set of named tasks; dropping it aborts them.
#[derive(Debug, Default)]
pub struct Tasks {
    set: JoinSet<()>,
    names: HashMap<Id, String>,
}

/// A task that came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Which it was, also among those of one name.
    pub id: Id,
    /// The name it was started with.
    pub name: String,
    /// What it said if it panicked.
    pub panic: Option<String>,
}

impl Tasks {
    /// No tasks yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a task; says which it is.
    pub fn start(&mut self, name: impl Into<String>, task: impl Future<Output = ()> + Send + 'static) -> Id {
        let id = self.set.spawn(task).id();
        self.names.insert(id, name.into());
        id
    }

    /// Waits for the next task to end; `None` when there is none.
    pub async fn next_ended(&mut self) -> Option<Ended> {
        let (id, panic) = match self.set.join_next_with_id().await? {
            Ok((id, ())) => (id, None),
            Err(error) => (error.id(), Some(panic_text(error))),
        };
        let name = self.names.remove(&id).unwrap_or_default();
        Some(Ended { id, name, panic })
    }

    /// Waits until all have ended; those that need longer than `within` are aborted and named.
    pub async fn finish(&mut self, within: Duration) -> Vec<String> {
        let all = async { while self.next_ended().await.is_some() {} };
        if tokio::time::timeout(within, all).await.is_ok() {
            return Vec::new();
        }
        self.set.abort_all();
        let mut late: Vec<String> = self.names.drain().map(|(_, name)| name).collect();
        late.sort();
        late
    }
}

fn panic_text(error: tokio::task::JoinError) -> String {
    match error.try_into_panic() {
        Ok(payload) => panic_message(payload.as_ref()),
        Err(error) => error.to_string(),
    }
}

/// What a panic said, as far as it was text.
pub fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a text".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_is_late_is_named_and_who_panicked_says_what() {
        let mut tasks = Tasks::new();
        let id = tasks.start("broken", async { panic!("no such thing") });
        let ended = tasks.next_ended().await.unwrap();
        assert_eq!(ended, Ended { id, name: "broken".into(), panic: Some("no such thing".into()) });
        tasks.start("quick", async {});
        tasks.start("stuck", std::future::pending());
        assert_eq!(tasks.finish(Duration::from_secs(5)).await, ["stuck"]);
    }
}
