//! Why messages are given up, and how many were.

use crate::mqtt::Class;

/// Why a message was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Loss {
    /// There was no room.
    Full,
    /// It waited too long.
    TooOld,
    /// A newer state or status took its place.
    Replaced,
    /// It is larger than the broker's largest packet.
    TooLarge,
    /// The broker would not take it.
    Refused,
}

impl Loss {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Full, Self::TooOld, Self::Replaced, Self::TooLarge, Self::Refused];

    /// The stable word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::TooOld => "too_old",
            Self::Replaced => "replaced",
            Self::TooLarge => "too_large",
            Self::Refused => "refused",
        }
    }
}

/// Messages given up since the start, by reason and class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Losses([[u64; Class::ALL.len()]; Loss::ALL.len()]);

impl Losses {
    /// How many of this class were given up for this reason.
    pub const fn of(&self, loss: Loss, class: Class) -> u64 {
        self.0[loss as usize][class as usize]
    }
    /// How many were given up for this reason.
    pub fn by(&self, loss: Loss) -> u64 {
        self.0[loss as usize].iter().sum()
    }
    pub(super) const fn count(&mut self, loss: Loss, class: Class) {
        self.0[loss as usize][class as usize] += 1;
    }
}
