//! One user and password for many cameras of one host: a refusal of one is a refusal of all.
//!
//! A recorder's channels share an account, which it locks after a few wrong passwords, whichever channel they were for.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{Address, retry::refused_for};
use crate::{
    frame::Stamp,
    supervise::{Turn, Turns},
};

/// Who uses a login of which nobody knows whether it is right does so alone, but for no longer than this: a camera that neither
/// lets in nor refuses must not keep the others of its host waiting.
const ALONE: Duration = Duration::from_secs(2);

/// What is known of all logins; clones know the same.
#[derive(Debug, Clone, Default)]
pub struct Logins(Arc<Mutex<HashMap<u64, Known>>>);

/// What is known of one.
#[derive(Debug)]
struct Known {
    turns: Turns,
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// It was not tried, or somebody who was let in has lost the camera since: the password may be another now.
    Unknown,
    Good,
    /// So many times in a row; nobody tries it before this.
    Refused {
        times: u32,
        until: Stamp,
    },
}

/// A try with a login.
#[derive(Debug)]
pub struct Login {
    logins: Logins,
    /// `None`: an address without a password.
    key: Option<u64>,
    turn: Option<Turn>,
}

impl Logins {
    /// Begins a try with an address's login, after those who try the same one. The error is for how long nobody is to try it.
    pub async fn enter(&self, address: &Address) -> Result<Login, Duration> {
        let Some(key) = key_of(address) else {
            return Ok(Login { logins: self.clone(), key: None, turn: None });
        };
        let turns = {
            let mut known = self.lock();
            let known =
                known.entry(key).or_insert_with(|| Known { turns: Turns::new(1, ALONE), state: State::Unknown });
            if matches!(known.state, State::Good) {
                return Ok(Login { logins: self.clone(), key: Some(key), turn: None });
            }
            known.turns.clone()
        };
        let turn = turns.next().await;
        // what became of those before
        let turn = match self.state(key) {
            State::Good => None,
            State::Refused { until, .. } if !until.since(Stamp::now()).is_zero() => {
                return Err(until.since(Stamp::now()));
            }
            State::Unknown | State::Refused { .. } => Some(turn),
        };
        Ok(Login { logins: self.clone(), key: Some(key), turn })
    }

    fn state(&self, key: u64) -> State {
        self.lock().get(&key).map_or(State::Unknown, |known| known.state)
    }

    fn set(&self, key: u64, state: State) {
        if let Some(known) = self.lock().get_mut(&key) {
            known.state = state;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Login {
    /// The camera let us in.
    pub fn is_good(&mut self) {
        self.key.inspect(|&key| self.logins.set(key, State::Good));
        self.turn = None;
    }

    /// The camera refused it.
    pub fn is_refused(&mut self) {
        if let Some(key) = self.key {
            let before = if let State::Refused { times, .. } = self.logins.state(key) { times } else { 0 };
            let times = before.saturating_add(1);
            self.logins.set(key, State::Refused { times, until: Stamp::now().later_by(refused_for(times)) });
        }
        self.turn = None;
    }

    /// The camera broke for another reason.
    pub fn is_lost(&mut self) {
        if let Some(key) = self.key.filter(|&key| matches!(self.logins.state(key), State::Good)) {
            self.logins.set(key, State::Unknown);
        }
        self.turn = None;
    }

    /// Lets others try when this one has tried alone for long enough; does nothing, for ever, once they may.
    pub async fn grow_old(&mut self) {
        match &mut self.turn {
            Some(turn) => turn.grow_old().await,
            None => std::future::pending().await,
        }
    }
}

/// Host, user and password, as a number: it stands in no log, and holds no password.
fn key_of(address: &Address) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    (address.door()?.0, address.user(), address.password()?).hash(&mut hasher);
    Some(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    #[tokio::test]
    async fn who_shares_a_login_waits_for_who_tries_it_and_is_refused_with_him() {
        let logins = Logins::default();
        let (one, two) = (address("rtsp://u:p@nvr/1"), address("rtsp://u:p@nvr/2"));
        let mut first = logins.enter(&one).await.unwrap();
        let mut second = Box::pin(logins.enter(&two));
        assert!(futures_util::poll!(second.as_mut()).is_pending());
        first.is_refused();
        let left = second.await.unwrap_err();
        assert!(left > Duration::from_secs(290) && left <= Duration::from_secs(300), "{left:?}");
        assert!(logins.enter(&one).await.is_err());
        assert!(logins.enter(&address("rtsp://u:other@nvr/1")).await.is_ok(), "another password is another login");
        assert!(logins.enter(&address("rtsp://u:p@other/1")).await.is_ok(), "of another host");
    }

    #[tokio::test]
    async fn once_one_is_let_in_all_are_and_one_that_was_lost_is_tried_alone_again() {
        let logins = Logins::default();
        let of = |number| address(&format!("rtsp://u:p@nvr/{number}"));
        let mut first = logins.enter(&of(1)).await.unwrap();
        first.is_good();
        let (mut second, _third) = (logins.enter(&of(2)).await.unwrap(), logins.enter(&of(3)).await.unwrap());
        second.is_lost();
        let _alone = logins.enter(&of(2)).await.unwrap();
        assert!(futures_util::poll!(Box::pin(logins.enter(&of(3))).as_mut()).is_pending());
    }

    #[tokio::test]
    async fn an_address_without_a_password_waits_for_nobody() {
        let logins = Logins::default();
        let open = address("rtsp://nvr/1");
        let (_first, mut second) = (logins.enter(&open).await.unwrap(), logins.enter(&open).await.unwrap());
        second.is_refused();
        assert!(logins.enter(&open).await.is_ok());
    }
}
