//! `wader snapshot --label`: one example of an answer, and the lines that put it into the configuration.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, ensure};

use super::{Options, pictures, write};
use crate::{
    camera, cli,
    config::{self, Config, PromptConfig},
    model::Manifest,
    name::{CameraName, PromptName},
};

/// Frames of an example, where no model says how many it looks at.
const FRAMES: usize = 3;

/// Takes one example.
pub(super) fn take(
    options: &Options,
    label: &str,
    config: Option<&Config>,
    manifest: Option<&Manifest>,
    mut spec: camera::Spec,
) -> anyhow::Result<u8> {
    let name = prompt_name(options)?;
    let prompt = config.and_then(|config| config.prompt(&name));
    if let Some(prompt) = prompt {
        let labels = prompt.prompt.kind.labels();
        let known = labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
        ensure!(!known.is_empty(), "prompt `{name}` has no answers that could be shown; ask `yes_no` or `choice`");
        ensure!(labels.iter().any(|one| one == label), "`{label}` is no answer of prompt `{name}`: these are {known}");
        let asked: Vec<_> = prompt.cameras.iter().map(CameraName::as_str).collect();
        ensure!(
            options.camera.contains(':') || asked.contains(&options.camera.as_str()),
            "prompt `{name}` does not ask about `{}`, and examples are of the camera that is asked about: {}",
            options.camera,
            asked.join(", ")
        );
    } else if let Some(config) = config {
        let askers = askers(config, label);
        ensure!(
            options.prompt.is_some() || askers.is_empty(),
            "the configuration has no prompt `{name}`, which is the last part of --out; give --prompt, one of {askers}"
        );
        cli::say(format_args!("the configuration has no prompt `{name}` yet"));
    }
    if let (None, Some(rate)) = (options.rate, prompt.and_then(sampling)) {
        spec.frames_per_second = rate;
    }
    let of_model = manifest.and_then(|manifest| manifest.examples.as_ref()).map_or(FRAMES, |examples| examples.frames);
    let wanted = options.frames.unwrap_or(of_model).max(1);
    let between = Duration::try_from_secs_f64((wanted - 1) as f64 / spec.frames_per_second).unwrap_or_default();
    let patience = Duration::from_secs(options.timeout).saturating_add(between);
    let frames = pictures(options, spec, wanted, patience)?;
    ensure!(
        frames.len() == wanted,
        "only {} of {wanted} pictures came within {} s, and nothing was written; `--timeout` waits longer",
        frames.len(),
        patience.as_secs()
    );
    let folder = next_folder(&options.out, label)?;
    if let Err(error) = write(&folder, &frames) {
        fs::remove_dir_all(&folder).ok(); // half an example is none; what went wrong is told
        return Err(error);
    }
    cli::say(format_args!("{wanted} pictures of `{label}` in `{}`", folder.display()));
    let path = config.and_then(|_| below(&folder, &options.config.beside())).unwrap_or(folder);
    cli::put(format_args!("\n{}", config::example(&name, &path, label).trim_end()))?;
    if let Some(prompt) = prompt {
        tell_what_is_missing(prompt, label);
    }
    Ok(cli::exit::OK)
}

fn prompt_name(options: &Options) -> anyhow::Result<PromptName> {
    let last = options.out.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = options.prompt.clone().unwrap_or(last);
    PromptName::new(&name).with_context(|| format!("for which prompt? `{name}` cannot be its name; give --prompt"))
}

/// The prompts that have this answer, for people.
fn askers(config: &Config, label: &str) -> String {
    let has = |prompt: &&PromptConfig| prompt.prompt.kind.labels().iter().any(|one| one == label);
    config.prompts.iter().filter(has).map(|prompt| format!("`{}`", prompt.prompt.name)).collect::<Vec<_>>().join(", ")
}

/// Frames a second of a prompt's window.
fn sampling(prompt: &PromptConfig) -> Option<f64> {
    let step = prompt.window.step().as_secs_f64();
    (step > 0.0).then(|| 1.0 / step)
}

/// Makes the next folder for an answer: `open-1`, `open-2`, …
fn next_folder(out: &Path, label: &str) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(out).with_context(|| format!("cannot make `{}`", out.display()))?;
    let plain = |c: char| if c.is_alphanumeric() || c == '_' { c } else { '-' };
    let stem: String = label.to_lowercase().chars().map(plain).collect();
    for number in 1_u32.. {
        let folder = out.join(format!("{stem}-{number}"));
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).with_context(|| format!("cannot make `{}`", folder.display())),
        }
    }
    anyhow::bail!("`{}` is full", out.display())
}

/// A path as it is written in a configuration that stands in `beside`.
fn below(folder: &Path, beside: &Path) -> Option<PathBuf> {
    let absolute = |path: &Path| std::path::absolute(Path::new(".").join(path)).ok();
    let path = absolute(folder)?;
    let below = path.strip_prefix(absolute(beside)?).map(Path::to_owned);
    Some(below.unwrap_or(path))
}

/// How many examples of each answer the prompt has with this one.
fn tell_what_is_missing(prompt: &PromptConfig, label: &str) {
    let count = |one: &String| format!("{} of `{one}`", prompt.examples_of(one) + usize::from(one == label));
    let counts: Vec<_> = prompt.prompt.kind.labels().iter().map(count).collect();
    let name = &prompt.prompt.name;
    let needed =
        if config::fewest_examples(prompt.region.is_some()) == 1 { "one of each is" } else { "two of each are" };
    cli::say(format_args!(
        "with these lines prompt `{name}` has examples: {}; {needed} needed, four are better, from other moments and in other \
         light",
        counts.join(", ")
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_example_gets_the_next_free_folder() {
        let out = tempfile::tempdir().unwrap();
        let name = |label| {
            let folder = next_folder(&out.path().join("gate"), label).unwrap();
            folder.file_name().unwrap().to_string_lossy().into_owned()
        };
        let labels = ["open", "open", "shut", "Half open/../x", "Öffen"];
        assert_eq!(labels.map(name), ["open-1", "open-2", "shut-1", "half-open----x-1", "öffen-1"]);
        fs::remove_dir(out.path().join("gate/open-1")).unwrap();
        assert_eq!(name("open"), "open-1");
    }

    #[test]
    fn a_path_is_written_from_where_the_configuration_stands() {
        let below = |folder: &str, beside: &str| below(Path::new(folder), Path::new(beside)).unwrap();
        assert_eq!(below("/etc/wader/examples/gate/open-1", "/etc/wader"), Path::new("examples/gate/open-1"));
        assert_eq!(below("/srv/gate/open-1", "/etc/wader"), Path::new("/srv/gate/open-1"));
        assert_eq!(below("examples/open-1", ""), Path::new("examples/open-1"));
    }
}
