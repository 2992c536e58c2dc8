//! What a prompt may leave out: what `[defaults.prompt]`, a prompt, and its `on` tables may each write.

use std::time::Duration;

use super::{
    super::{MIN_PROBABILITY, Publish, WINDOW, file},
    checker::Checker,
    hours,
    limits::Limits,
};
use crate::{prompt::Hours, window::Spec};

const EVERY: Duration = Duration::from_secs(2);
const MAX_TIME: Duration = Duration::from_secs(10);
const MAX_TOKENS: usize = 32;
const MAX_JSON_TOKENS: usize = 256;

/// What a prompt may leave out.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    /// `None` leaves it to the kind of answer.
    pub(super) max_tokens: Option<usize>,
    pub(super) max_time: Duration,
    pub(super) every: Duration,
    pub(super) window: Spec,
    pub(super) publish: Publish,
    pub(super) hold: u32,
    pub(super) min_probability: f64,
    /// `None` is as `min_probability`.
    pub(super) keep_probability: Option<f64>,
    pub(super) cooldown: Duration,
    pub(super) escalate_after: Option<Duration>,
    /// Whether it is the prompt's own, or of all.
    pub(super) escalate_own: bool,
    pub(super) escalate_state: Option<State>,
    pub(super) active: Hours,
    pub(super) ask_blind: bool,
    pub(super) image: bool,
    pub(super) enabled: bool,
}

impl Settings {
    /// The most tokens of an answer that is a text.
    pub(super) fn text_tokens(&self) -> usize {
        self.max_tokens.unwrap_or(MAX_TOKENS)
    }

    /// The same of one that is JSON.
    pub(super) fn json_tokens(&self) -> usize {
        self.max_tokens.unwrap_or(MAX_JSON_TOKENS)
    }

    /// Where nothing is written.
    pub(super) fn built_in(limits: &Limits<'_>) -> Self {
        Self {
            max_tokens: None,
            max_time: MAX_TIME,
            every: EVERY,
            window: within(WINDOW, limits),
            publish: Publish::OnChange,
            hold: 1,
            min_probability: MIN_PROBABILITY,
            keep_probability: None,
            cooldown: Duration::ZERO,
            escalate_after: None,
            escalate_own: false,
            escalate_state: None,
            active: Hours::default(),
            ask_blind: false,
            image: false,
            enabled: true,
        }
    }

    /// What is written below `path`, and else of `base`.
    pub(super) fn read(
        checker: &mut Checker<'_>,
        path: &[&str],
        given: &file::PromptDefaults,
        base: &Self,
        limits: &Limits<'_>,
    ) -> Self {
        let at = |key: &'static str| [path, &[key]].concat();
        let window = |key: &'static str| [path, &["window", key]].concat();
        let publish = [("on_change", Publish::OnChange), ("always", Publish::Always)];
        let frames = checker.within(
            &window("frames"),
            given.window.frames,
            base.window.frames,
            1..=limits.sources.max_window_frames,
        );
        let hour = Duration::from_secs(3600);
        let span = checker.time_within(&window("span"), given.window.span, base.window.span, Duration::ZERO..=hour);
        if span.is_zero() && frames > 1 && given.window.span.is_some() {
            checker.wrong_with(&window("span"), format!("{frames} frames need time between them"), "such as `\"7s\"`");
        }
        let bounds = 0.0..=1.0;
        let min_probability =
            checker.within(&at("min_probability"), given.min_probability, base.min_probability, bounds.clone());
        if let Some(keep) = given.keep_probability {
            checker.within(&at("keep_probability"), Some(keep), min_probability, bounds.clone());
            if bounds.contains(&keep) && keep > min_probability {
                let wrong = format!("is more than `min_probability`, which is {min_probability}");
                checker.wrong_with(
                    &at("keep_probability"),
                    wrong,
                    "the state needs less to be kept than to be changed",
                );
            }
        }
        let state = given.escalate.state.as_ref().map(|file::Word(word)| State {
            word: word.clone(),
            written: [path, &["escalate", "state"]].concat().iter().map(|&key| key.to_owned()).collect(),
        });
        let active = given.active.as_ref().map(|active| hours::read(checker, &at("active"), active));
        let second = Duration::from_secs(1);
        Self {
            max_tokens: match given.max_tokens {
                None => base.max_tokens,
                told => Some(checker.within(&at("max_tokens"), told, MAX_TOKENS, 1..=256)),
            },
            max_time: checker.time_within(
                &at("max_time"),
                given.max_time,
                base.max_time,
                Duration::from_millis(100)..=hour,
            ),
            every: checker.time_within(&at("every"), given.every, base.every, Duration::from_millis(100)..=24 * hour),
            window: Spec { frames, span },
            publish: checker.choose(&at("publish"), given.publish.as_deref(), base.publish, &publish),
            hold: checker.within(&at("hold"), given.hold, base.hold, 1..=1000),
            min_probability,
            keep_probability: given.keep_probability.or(base.keep_probability),
            cooldown: checker.time_within(&at("cooldown"), given.cooldown, base.cooldown, Duration::ZERO..=24 * hour),
            escalate_after: checker.limit_within(
                &[path, &["escalate", "after"]].concat(),
                given.escalate.after,
                base.escalate_after,
                second..=7 * 24 * hour,
            ),
            escalate_own: base.escalate_own || given.escalate.after.is_some() && path[0] != "defaults",
            escalate_state: state.or_else(|| base.escalate_state.clone()),
            active: active.unwrap_or_else(|| base.active.clone()),
            ask_blind: given.ask_blind.unwrap_or(base.ask_blind),
            image: given.image.unwrap_or(base.image),
            enabled: given.enabled.unwrap_or(base.enabled),
        }
    }
}

/// A window of as many frames as there may be.
pub(super) fn within(window: Spec, limits: &Limits<'_>) -> Spec {
    Spec { frames: window.frames.min(limits.sources.max_window_frames), ..window }
}

/// A state that a prompt's settings name, which may be none of its answers.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) word: String,
    /// The key that holds it.
    pub(super) written: Vec<String>,
}

impl State {
    pub(super) fn place(&self) -> Vec<&str> {
        self.written.iter().map(String::as_str).collect()
    }

    /// Whether it stands where it is meant for each prompt that has such an answer.
    pub(super) fn is_for_all(&self) -> bool {
        self.written.first().is_some_and(|table| table == "defaults")
    }
}
