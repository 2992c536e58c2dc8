//! A loaded configuration as one file: every value, each with its origin, secrets as `***`.

use std::{fmt::Write, path::Path, time::Duration};

use super::{
    BrokerConfig, CameraConfig, Device, EscalateConfig, Loaded, LoginConfig, MqttConfig, PromptConfig, Publish,
    allowed::DAYS, check::print_time, duration, file::spell, secret::redact_url,
};
use crate::{
    name::PromptName,
    prompt::{AnswerKind, Hours, Period},
};

/// The column where origins begin, unless a line is longer.
const ORIGIN_COLUMN: usize = 56;

/// The merged configuration, with the place of each value behind it; `default` where none was written.
pub fn print(loaded: &Loaded) -> String {
    let mut page = Page { loaded, text: String::new() };
    let config = &loaded.config;
    if let Some(name) = config.timezone.as_ref().and_then(|zone| zone.iana_name()) {
        page.word(&["timezone"], name);
    }
    mqtt(&mut page, &config.mqtt);
    page.table(&["homeassistant"]);
    page.line(&["homeassistant", "discovery"], &config.homeassistant.discovery.to_string());
    page.word(&["homeassistant", "prefix"], &config.homeassistant.prefix);
    page.table(&["history"]);
    page.line(&["history", "enabled"], &config.history.enabled.to_string());
    page.line(&["history", "max_bytes"], &config.history.max_bytes.to_string());
    page.time(&["history", "max_age"], config.history.max_age);
    if let Some(listen) = config.web.listen {
        page.table(&["web"]);
        page.word(&["web", "listen"], &listen.to_string());
    }
    page.table(&["model"]);
    page.path(&["model", "path"], &config.model.path);
    page.word(&["model", "device"], &device(config.model.device));
    if let Some(threads) = config.model.threads {
        page.line(&["model", "threads"], &threads.to_string());
    }
    if let Some(path) = &config.model.onnxruntime {
        page.path(&["model", "onnxruntime"], path);
    }
    page.line(&["model", "skip_unchanged"], &config.model.skip_unchanged.to_string());
    let paths = [("pipelines", &config.pipelines), ("state", &config.state)];
    if paths.iter().any(|(_, folder)| folder.is_some()) {
        page.table(&["paths"]);
    }
    for (key, folder) in paths {
        if let Some(folder) = folder {
            page.path(&["paths", key], folder);
        }
    }
    page.table(&["log"]);
    page.word(&["log", "level"], config.log.level.as_str());
    page.word(&["log", "format"], config.log.format.as_str());
    for one in &config.cameras {
        camera(&mut page, one);
    }
    if !config.groups.is_empty() {
        page.table(&["groups"]);
    }
    for (name, members) in &config.groups {
        page.line(&["groups", name], &list(&mut members.iter().map(|camera| camera.as_str())));
    }
    for one in &config.prompts {
        prompt(&mut page, one);
    }
    page.text
}

/// The lines that give a prompt one more example; they may stand anywhere below the prompt's own.
pub fn example(prompt: &PromptName, path: &Path, answer: &str) -> String {
    let path = spell(&path.to_string_lossy());
    format!("[[prompts.{prompt}.examples]]\npath = {path}\nanswer = {}\n", spell(answer))
}

struct Page<'a> {
    loaded: &'a Loaded,
    text: String,
}

impl Page<'_> {
    fn table(&mut self, path: &[&str]) {
        let gap = if self.text.is_empty() { "" } else { "\n" };
        // Writing into a String cannot fail, here and below.
        _ = writeln!(self.text, "{gap}[{}]", path.join("."));
    }

    fn item(&mut self, path: &[&str]) {
        _ = writeln!(self.text, "\n[[{}]]", path.join("."));
    }

    fn line(&mut self, path: &[&str], value: &str) {
        let setting = format!("{} = {value}", path.last().unwrap_or(&""));
        // What a camera or prompt does not say itself, it has from the table of defaults; what a prompt does not say of
        // one camera, from what it says of the camera's group, and else from itself.
        let inherited = match path {
            ["cameras", _, rest @ ..] => vec![[&["defaults", "camera"], rest].concat()],
            ["prompts", name, "on", camera, rest @ ..] => {
                let groups = &self.loaded.config.groups;
                let of_camera = groups.iter().filter(|(_, members)| members.iter().any(|one| one.as_str() == *camera));
                let by_group = of_camera.map(|(group, _)| [&["prompts", name, "on", group], rest].concat());
                by_group
                    .chain([[&["prompts", name], rest].concat(), [&["defaults", "prompt"], rest].concat()])
                    .collect()
            }
            ["prompts", _, rest @ ..] => vec![[&["defaults", "prompt"], rest].concat()],
            _ => Vec::new(),
        };
        let from = || inherited.iter().find_map(|path| self.loaded.place(path));
        let place = self.loaded.place(path).or_else(from);
        let origin = place.map_or_else(|| "default".to_owned(), ToString::to_string);
        _ = writeln!(self.text, "{setting:ORIGIN_COLUMN$} # {origin}");
    }

    fn word(&mut self, path: &[&str], value: &str) {
        self.line(path, &spell(value));
    }

    fn path(&mut self, path: &[&str], value: &Path) {
        self.word(path, &value.to_string_lossy());
    }

    fn time(&mut self, path: &[&str], value: Duration) {
        self.word(path, &duration::print(value));
    }
}

fn device(device: Device) -> String {
    match device {
        Device::Auto => "auto".to_owned(),
        Device::Cpu => "cpu".to_owned(),
        Device::Cuda(0) => "cuda".to_owned(),
        Device::Cuda(number) => format!("cuda:{number}"),
    }
}

fn mqtt(page: &mut Page<'_>, mqtt: &MqttConfig) {
    page.table(&["mqtt"]);
    match &mqtt.broker {
        BrokerConfig::Embedded { listen } => {
            page.word(&["mqtt", "url"], "embedded");
            page.word(&["mqtt", "listen"], &listen.to_string());
        }
        BrokerConfig::Remote { host, port, tls, login } => {
            let scheme = if tls.is_some() { "mqtts" } else { "mqtt" };
            let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
            page.word(&["mqtt", "url"], &format!("{scheme}://{host}:{port}"));
            if let Some(LoginConfig { user, password }) = login {
                page.word(&["mqtt", "user"], user);
                page.word(&["mqtt", "password"], &password.to_string());
            }
            if let Some(ca) = tls.as_ref().and_then(|tls| tls.ca.as_ref()) {
                page.path(&["mqtt", "ca"], ca);
            }
            if let Some(client) = tls.as_ref().and_then(|tls| tls.client.as_ref()) {
                page.path(&["mqtt", "cert"], &client.cert);
                page.path(&["mqtt", "key"], &client.key);
            }
        }
    }
    page.word(&["mqtt", "prefix"], &mqtt.prefix);
    page.word(&["mqtt", "client_id"], &mqtt.client_id);
    let filters: Vec<String> = mqtt.response_topics.iter().map(|filter| spell(filter)).collect();
    page.line(&["mqtt", "response_topics"], &format!("[{}]", filters.join(", ")));
    page.line(&["mqtt", "new_prompts"], &mqtt.new_prompts.to_string());
    page.table(&["mqtt", "outbox"]);
    page.line(&["mqtt", "outbox", "max_bytes"], &mqtt.outbox.max_bytes.to_string());
    page.time(&["mqtt", "outbox", "max_age"], mqtt.outbox.max_age);
}

fn camera(page: &mut Page<'_>, camera: &CameraConfig) {
    let path = ["cameras", camera.name.as_str()];
    let at = |key: &'static str| [path[0], path[1], key];
    page.table(&path);
    page.word(&at("url"), &redact_url(&camera.url, camera.login.is_some(), &camera.hidden));
    page.word(&at("pipeline"), &camera.pipeline);
    page.line(&at("frames_per_second"), &camera.frames_per_second.to_string());
    page.time(&at("latency"), camera.latency);
    page.time(&at("silence"), camera.silence);
    page.word(&at("frozen_after"), &limit(camera.frozen_after));
    page.line(&at("key_frames_only"), &camera.key_frames_only.to_string());
    page.line(&at("enabled"), &camera.enabled.to_string());
}

fn prompt(page: &mut Page<'_>, config: &PromptConfig) {
    let name = config.prompt.name.as_str();
    let at = |key: &'static str| ["prompts", name, key];
    page.table(&["prompts", name]);
    page.word(&at("ask"), &config.prompt.ask);
    let (negations, also): (Vec<_>, Vec<_>) = config.prompt.also.iter().partition(|wording| wording.negated);
    if !also.is_empty() {
        page.line(&at("also"), &list(&mut also.iter().map(|wording| wording.ask.as_str())));
    }
    for negation in negations {
        page.word(&at("negation"), &negation.ask);
    }
    match &config.prompt.kind {
        AnswerKind::YesNo => page.word(&at("answer"), "yes_no"),
        AnswerKind::Choice(choices) => {
            page.word(&at("answer"), "choice");
            page.line(&at("choices"), &list(&mut choices.iter().map(String::as_str)));
        }
        AnswerKind::Number { min, max } => {
            page.word(&at("answer"), "number");
            page.line(&at("min"), &min.to_string());
            page.line(&at("max"), &max.to_string());
        }
        AnswerKind::Text { max_tokens } => {
            page.word(&at("answer"), "text");
            page.line(&at("max_tokens"), &max_tokens.to_string());
        }
        AnswerKind::Json { schema, max_tokens, max_time } => {
            page.word(&at("answer"), "json");
            page.word(&at("schema"), schema.text());
            page.line(&at("max_tokens"), &max_tokens.to_string());
            page.time(&at("max_time"), *max_time);
        }
    }
    page.line(&at("cameras"), &list(&mut config.cameras.iter().map(|camera| camera.as_str())));
    settings(page, &["prompts", name], config);
    if let Some(region) = config.region {
        page.line(&at("region"), &format!("{:?}", region.edges()));
    }
    for (number, example) in config.examples.iter().enumerate() {
        let number = number.to_string();
        let at = |key: &'static str| ["prompts", name, "examples", number.as_str(), key];
        page.item(&["prompts", name, "examples"]);
        page.path(&at("path"), &example.path);
        page.word(&at("answer"), &example.answer);
    }
    for (camera, there) in &config.on {
        let path = ["prompts", name, "on", camera.as_str()];
        page.table(&path);
        if let AnswerKind::Text { max_tokens } | AnswerKind::Json { max_tokens, .. } = there.prompt.kind {
            page.line(&[path.as_slice(), &["max_tokens"]].concat(), &max_tokens.to_string());
        }
        if let AnswerKind::Json { max_time, .. } = there.prompt.kind {
            page.time(&[path.as_slice(), &["max_time"]].concat(), max_time);
        }
        settings(page, &path, there);
    }
}

/// What a prompt may say of each of its cameras anew.
fn settings(page: &mut Page<'_>, path: &[&str], config: &PromptConfig) {
    let at = |key: &'static str| [path, &[key]].concat();
    page.time(&at("every"), config.every);
    let window =
        format!("{{ frames = {}, span = {} }}", config.window.frames, spell(&duration::print(config.window.span)));
    page.line(&at("window"), &window);
    let publish = match config.publish {
        Publish::OnChange => "on_change",
        Publish::Always => "always",
    };
    page.word(&at("publish"), publish);
    page.line(&at("hold"), &config.hold.to_string());
    page.line(&at("min_probability"), &config.min_probability.to_string());
    page.line(&at("keep_probability"), &config.keep_probability.to_string());
    page.time(&at("cooldown"), config.cooldown);
    page.line(&at("escalate"), &escalate(config.escalate.as_ref()));
    page.line(&at("active"), &active(&config.active));
    page.line(&at("ask_blind"), &config.ask_blind.to_string());
    page.line(&at("image"), &config.image.to_string());
    page.line(&at("enabled"), &config.enabled.to_string());
}

fn list(items: &mut dyn Iterator<Item = &str>) -> String {
    format!("[{}]", items.map(spell).collect::<Vec<_>>().join(", "))
}

fn limit(limit: Option<Duration>) -> String {
    limit.map_or_else(|| "off".to_owned(), duration::print)
}

fn escalate(escalate: Option<&EscalateConfig>) -> String {
    let after = spell(&limit(escalate.map(|escalate| escalate.after)));
    match escalate.and_then(|escalate| escalate.state.as_deref()) {
        Some(state) => format!("{{ after = {after}, state = {} }}", spell(state)),
        None => format!("{{ after = {after} }}"),
    }
}

fn active(Hours(periods): &Hours) -> String {
    let one = |Period { days, from, to }: &Period| {
        let written = DAYS.iter().filter(|(_, day)| days.contains(day)).map(|(word, _)| spell(word));
        let (days, from, to) =
            (written.collect::<Vec<_>>().join(", "), spell(&print_time(*from)), spell(&print_time(*to)));
        format!("{{ days = [{days}], from = {from}, to = {to} }}")
    };
    format!("[{}]", periods.iter().map(one).collect::<Vec<_>>().join(", "))
}
