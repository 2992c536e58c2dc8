//! What is different between two configurations, as far as a running service has to know.

use std::collections::{BTreeMap, BTreeSet};

use super::{CameraConfig, Config, PromptConfig};
use crate::name::{CameraName, PromptName};

/// What changes when one configuration takes another's place.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Diff {
    /// Parts that everything else stands on, by the names of their tables: with them all of the service begins anew.
    pub foundations: Vec<&'static str>,
    /// Cameras that are not watched any more.
    pub ended: Vec<CameraName>,
    /// Cameras that are watched from now on.
    pub begun: Vec<CameraName>,
    /// Cameras that are received in another way.
    pub moved: Vec<CameraName>,
    /// Prompts that are not asked any more about a camera that is still watched.
    pub removed: Vec<(CameraName, PromptName)>,
    /// Prompts that are asked from now on about a camera that was watched, or in another way.
    pub added: Vec<(CameraName, PromptConfig)>,
}

impl Diff {
    /// From the configuration that is in use to the one that is to be.
    pub fn between(before: &Config, now: &Config) -> Self {
        let mut diff = Self { foundations: foundations(before, now), ..Self::default() };
        for camera in all(before, now) {
            match (watched(before, &camera), watched(now, &camera)) {
                (Some(_), None) => diff.ended.push(camera),
                (None, Some(_)) => diff.begun.push(camera),
                (Some(old), Some(new)) => {
                    diff.prompts(before, now, &camera);
                    if old != new {
                        diff.moved.push(camera);
                    }
                }
                (None, None) => {}
            }
        }
        diff
    }

    fn prompts(&mut self, before: &Config, now: &Config, camera: &CameraName) {
        let asked = |config: &'_ Config| -> Vec<PromptConfig> {
            let about = config.prompts.iter().filter_map(|prompt| prompt.asked_of(camera));
            // of which other cameras it is asked, and how, is nothing to this one
            about.map(|p| PromptConfig { cameras: vec![camera.clone()], on: BTreeMap::new(), ..p.clone() }).collect()
        };
        let (before, now) = (asked(before), asked(now));
        let is_in = |prompts: &[PromptConfig], name: &PromptName| prompts.iter().any(|p| p.prompt.name == *name);
        let gone = before.iter().map(|prompt| &prompt.prompt.name).filter(|name| !is_in(&now, name));
        self.removed.extend(gone.map(|name| (camera.clone(), name.clone())));
        self.added.extend(now.into_iter().filter(|prompt| !before.contains(prompt)).map(|p| (camera.clone(), p)));
    }
}

fn all(before: &Config, now: &Config) -> BTreeSet<CameraName> {
    before.cameras.iter().chain(&now.cameras).map(|camera| camera.name.clone()).collect()
}

fn watched<'a>(config: &'a Config, name: &CameraName) -> Option<&'a CameraConfig> {
    config.camera(name).filter(|camera| camera.enabled)
}

/// Whatever is neither a camera nor a prompt, but for the log, which is set up once in a process. A table that is new is no foundation until somebody thinks about it: the
/// compiler asks here.
fn foundations(before: &Config, now: &Config) -> Vec<&'static str> {
    let Config { mqtt, model, homeassistant, history, web, pipelines, state, timezone, .. } = before;
    let Config { cameras: _, groups: _, prompts: _, log: _, .. } = before;
    let changed = [
        ("mqtt", *mqtt != now.mqtt),
        ("model", *model != now.model),
        ("homeassistant", *homeassistant != now.homeassistant),
        ("history", *history != now.history),
        ("web", *web != now.web),
        ("paths", *pipelines != now.pipelines || *state != now.state),
        ("timezone", *timezone != now.timezone),
    ];
    changed.into_iter().filter_map(|(name, changed)| changed.then_some(name)).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::{Sources, load};

    fn config(text: &str) -> Config {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("wader.toml");
        fs::write(&file, text).unwrap();
        load(&Sources::of_file(&file), &|_| Ok(None)).unwrap().config
    }

    const BEFORE: &str = r#"
        [cameras]
        door = "rtsp://10.0.0.5/a"
        yard = "rtsp://10.0.0.6/a"
        [prompts.person]
        ask = "Is there a person?"
        answer = "yes_no"
        [prompts.light]
        ask = "How is the light?"
        answer = "choice"
        choices = ["bright", "dark"]
        cameras = ["door"]
    "#;

    /// A change of the text, and what it comes to, in words.
    fn changed(change: impl FnOnce(&str) -> String) -> String {
        let Diff { foundations, ended, begun, moved, removed, added } =
            Diff::between(&config(BEFORE), &config(&change(BEFORE)));
        let mut words: Vec<String> = foundations.into_iter().map(str::to_owned).collect();
        for (word, cameras) in [("ends", ended), ("begins", begun), ("moves", moved)] {
            words.extend(cameras.into_iter().map(|camera| format!("{camera} {word}")));
        }
        words.extend(removed.into_iter().map(|(camera, prompt)| format!("{camera} -{prompt}")));
        words.extend(added.into_iter().map(|(camera, prompt)| format!("{camera} +{}", prompt.prompt.name)));
        words.join(", ")
    }

    #[test]
    fn what_changes_is_what_was_touched_and_nothing_else() {
        let with = |from: &'static str, to: &'static str| changed(move |text| text.replace(from, to));
        assert_eq!(changed(|text| format!("# a comment\n{text}")), "");
        assert_eq!(with("10.0.0.6", "10.0.0.7"), "yard moves");
        assert_eq!(with("yard = \"rtsp://10.0.0.6/a\"", ""), "yard ends");
        assert_eq!(with("door =", "gate = \"rtsp://10.0.0.8/a\"\ndoor ="), "gate begins");
        assert_eq!(with("Is there a person?", "Is somebody there?"), "door +person, yard +person");
        assert_eq!(with("cameras = [\"door\"]", "cameras = [\"yard\"]"), "door -light, yard +light");
        assert_eq!(with("cameras = [\"door\"]", "cameras = [\"door\"]\nhold = 3"), "door +light");
        assert_eq!(
            changed(|text| format!("{text}\n[prompts.person.on.yard]\nhold = 2")),
            "yard +person",
            "on one camera only"
        );
        assert_eq!(changed(|text| format!("[model]\ndevice = \"cpu\"\n{text}")), "model");
        assert_eq!(changed(|text| format!("[web]\nlisten = \"127.0.0.1:8470\"\n{text}")), "web");
        assert_eq!(changed(|text| format!("[mqtt]\nprefix = \"birds\"\n{text}")), "mqtt");
    }
}
