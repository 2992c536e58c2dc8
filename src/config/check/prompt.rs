//! `[prompts]` and `[defaults.prompt]`.

use std::{collections::BTreeMap, num::NonZeroU32, time::Duration};

use super::{
    super::{
        CameraConfig, EscalateConfig, MIN_PROBABILITY, PromptConfig, Publish, WINDOW,
        allowed::{LONGEST_ASK, LONGEST_LABEL},
        duration, file,
        problem::suggest,
    },
    checker::Checker,
    examples, groups, hours,
    limits::Limits,
    schema,
    text::text_for_model,
    wordings,
};
use crate::{
    name::{CameraName, PromptName},
    prompt::{AnswerKind, Hours, MOST_ANSWERS, Prompt},
    window::Spec,
};

/// The standing prompt of files that name none.
const CAPTION: &str = "caption";
const CAPTION_ASK: &str = "Describe what happens.";
const CAPTION_EVERY: Duration = Duration::from_secs(10);

const EVERY: Duration = Duration::from_secs(2);
/// What a prompt with examples looks at: enough for who walks by not to be seen.
const SHOWN: Spec = Spec { frames: 3, span: Duration::from_secs(2) };
const MAX_TOKENS: usize = 32;
const MAX_JSON_TOKENS: usize = 256;
const MAX_TIME: Duration = Duration::from_secs(10);
const MIN_NUMBER: u32 = 0;
const MAX_NUMBER: u32 = 10;

/// What a prompt may leave out.
#[derive(Debug, Clone)]
struct Settings {
    /// `None` leaves it to the kind of answer.
    max_tokens: Option<usize>,
    max_time: Duration,
    every: Duration,
    window: Spec,
    publish: Publish,
    hold: u32,
    min_probability: f64,
    /// `None` is as `min_probability`.
    keep_probability: Option<f64>,
    cooldown: Duration,
    escalate_after: Option<Duration>,
    /// Whether it is the prompt's own, or of all.
    escalate_own: bool,
    escalate_state: Option<State>,
    active: Hours,
    ask_blind: bool,
    image: bool,
    enabled: bool,
}

/// A state that a prompt's settings name, which may be none of its answers.
#[derive(Debug, Clone)]
struct State {
    word: String,
    /// The key that holds it.
    written: Vec<String>,
}

impl State {
    fn place(&self) -> Vec<&str> {
        self.written.iter().map(String::as_str).collect()
    }

    /// Whether it stands where it is meant for each prompt that has such an answer.
    fn is_for_all(&self) -> bool {
        self.written.first().is_some_and(|table| table == "defaults")
    }
}

/// All prompts that could be read; `caption` when none is written.
pub(super) fn prompts(
    checker: &mut Checker<'_>,
    defaults: &file::PromptDefaults,
    prompts: BTreeMap<String, file::Prompt>,
    limits: &Limits<'_>,
) -> Vec<PromptConfig> {
    let built_in = Settings {
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
    };
    let base = settings(checker, &["defaults", "prompt"], defaults, &built_in, limits);
    if prompts.is_empty() {
        let every = if defaults.every.is_some() { base.every } else { CAPTION_EVERY };
        return caption(checker, Settings { every, ..base }, limits).into_iter().collect();
    }
    let told = defaults.window.frames.is_some() || defaults.window.span.is_some();
    let shown = Settings { window: within(if told { base.window } else { SHOWN }, limits), ..base.clone() };
    let base_of = |prompt: &file::Prompt| if prompt.examples.is_some() { &shown } else { &base };
    let all = prompts.len();
    let read = prompts.into_iter().filter_map(|(name, prompt)| one(checker, &name, &prompt, base_of(&prompt), limits));
    let read: Vec<PromptConfig> = read.collect();
    if let Some(state) = &base.escalate_state {
        let labels: Vec<String> = read.iter().flat_map(|prompt| prompt.prompt.kind.labels()).collect();
        if read.len() == all && !labels.contains(&state.word) {
            let right = suggest(&state.word, labels.iter().map(String::as_str)).unwrap_or_default();
            checker.wrong_with(&state.place(), "is no answer of any prompt", right);
        }
    }
    read
}

fn caption(checker: &mut Checker<'_>, settings: Settings, limits: &Limits<'_>) -> Option<PromptConfig> {
    let prompt = Prompt {
        name: PromptName::new(CAPTION).ok()?,
        ask: CAPTION_ASK.to_owned(),
        also: Vec::new(),
        kind: AnswerKind::Text { max_tokens: settings.max_tokens.unwrap_or(MAX_TOKENS) },
    };
    let cameras = limits.cameras.iter().filter_map(|name| CameraName::new(name).ok()).collect();
    Some(finish(checker, prompt, cameras, settings))
}

fn one(
    checker: &mut Checker<'_>,
    name: &str,
    prompt: &file::Prompt,
    base: &Settings,
    limits: &Limits<'_>,
) -> Option<PromptConfig> {
    let path = ["prompts", name];
    let checked = PromptName::new(name).map_err(|error| checker.wrong_key(&path, error.to_string())).ok();
    let given = file::PromptDefaults {
        max_tokens: prompt.max_tokens,
        max_time: prompt.max_time,
        every: prompt.every,
        window: prompt.window,
        publish: prompt.publish.clone(),
        hold: prompt.hold,
        min_probability: prompt.min_probability,
        keep_probability: prompt.keep_probability,
        cooldown: prompt.cooldown,
        escalate: prompt.escalate.clone(),
        active: prompt.active.clone(),
        ask_blind: prompt.ask_blind,
        image: prompt.image,
        enabled: prompt.enabled,
    };
    let settings = settings(checker, &path, &given, base, limits);
    let ask = ask(checker, &path, prompt.ask.as_deref());
    let kind = kind(checker, &path, prompt, &settings, limits);
    if kind == Some(AnswerKind::YesNo) && prompt.examples.is_none() && ask.as_deref().is_some_and(is_open) {
        let right = "`number`, `choice` or `text` may be meant";
        checker.warn(&["prompts", name, "answer"], "yes or no hardly answers this question", right);
    }
    let cameras = groups::asked(checker, &path, prompt.cameras.as_deref(), limits);
    let shown = examples::read(checker, name, prompt, kind.as_ref(), &cameras, limits);
    let on = on(checker, name, prompt, (&cameras, &settings), limits);
    let escalates = std::iter::once(&settings).chain(on.values()).any(|settings| settings.escalate_after.is_some());
    if let Some(state) = settings.escalate_state.as_ref().filter(|state| !escalates && !state.is_for_all()) {
        let right = "write how long, such as `after = \"5m\"`";
        checker.warn(&state.place(), "no state escalates, for `after` is off", right);
    }
    let also = wordings::read(checker, name, prompt, kind.as_ref());
    let prompt = Prompt { name: checked?, ask: ask?, also, kind: kind? };
    let config = finish(checker, prompt, cameras, settings);
    let config = PromptConfig { examples: shown.0, region: shown.1, ..config };
    let on = on.into_iter().map(|(camera, settings)| {
        let kind = match config.prompt.kind {
            AnswerKind::Text { .. } => AnswerKind::Text { max_tokens: settings.max_tokens.unwrap_or(MAX_TOKENS) },
            AnswerKind::Json { ref schema, .. } => AnswerKind::Json {
                schema: schema.clone(),
                max_tokens: settings.max_tokens.unwrap_or(MAX_JSON_TOKENS),
                max_time: settings.max_time,
            },
            ref kind => kind.clone(),
        };
        let there = finish(checker, Prompt { kind, ..config.prompt.clone() }, vec![camera.clone()], settings);
        (camera, PromptConfig { examples: config.examples.clone(), region: config.region, ..there })
    });
    let on = on.collect();
    Some(PromptConfig { on, ..config })
}

/// A window of as many frames as there may be.
fn within(window: Spec, limits: &Limits<'_>) -> Spec {
    Spec { frames: window.frames.min(limits.max_window_frames), ..window }
}

/// What is different on some of a prompt's cameras: what is written of a camera, then of its group.
fn on(
    checker: &mut Checker<'_>,
    name: &str,
    prompt: &file::Prompt,
    (cameras, settings_elsewhere): (&[CameraName], &Settings),
    limits: &Limits<'_>,
) -> BTreeMap<CameraName, Settings> {
    let has_tokens = prompt.answer.as_deref().is_none_or(|answer| ["text", "json"].contains(&answer));
    let read = |checker: &mut Checker<'_>, path: &[&str], given: &file::PromptDefaults, base: &Settings| {
        if given.max_tokens.is_some() && !has_tokens {
            let wrong = "belongs to `answer = \"text\"` and `\"json\"`, and this prompt's is another";
            checker.wrong([path, &["max_tokens"]].concat().as_slice(), wrong);
        }
        if given.max_time.is_some() && prompt.answer.as_deref().is_some_and(|answer| answer != "json") {
            let wrong = "belongs to `answer = \"json\"`, and this prompt's is another";
            checker.wrong([path, &["max_time"]].concat().as_slice(), wrong);
        }
        settings(checker, path, given, base, limits)
    };
    let (of_groups, of_cameras): (Vec<_>, Vec<_>) =
        prompt.on.iter().partition(|(named, _)| limits.groups.contains_key(*named));
    let mut on = BTreeMap::new();
    let mut written_by: BTreeMap<&CameraName, &str> = BTreeMap::new();
    for (group, given) in of_groups {
        let path = ["prompts", name, "on", group.as_str()];
        let there = read(checker, &path, given, settings_elsewhere);
        let members = &limits.groups[group];
        if !members.is_empty() && !members.iter().any(|camera| cameras.contains(camera)) {
            let right = "add the group to the prompt's `cameras`, or delete this table";
            checker.wrong_key_with(&path, "the prompt is asked about no camera of this group", right);
        }
        for camera in members.iter().filter(|camera| cameras.contains(camera)) {
            if let Some(other) = written_by.insert(camera, group) {
                let wrong = format!("camera `{camera}` is of group `{other}`, too, which has a table of its own");
                checker.wrong_key_with(
                    &path,
                    wrong,
                    "take it out of one of the groups, or write a table of each camera",
                );
            }
            on.insert(camera.clone(), there.clone());
        }
    }
    for (camera, given) in of_cameras {
        let path = ["prompts", name, "on", camera.as_str()];
        let known = CameraName::new(camera).ok();
        let base = known.as_ref().and_then(|camera| on.get(camera)).unwrap_or(settings_elsewhere).clone();
        let there = read(checker, &path, given, &base);
        if !limits.cameras.contains(camera) {
            if let Some((wrong, right)) = groups::unknown(checker, camera, limits) {
                checker.wrong_key_with(&path, wrong, right);
            }
        } else if let Some(camera) = known {
            if cameras.contains(&camera) {
                on.insert(camera, there);
            } else {
                let right = "add the camera to the prompt's `cameras`, or delete this table";
                checker.wrong_key_with(&path, "the prompt is not asked about this camera", right);
            }
        }
    }
    on
}

fn finish(checker: &mut Checker<'_>, prompt: Prompt, cameras: Vec<CameraName>, settings: Settings) -> PromptConfig {
    let after = settings.escalate_after.map(|after| (after, settings.escalate_own));
    let escalate = escalate(checker, &prompt, after, settings.escalate_state.as_ref());
    let keep_probability = settings.keep_probability.unwrap_or(settings.min_probability);
    let Spec { frames, span } = settings.window;
    PromptConfig {
        prompt,
        cameras,
        examples: Vec::new(),
        region: None,
        every: settings.every,
        // One frame has no span, whatever was inherited.
        window: Spec { span: if frames == 1 { Duration::ZERO } else { span }, frames },
        publish: settings.publish,
        hold: NonZeroU32::new(settings.hold).unwrap_or(NonZeroU32::MIN),
        min_probability: settings.min_probability,
        // What was inherited may be more than is needed here.
        keep_probability: keep_probability.min(settings.min_probability),
        cooldown: settings.cooldown,
        escalate,
        active: settings.active,
        ask_blind: settings.ask_blind,
        image: settings.image,
        enabled: settings.enabled,
        on: BTreeMap::new(),
    }
}

/// Which state escalates after how long, which is the prompt's own or is for all: the state that is named, else of a question
/// of yes and no `yes`, else whichever is held. What is for all is not for a prompt that has no such answer.
fn escalate(
    checker: &mut Checker<'_>,
    prompt: &Prompt,
    after: Option<(Duration, bool)>,
    state: Option<&State>,
) -> Option<EscalateConfig> {
    let (labels, name) = (prompt.kind.labels(), &prompt.name);
    let is_meant = |state: &&State| !state.is_for_all() || labels.contains(&state.word);
    let after = after.filter(|(_, own)| *own || state.is_none_or(|state| is_meant(&state)));
    let state = state.filter(is_meant);
    if let Some(state @ State { word, .. }) = state {
        let at = state.place();
        if labels.is_empty() {
            let wrong = format!("prompt `{name}` has no set of answers that this could be one of");
            checker.wrong_with(&at, wrong, "delete it: whichever text is held escalates");
        } else if !labels.contains(word) {
            let right = suggest(word, labels.iter().map(String::as_str)).unwrap_or_default();
            checker.wrong_with(&at, format!("is no answer of prompt `{name}`"), right);
        }
    }
    let usual = matches!(prompt.kind, AnswerKind::YesNo).then(|| "yes".to_owned());
    let state = state.map(|state| state.word.clone()).or(usual);
    after.map(|(after, _)| EscalateConfig { after, state })
}

fn settings(
    checker: &mut Checker<'_>,
    path: &[&str],
    given: &file::PromptDefaults,
    base: &Settings,
    limits: &Limits<'_>,
) -> Settings {
    let at = |key: &'static str| [path, &[key]].concat();
    let window = |key: &'static str| [path, &["window", key]].concat();
    let publish = [("on_change", Publish::OnChange), ("always", Publish::Always)];
    let frames =
        checker.within(&window("frames"), given.window.frames, base.window.frames, 1..=limits.max_window_frames);
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
            checker.wrong_with(&at("keep_probability"), wrong, "the state needs less to be kept than to be changed");
        }
    }
    let state = given.escalate.state.as_ref().map(|file::Word(word)| State {
        word: word.clone(),
        written: [path, &["escalate", "state"]].concat().iter().map(|&key| key.to_owned()).collect(),
    });
    let active = given.active.as_ref().map(|active| hours::read(checker, &at("active"), active));
    let second = Duration::from_secs(1);
    Settings {
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

/// Whether a question asks for more than yes or no, by its first word.
fn is_open(ask: &str) -> bool {
    let first = ask.split(|c: char| !c.is_alphanumeric()).find(|word| !word.is_empty()).unwrap_or_default();
    ["how", "what", "which", "who", "whose", "where", "when", "why"].contains(&first.to_lowercase().as_str())
}

fn ask(checker: &mut Checker<'_>, path: &[&str], given: Option<&str>) -> Option<String> {
    let at = [path, &["ask"]].concat();
    let Some(ask) = given else {
        checker.missing(&at, "such as `ask = \"Is there a person at the door?\"`");
        return None;
    };
    if ask.trim().is_empty() {
        checker.wrong(&at, "is empty");
        return None;
    }
    text_for_model(checker, &at, ask, LONGEST_ASK).then(|| ask.trim().to_owned())
}

fn kind(
    checker: &mut Checker<'_>,
    path: &[&str; 2],
    prompt: &file::Prompt,
    settings: &Settings,
    limits: &Limits<'_>,
) -> Option<AnswerKind> {
    let at = |key: &'static str| [path[0], path[1], key];
    let Some(answer) = prompt.answer.as_deref() else {
        checker.missing(&at("answer"), "one of `yes_no`, `choice`, `number`, `text`, `json`");
        return None;
    };
    let words = ["yes_no", "choice", "number", "text", "json"];
    if !words.contains(&answer) {
        let right = suggest(answer, words).unwrap_or_default();
        checker.wrong_with(&at("answer"), "is no kind of answer", right);
        return None;
    }
    let owners: [(_, &[&str], _); 6] = [
        ("choices", &["choice"], prompt.choices.is_some()),
        ("min", &["number"], prompt.min.is_some()),
        ("max", &["number"], prompt.max.is_some()),
        ("max_tokens", &["text", "json"], prompt.max_tokens.is_some()),
        ("schema", &["json"], prompt.schema.is_some()),
        ("max_time", &["json"], prompt.max_time.is_some()),
    ];
    for (key, owners, _) in owners.into_iter().filter(|(_, owners, given)| *given && !owners.contains(&answer)) {
        let owners = owners.join("\"` or `\"");
        checker.wrong(&at(key), format!("belongs to `answer = \"{owners}\"`, and this prompt's is `{answer}`"));
    }
    match answer {
        "yes_no" => Some(AnswerKind::YesNo),
        "choice" => choice(checker, &at("choices"), prompt.choices.as_deref()),
        "number" => number(checker, path, prompt),
        "text" => Some(AnswerKind::Text { max_tokens: settings.max_tokens.unwrap_or(MAX_TOKENS) }),
        _ => Some(AnswerKind::Json {
            schema: schema::read(checker, &at("schema"), prompt.schema.as_ref(), limits)?,
            max_tokens: settings.max_tokens.unwrap_or(MAX_JSON_TOKENS),
            max_time: settings.max_time,
        }),
    }
}

fn choice(checker: &mut Checker<'_>, at: &[&str], given: Option<&[String]>) -> Option<AnswerKind> {
    let Some(choices) = given else {
        checker.missing(at, "such as `choices = [\"open\", \"shut\"]`");
        return None;
    };
    if choices.len() < 2 || choices.len() > MOST_ANSWERS {
        checker.wrong(at, format!("must be 2 to {MOST_ANSWERS} answers to choose from"));
        return None;
    }
    let mut right = true;
    for (number, choice) in choices.iter().enumerate() {
        let number_text = number.to_string();
        let item = [at, &[number_text.as_str()]].concat();
        if choice.trim() != choice || choice.is_empty() {
            checker.wrong(&item, "is empty, or begins or ends with a space");
            right = false;
        } else if choices[..number].iter().any(|earlier| earlier.to_lowercase() == choice.to_lowercase()) {
            checker.wrong(&item, "stands here twice");
            right = false;
        }
        right &= text_for_model(checker, &item, choice, LONGEST_LABEL);
    }
    right.then(|| AnswerKind::Choice(choices.to_vec()))
}

fn number(checker: &mut Checker<'_>, path: &[&str], prompt: &file::Prompt) -> Option<AnswerKind> {
    let (min, max) = (prompt.min.unwrap_or(MIN_NUMBER), prompt.max.unwrap_or(MAX_NUMBER));
    // The problem is shown where something was written.
    let at = [path, &[if prompt.max.is_some() { "max" } else { "min" }]].concat();
    if min >= max {
        checker.wrong(&at, format!("numbers from {min} to {max} leave nothing to choose from"));
        return None;
    }
    if (max - min) as usize >= MOST_ANSWERS {
        checker.wrong(&at, format!("numbers from {min} to {max} are more than {MOST_ANSWERS} answers"));
        return None;
    }
    Some(AnswerKind::Number { min, max })
}

/// Warns where a camera gives fewer frames in a window's span than the window wants; where all but the newest are forgotten before
/// the next one comes, there would never be a window.
pub(super) fn find_thin_windows(checker: &mut Checker<'_>, prompts: &[PromptConfig], cameras: &[CameraConfig]) {
    for camera in cameras.iter().filter(|camera| camera.enabled) {
        let asked = prompts.iter().filter_map(|prompt| prompt.asked_of(&camera.name));
        // as long as a question that is asked once may need them
        let kept = asked.clone().map(|prompt| prompt.window.reach()).fold(WINDOW.reach(), Duration::max).as_secs_f64();
        let apart = 1.0 / camera.frames_per_second;
        for prompt in asked.filter(|prompt| prompt.window.frames > 1) {
            if apart > kept && !prompt.window.span.is_zero() {
                let wrong = format!("is never asked of camera `{}`, whose frames are {apart:.1} s apart", camera.name);
                let right = "write `window = { frames = 1 }`, widen `span`, or raise the camera's `frames_per_second`";
                checker.wrong_with(&["prompts", prompt.prompt.name.as_str(), "window"], wrong, right);
                continue;
            }
            let gives = (prompt.window.span.as_secs_f64() * camera.frames_per_second).floor() as usize + 1;
            if gives < prompt.window.frames {
                let (wants, span) = (prompt.window.frames, duration::print(prompt.window.span));
                let wrong = format!("wants {wants} frames in {span}, and camera `{}` gives {gives}", camera.name);
                let right = "widen `span`, lower `frames`, or raise the camera's `frames_per_second`";
                checker.warn(&["prompts", prompt.prompt.name.as_str(), "window"], wrong, right);
            }
        }
    }
}
