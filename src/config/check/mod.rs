//! From what is written to what can be used: defaults filled in, ranges, references from one key to another.

mod camera;
mod checker;
mod examples;
mod groups;
mod hours;
mod kind;
mod limits;
mod prompt;
mod schema;
mod service;
mod settings;
mod text;
mod windows;
mod wordings;

pub(super) use hours::print as print_time;

use std::path::Path;

use super::{
    Config,
    file::{File, Origins},
    problem::{Place, Problem},
    sources::Sources,
};
use checker::Checker;
pub use service::shipped_model;

/// Checks the merged files; `None`, or any problem added, means that there is no configuration.
pub(super) fn check(
    file: File,
    origins: &Origins,
    sources: &Sources,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) -> Option<Config> {
    let mut checker = Checker { origins, problems, warnings };
    let mqtt = service::mqtt(&mut checker, &file.mqtt);
    let homeassistant = service::homeassistant(&mut checker, &file.homeassistant);
    let history = service::history(&mut checker, &file.history);
    let web = service::web(&mut checker, &file.web);
    let model = service::model(&mut checker, file.model);
    let log = service::log(&mut checker, &file.log);
    let timezone = hours::zone(&mut checker, file.timezone.as_deref());
    let beside = sources.file.parent().unwrap_or(Path::new("")).join("pipelines");
    let state = service::state(&mut checker, &file.paths);
    let pipelines = service::pipelines(&mut checker, file.paths, &beside);
    let known = service::known_pipelines(pipelines.as_deref());
    let camera_names: Vec<String> = file.cameras.keys().cloned().collect();
    let cameras = camera::cameras(&mut checker, &file.defaults.camera, file.cameras, &known);
    let groups = groups::read(&mut checker, file.groups, &camera_names);
    let prompt_limits = limits::Limits { cameras: &camera_names, groups: &groups, sources };
    let prompts = prompt::prompts(&mut checker, &file.defaults.prompt, file.prompts, &prompt_limits);
    windows::find_thin(&mut checker, &prompts, &cameras);
    if camera_names.is_empty() && !origins.may_be_broken(&["cameras"]) && !origins.broken_below(&["cameras"]) {
        let place = Place::File { path: sources.file.clone().into(), line: 0, column: 0 };
        problems.push(Problem {
            place,
            key: "cameras".to_owned(),
            value: None,
            wrong: "no camera is defined".to_owned(),
            right: Some("one line is enough, below `[cameras]`: `door = \"rtsp://10.0.0.5/stream\"`".to_owned()),
        });
    }
    Some(Config {
        mqtt: mqtt?,
        homeassistant,
        history,
        web,
        model: model?,
        pipelines,
        state,
        cameras,
        groups,
        prompts,
        timezone,
        log,
    })
}
