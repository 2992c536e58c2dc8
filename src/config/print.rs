//! A loaded configuration as one file: every value, each with its origin, secrets as `***`.

use std::{fmt::Write, path::Path, time::Duration};

use super::{
    BrokerConfig, CameraConfig, Device, Loaded, LoginConfig, MqttConfig, PromptConfig, Publish, duration, file::spell,
    secret::redact_url,
};
use crate::{name::PromptName, prompt::AnswerKind};

/// The column where origins begin, unless a line is longer.
const ORIGIN_COLUMN: usize = 56;

/// The merged configuration, with the place of each value behind it; `default` where none was written.
pub fn print(loaded: &Loaded) -> String {
    let mut page = Page { loaded, text: String::new() };
    let config = &loaded.config;
    mqtt(&mut page, &config.mqtt);
    page.table(&["model"]);
    page.path(&["model", "path"], &config.model.path);
    page.word(&["model", "device"], &device(config.model.device));
    if let Some(threads) = config.model.threads {
        page.line(&["model", "threads"], &threads.to_string());
    }
    if let Some(path) = &config.model.onnxruntime {
        page.path(&["model", "onnxruntime"], path);
    }
    if let Some(folder) = &config.pipelines {
        page.table(&["paths"]);
        page.path(&["paths", "pipelines"], folder);
    }
    page.table(&["log"]);
    page.word(&["log", "level"], config.log.level.as_str());
    page.word(&["log", "format"], config.log.format.as_str());
    for one in &config.cameras {
        camera(&mut page, one);
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
        // What a camera or prompt does not say itself, it has from the table of defaults.
        let inherited = match path {
            ["cameras", _, rest @ ..] => [&["defaults", "camera"], rest].concat(),
            ["prompts", _, rest @ ..] => [&["defaults", "prompt"], rest].concat(),
            _ => Vec::new(),
        };
        let place = self.loaded.place(path).or_else(|| self.loaded.place(&inherited));
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
        }
    }
    page.word(&["mqtt", "prefix"], &mqtt.prefix);
    page.word(&["mqtt", "client_id"], &mqtt.client_id);
    page.table(&["mqtt", "outbox"]);
    page.line(&["mqtt", "outbox", "max_bytes"], &mqtt.outbox.max_bytes.to_string());
    page.time(&["mqtt", "outbox", "max_age"], mqtt.outbox.max_age);
}

fn camera(page: &mut Page<'_>, camera: &CameraConfig) {
    let path = ["cameras", camera.name.as_str()];
    let at = |key: &'static str| [path[0], path[1], key];
    page.table(&path);
    page.word(&at("url"), &redact_url(&camera.url, camera.login.is_some()));
    page.word(&at("pipeline"), &camera.pipeline);
    page.line(&at("frames_per_second"), &camera.frames_per_second.to_string());
    page.time(&at("latency"), camera.latency);
    page.time(&at("silence"), camera.silence);
    page.line(&at("enabled"), &camera.enabled.to_string());
}

fn prompt(page: &mut Page<'_>, config: &PromptConfig) {
    let name = config.prompt.name.as_str();
    let at = |key: &'static str| ["prompts", name, key];
    page.table(&["prompts", name]);
    page.word(&at("ask"), &config.prompt.ask);
    let list = |items: &mut dyn Iterator<Item = &str>| format!("[{}]", items.map(spell).collect::<Vec<_>>().join(", "));
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
    page.time(&at("every"), config.every);
    let window = format!("{{ frames = {}, span = {} }}", config.frames, spell(&duration::print(config.span)));
    page.line(&at("window"), &window);
    let publish = match config.publish {
        Publish::OnChange => "on_change",
        Publish::Always => "always",
    };
    page.word(&at("publish"), publish);
    page.line(&at("hold"), &config.hold.to_string());
    page.line(&at("min_probability"), &config.min_probability.to_string());
    page.line(&at("enabled"), &config.enabled.to_string());
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
}
