//! `[prompts]` and `[defaults.prompt]`.

use std::{collections::BTreeMap, num::NonZeroU32, time::Duration};

use super::{
    super::{EscalateConfig, PromptConfig, allowed::LONGEST_ASK, file, problem::suggest},
    checker::Checker,
    examples, groups,
    kind::{is_open, kind},
    limits::Limits,
    settings::{Settings, State, within},
    text::text_for_model,
    wordings,
};
use crate::{
    name::{CameraName, PromptName},
    prompt::{AnswerKind, Prompt},
    window::Spec,
};

/// The standing prompt of files that name none.
const CAPTION: &str = "caption";
const CAPTION_ASK: &str = "Describe what happens.";
const CAPTION_EVERY: Duration = Duration::from_secs(10);

/// What a prompt with examples looks at: enough for who walks by not to be seen.
const SHOWN: Spec = Spec { frames: 3, span: Duration::from_secs(2) };

/// All prompts that could be read; `caption` when none is written.
pub(super) fn prompts(
    checker: &mut Checker<'_>,
    defaults: &file::PromptDefaults,
    prompts: BTreeMap<String, file::Prompt>,
    limits: &Limits<'_>,
) -> Vec<PromptConfig> {
    let built_in = Settings::built_in(limits);
    let base = Settings::read(checker, &["defaults", "prompt"], defaults, &built_in, limits);
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
        kind: AnswerKind::Text { max_tokens: settings.text_tokens() },
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
    let settings = Settings::read(checker, &path, &given, base, limits);
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
            AnswerKind::Text { .. } => AnswerKind::Text { max_tokens: settings.text_tokens() },
            AnswerKind::Json { ref schema, .. } => AnswerKind::Json {
                schema: schema.clone(),
                max_tokens: settings.json_tokens(),
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
        Settings::read(checker, path, given, base, limits)
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
