//! `wader check`: every mistake of the configuration in one report, and what the model cannot be asked.

use crate::{
    app, cli, config,
    model::{Language, Manifest, Template},
    name::PromptName,
    prompt::{AnswerKind, Asked, Plan, PlanError},
};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    config: cli::ConfigArguments,
    /// Print the whole configuration as it was understood, secrets hidden.
    #[arg(long)]
    print: bool,
}

pub(super) fn run(options: &Options) -> anyhow::Result<u8> {
    let Some(loaded) = options.config.load() else { return Ok(cli::exit::CONFIG) };
    let askable = all_askable(&loaded);
    let good = is_receivable(&loaded) & askable.unwrap_or(true);
    if options.print {
        cli::put(format_args!("{}", config::print(&loaded).trim_end()))?;
    } else {
        let cameras = loaded.config.cameras.iter().filter(|c| c.enabled).count();
        let prompts = loaded.config.prompts.iter().filter(|p| !p.asked().is_empty()).count();
        if good {
            let (cameras, prompts) = (cli::counted(cameras, "camera"), cli::counted(prompts, "standing prompt"));
            let far = if askable.is_some() { "" } else { ", as far as can be seen without its model" };
            cli::say(format_args!("the configuration is good{far}: {cameras}, {prompts}"));
        }
    }
    Ok(if good { cli::exit::OK } else { cli::exit::CONFIG })
}

/// Whether the model can be asked all prompts; what it cannot be asked is told. Nothing where it is not there.
pub(super) fn all_askable(loaded: &config::Loaded) -> Option<bool> {
    model(&loaded.config).map(|(template, manifest)| askable(loaded, &template, &manifest))
}

/// Whether each camera's address and pipeline are such as `wader run` can begin with: it reads the files of one's own
/// pipelines.
fn is_receivable(loaded: &config::Loaded) -> bool {
    let (config, mut receivable) = (&loaded.config, true);
    for camera in config.cameras.iter().filter(|camera| camera.enabled) {
        if let Err(error) = app::camera_spec(config, camera, cli::SHIPPED_SIZE) {
            let place = loaded.place(&["cameras", camera.name.as_str(), "pipeline"]);
            let place = place.or_else(|| loaded.place(&["cameras", camera.name.as_str()]));
            cli::say(format_args!("{}{error}", place.map_or_else(String::new, |place| format!("{place}: "))));
            receivable = false;
        }
    }
    receivable
}

/// What the model says of itself. One that is not on this machine is forgiven, where somebody may well write a configuration
/// for another.
fn model(config: &config::Config) -> Option<(Template, Manifest)> {
    let folder = &config.model.path;
    let model = Manifest::read(folder).and_then(|manifest| Ok((Template::load(folder, &manifest)?, manifest)));
    let told = |error| {
        cli::say(format_args!(
            "warning: the prompts were not held against the model, and `wader run` will not begin without it: {error}; \
             `path` below `[model]` names its folder"
        ));
    };
    model.map_err(told).ok()
}

/// Whether the model can be asked every prompt. Words that it never learned make an answer `unsure`, so they are told of
/// and forgiven.
fn askable(loaded: &config::Loaded, template: &Template, manifest: &Manifest) -> bool {
    let mut askable = true;
    for prompt in loaded.config.prompts.iter().filter(|p| !p.asked().is_empty()) {
        let at = place(loaded, &prompt.prompt.name);
        askable &= match prompt.is_shown() {
            true => showable(prompt, manifest, &at),
            false => sayable(prompt, template, &at, &loaded.sources),
        };
        for asked in prompt.asked() {
            askable &= takes_window(asked, manifest, &at);
        }
    }
    if askable {
        contradictions(loaded);
    }
    askable
}

/// Where a prompt stands, as mistakes of the files are shown: `wader.toml:12:1: prompts.NAME`.
fn place(loaded: &config::Loaded, prompt: &PromptName) -> String {
    match loaded.place(&["prompts", prompt.as_str()]) {
        Some(place) => format!("{place}: prompts.{prompt}"),
        None => format!("prompts.{prompt}"), // of nobody's writing: the caption of a file without prompts
    }
}

/// Whether the model takes a prompt's window; warns of one that it never saw in training, and of frames it does not look at.
fn takes_window(prompt: &config::PromptConfig, manifest: &Manifest, at: &str) -> bool {
    let (frames, span) = match manifest.window(prompt.window.frames, prompt.window.span) {
        Ok(window) => window,
        Err(most) => {
            cli::say(format_args!("{at}.window.frames = {}: the model takes {most} at most", prompt.window.frames));
            return false;
        }
    };
    if frames < prompt.window.frames {
        cli::say(format_args!(
            "warning: {at}.window.frames = {}: the model looks at single pictures, and is given the newest",
            prompt.window.frames
        ));
    }
    if let Some(problem) = manifest.untrained(frames, span).filter(|_| prompt.examples.is_empty()) {
        cli::say(format_args!("warning: {at}.window: {problem}; what it makes of them is unknown"));
    }
    true
}

/// Tells of examples that contradict each other, as the start will: the prompt is then always `unsure`. The model is
/// run for it, so where it cannot be run, that is told.
fn contradictions(loaded: &config::Loaded) {
    let shown: Vec<_> = loaded.config.prompts.iter().filter(|p| p.enabled && p.is_shown()).collect();
    if shown.is_empty() {
        return;
    }
    match app::contradictions(&loaded.config, &shown) {
        Ok(contradictions) => {
            for (prompt, contradiction) in contradictions {
                let at = place(loaded, &prompt);
                cli::say(format_args!(
                    "warning: {at} will always be `unsure`: its examples contradict each other: {contradiction}. Look for \
                     one with the wrong answer, or mark the `region` that is meant"
                ));
            }
        }
        Err(error) => cli::say(format_args!("warning: the examples were not held against each other: {error}")),
    }
}

/// Whether a prompt can be put into the model's words.
fn sayable(prompt: &config::PromptConfig, template: &Template, at: &str, sources: &config::Sources) -> bool {
    match Plan::all(&prompt.prompt, template) {
        Ok(_) => {
            tell_undescribed(prompt, template, at);
            true
        }
        Err(PlanError::UnknownWords(_)) if !prompt.examples.is_empty() => true, // words are not what it will be asked by
        Err(error @ PlanError::UnknownWords(_)) => {
            let way_out = match prompt.prompt.kind {
                AnswerKind::YesNo | AnswerKind::Choice(_) => {
                    let (option, folder) = (sources.option(), sources.examples_folder(prompt.prompt.name.as_str()));
                    format!(
                        "; show it examples of what you mean: `wader snapshot CAMERA{option} --label ANSWER --out {folder}`"
                    )
                }
                _ => String::new(),
            };
            cli::say(format_args!("warning: {at} will always be `unsure`: {error}{way_out}"));
            true
        }
        Err(error) => {
            cli::say(format_args!("{at}: {error}"));
            false
        }
    }
}

/// Warns of properties that are asked for by their name alone, because that is all the schema says of them.
fn tell_undescribed(prompt: &config::PromptConfig, template: &Template, at: &str) {
    let AnswerKind::Json { schema, .. } = &prompt.prompt.kind else { return };
    for property in schema.properties().unwrap_or_default() {
        if let Asked::Question { ask, described: false, .. } = &property.asked
            && !template.spells()
        {
            let property = &property.name;
            cli::say(format_args!(
                "warning: {at}.schema.properties.{property}: the model cannot spell JSON and is asked `{ask}`; \
                 write the question into its `description`"
            ));
        }
    }
}

/// Whether the model can compare with a prompt's examples; says how many there are.
fn showable(prompt: &config::PromptConfig, manifest: &Manifest, at: &str) -> bool {
    let name = &prompt.prompt.name;
    let frames = manifest.examples.as_ref().map_or(usize::MAX, |form| form.frames);
    for example in prompt.examples.iter().filter(|example| example.pictures.len() > frames) {
        cli::say(format_args!(
            "warning: {at}.examples: `{}` is one moment, of whose {} pictures the newest {frames} are looked at; \
             give other moments folders of their own",
            example.path.display(),
            example.pictures.len()
        ));
    }
    match app::show(prompt, manifest) {
        Ok(_) => {
            let has = |label: &String| format!("{} of `{label}`", prompt.examples_of(label));
            let counts: Vec<_> = prompt.prompt.kind.labels().iter().map(has).collect();
            cli::say(format_args!("prompts.{name}: examples: {}", counts.join(", ")));
            true
        }
        Err(problems) => {
            for problem in problems {
                let below = problem.strip_prefix(&format!("prompts.{name}")).unwrap_or(&problem);
                cli::say(format_args!("{at}{below}"));
            }
            false
        }
    }
}
