//! The tables that stand once: broker, model, log, paths.

use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    path::{Path, PathBuf},
    time::Duration,
};

use url::Url;

use super::{
    super::{
        BrokerConfig, ClientCertificate, Device, HistoryConfig, HomeAssistantConfig, LoginConfig, ModelConfig,
        MqttConfig, OutboxConfig, Secret, TlsConfig, WebConfig,
        allowed::BUILT_IN_PIPELINES,
        file::{self, Paths},
    },
    checker::Checker,
};
use crate::telemetry::{self, Format, Level};

const EMBEDDED: &str = "embedded";
const DEFAULT_URL: &str = "mqtt://localhost:1883";
const URL_EXAMPLES: &str = "`\"embedded\"`, or as in `\"mqtt://localhost:1883\"` and `\"mqtts://broker.lan\"`";
const DEFAULT_LISTEN: &str = "127.0.0.1:1883";
const DEFAULT_PREFIX: &str = "wader";
const DEFAULT_HOME_ASSISTANT: &str = "homeassistant";
const DEFAULT_MODEL: &str = "models/wader-small";
/// Below it lies what an installed service comes with, which runs there.
const INSTALLED: &str = "/usr/share/wader";
const OUTBOX_BYTES: u64 = 16 << 20;
const HISTORY_BYTES: u64 = 256 << 20;
const HISTORY_AGE: Duration = Duration::from_secs(30 * 24 * 3600);
const OUTBOX_AGE: Duration = Duration::from_secs(3600);

/// `[mqtt]`.
pub(super) fn mqtt(checker: &mut Checker<'_>, mqtt: &file::Mqtt) -> Option<MqttConfig> {
    let prefix = prefix(checker, &["mqtt", "prefix"], mqtt.prefix.as_deref().unwrap_or(DEFAULT_PREFIX));
    let client_id = client_id(checker, mqtt.client_id.as_deref(), &prefix);
    let outbox = OutboxConfig {
        max_bytes: checker.within(
            &["mqtt", "outbox", "max_bytes"],
            mqtt.outbox.max_bytes,
            OUTBOX_BYTES,
            (64 << 10)..=(16 << 30),
        ),
        max_age: checker.time_within(
            &["mqtt", "outbox", "max_age"],
            mqtt.outbox.max_age,
            OUTBOX_AGE,
            Duration::from_secs(1)..=Duration::from_secs(7 * 24 * 3600),
        ),
    };
    let broker = match mqtt.url.as_deref().unwrap_or(DEFAULT_URL) {
        EMBEDDED => embedded(checker, mqtt),
        url => remote(checker, mqtt, url),
    };
    let response_topics = mqtt.response_topics.clone().unwrap_or_default();
    for (place, filter) in response_topics.iter().enumerate() {
        if !is_response_filter(filter) {
            let right = "a topic of somebody's own, such as `tools/answers`, or many: `tools/+/answers`, `tools/#`";
            checker.wrong_with(&["mqtt", "response_topics", &place.to_string()], "is no filter for answers", right);
        }
    }
    let new_prompts = mqtt.new_prompts.unwrap_or(false);
    Some(MqttConfig { broker: broker?, prefix, client_id, response_topics, new_prompts, outbox })
}

/// Whether an asker may be allowed to name the topics of a filter: not those of all the broker, nor the broker's own.
fn is_response_filter(filter: &str) -> bool {
    let levels: Vec<&str> = filter.split('/').collect();
    let is_level = |(place, level): (usize, &&str)| match *level {
        "+" => place > 0,
        "#" => place > 0 && place + 1 == levels.len(),
        level => !level.is_empty() && !level.contains(['+', '#', '\0']),
    };
    !filter.starts_with('$') && filter.len() <= 256 && levels.iter().enumerate().all(is_level)
}

fn prefix(checker: &mut Checker<'_>, path: &[&str], prefix: &str) -> String {
    let is_level = |level: &str| {
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        !level.is_empty() && level.chars().all(legal)
    };
    if prefix.len() > 64 || !prefix.split('/').all(is_level) {
        let right =
            "letters, digits, `_`, `-` and `.`, levels parted by `/`, at most 64 characters, such as `home/wader`";
        checker.wrong_with(path, "cannot begin a topic", right);
    }
    prefix.to_owned()
}

fn client_id(checker: &mut Checker<'_>, given: Option<&str>, prefix: &str) -> String {
    let id = given.map_or_else(|| prefix.replace('/', "-"), str::to_owned);
    if id.is_empty() || id.len() > 64 || !id.chars().all(|c| c.is_ascii_graphic()) {
        checker.wrong(&["mqtt", "client_id"], "must be 1 to 64 letters, digits and signs without spaces");
    }
    id
}

fn embedded(checker: &mut Checker<'_>, mqtt: &file::Mqtt) -> Option<BrokerConfig> {
    let meaningless = [
        ("user", mqtt.user.is_some()),
        ("password", mqtt.password.is_some()),
        ("ca", mqtt.ca.is_some()),
        ("cert", mqtt.cert.is_some()),
        ("key", mqtt.key.is_some()),
        ("allow_plaintext_password", mqtt.allow_plaintext_password.is_some()),
    ];
    for (key, _) in meaningless.iter().filter(|(_, given)| *given) {
        checker.wrong_with(
            &["mqtt", key],
            "has no meaning with the embedded broker",
            "delete it, or give a broker's URL",
        );
    }
    let path = ["mqtt", "listen"];
    let Ok(listen) = mqtt.listen.as_deref().unwrap_or(DEFAULT_LISTEN).parse::<SocketAddr>() else {
        checker.wrong(&path, "must be an IP address and a port, such as `\"127.0.0.1:1883\"`");
        return None;
    };
    if !listen.ip().is_loopback() {
        checker.wrong_with(
            &path,
            "is not of this machine alone, and the embedded broker asks nobody for a password",
            "listen on 127.0.0.1 or [::1], or give the URL of a broker of your own",
        );
    }
    Some(BrokerConfig::Embedded { listen })
}

fn remote(checker: &mut Checker<'_>, mqtt: &file::Mqtt, url: &str) -> Option<BrokerConfig> {
    let path = ["mqtt", "url"];
    let Ok(url) = Url::parse(url) else {
        checker.wrong_with(&path, "is not the URL of a broker", format!("write {URL_EXAMPLES}"));
        return None;
    };
    let (tls, default_port) = match url.scheme() {
        "mqtt" => (false, 1883),
        "mqtts" => (true, 8883),
        _ => {
            checker.wrong_with(&path, "wader speaks `mqtt` and `mqtts`", format!("write {URL_EXAMPLES}"));
            return None;
        }
    };
    if !url.username().is_empty() || url.password().is_some() {
        checker.wrong_with(&path, "holds a user or password", "write them as `user` and `password` below `[mqtt]`");
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        checker.wrong_with(&path, "goes on after host and port", "the topic's beginning is `prefix`");
    }
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = url.port().unwrap_or(default_port);
    if host.is_empty() || port == 0 {
        checker.wrong_with(&path, "names no host and port that can be reached", format!("write {URL_EXAMPLES}"));
        return None;
    }
    if mqtt.listen.is_some() {
        let right = "write `url = \"embedded\"`, or delete it";
        checker.warn(&["mqtt", "listen"], "is for the broker inside wader, and `url` names another", right);
    }
    for (key, given) in [("ca", &mqtt.ca), ("cert", &mqtt.cert), ("key", &mqtt.key)] {
        if given.is_some() && !tls {
            checker.wrong_with(&["mqtt", key], "has no meaning without TLS", "write `mqtts` in the URL, or delete it");
        }
    }
    let login = login(checker, mqtt);
    let in_the_open = !tls && login.is_some() && !is_loopback(&host);
    if in_the_open && mqtt.allow_plaintext_password != Some(true) {
        checker.wrong_with(
            &path,
            "the password would go over the network for all to read",
            "write `mqtts`, or `allow_plaintext_password = true` where the network is trusted",
        );
    }
    let client = client_certificate(checker, mqtt);
    let tls = tls.then(|| TlsConfig { ca: mqtt.ca.clone(), client });
    Some(BrokerConfig::Remote { host, port, tls, login })
}

fn client_certificate(checker: &mut Checker<'_>, mqtt: &file::Mqtt) -> Option<ClientCertificate> {
    let (cert, key) = match (&mqtt.cert, &mqtt.key) {
        (Some(cert), Some(key)) => (cert.clone(), key.clone()),
        (Some(_), None) => {
            checker.missing(&["mqtt", "key"], "a `cert` needs the file of its key");
            return None;
        }
        (None, Some(_)) => {
            checker.missing(&["mqtt", "cert"], "a `key` needs the file of its certificate");
            return None;
        }
        (None, None) => return None,
    };
    if mqtt.ca.is_none() {
        checker.missing(&["mqtt", "ca"], "a `cert` needs the file of the authorities that may vouch for the broker");
    }
    Some(ClientCertificate { cert, key })
}

fn login(checker: &mut Checker<'_>, mqtt: &file::Mqtt) -> Option<LoginConfig> {
    match (&mqtt.user, &mqtt.password) {
        (Some(user), Some(password)) => {
            Some(LoginConfig { user: user.clone(), password: Secret::new(password.clone()) })
        }
        (Some(_), None) => {
            checker.missing(&["mqtt", "password"], "a `user` needs one, such as `password = \"${MQTT_PASSWORD}\"`");
            None
        }
        (None, Some(_)) => {
            checker.missing(&["mqtt", "user"], "a `password` needs one");
            None
        }
        (None, None) => None,
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// `[history]`.
pub(super) fn history(checker: &mut Checker<'_>, given: &file::History) -> HistoryConfig {
    let (least, most) = (Duration::from_secs(3600), Duration::from_secs(10 * 366 * 24 * 3600));
    HistoryConfig {
        enabled: given.enabled.unwrap_or(true),
        max_bytes: checker.within(&["history", "max_bytes"], given.max_bytes, HISTORY_BYTES, (1 << 20)..=(1 << 40)),
        max_age: checker.time_within(&["history", "max_age"], given.max_age, HISTORY_AGE, least..=most),
    }
}

/// `[web]`.
pub(super) fn web(checker: &mut Checker<'_>, given: &file::Web) -> WebConfig {
    let path = ["web", "listen"];
    let Some(written) = &given.listen else { return WebConfig { listen: None } };
    let listen = written.parse::<SocketAddr>().ok();
    match listen {
        None => checker.wrong(&path, "must be an IP address and a port, such as `\"127.0.0.1:8470\"`"),
        Some(listen) if !listen.ip().is_loopback() => checker.warn(
            &path,
            "everyone who reaches this address sees what is answered: the page asks for no password",
            "listen on 127.0.0.1, behind a proxy that asks for one",
        ),
        Some(_) => {}
    }
    WebConfig { listen }
}

/// `[homeassistant]`.
pub(super) fn homeassistant(checker: &mut Checker<'_>, given: &file::HomeAssistant) -> HomeAssistantConfig {
    let written = given.prefix.as_deref().unwrap_or(DEFAULT_HOME_ASSISTANT);
    HomeAssistantConfig {
        discovery: given.discovery.unwrap_or(true),
        prefix: prefix(checker, &["homeassistant", "prefix"], written),
    }
}

/// The folder of what outlives a restart: it need not be there yet, but nothing can be below a file.
pub(super) fn state(checker: &mut Checker<'_>, paths: &Paths) -> Option<PathBuf> {
    let folder = paths.state.clone()?;
    if folder.as_os_str().is_empty() || (folder.exists() && !folder.is_dir()) {
        checker.wrong(&["paths", "state"], "must be a folder that wader may write");
    }
    Some(folder)
}

/// The shipped model's folder, for whoever names none: below this folder, or else where an installed service has it.
pub fn shipped_model() -> PathBuf {
    shipped([Path::new(""), Path::new(INSTALLED)])
}

fn shipped([here, installed]: [&Path; 2]) -> PathBuf {
    let [here, there] = [here, installed].map(|folder| folder.join(DEFAULT_MODEL));
    if !here.exists() && there.exists() { there } else { here }
}

/// `[model]`.
pub(super) fn model(checker: &mut Checker<'_>, model: file::Model) -> Option<ModelConfig> {
    let path = model.path.unwrap_or_else(shipped_model);
    if path.as_os_str().is_empty() {
        checker.wrong(&["model", "path"], "must be a folder with `manifest.json`");
    }
    let threads = model.threads.map(|threads| checker.within(&["model", "threads"], Some(threads), 1, 1..=256));
    Some(ModelConfig {
        path,
        device: device(checker, model.device.as_deref())?,
        threads: threads.and_then(NonZeroU32::new),
        onnxruntime: model.onnxruntime,
        skip_unchanged: model.skip_unchanged.unwrap_or(true),
    })
}

fn device(checker: &mut Checker<'_>, given: Option<&str>) -> Option<Device> {
    let device = match given.unwrap_or("auto") {
        "auto" => Some(Device::Auto),
        "cpu" => Some(Device::Cpu),
        "cuda" => Some(Device::Cuda(0)),
        other => other.strip_prefix("cuda:").and_then(|number| number.parse().ok()).map(Device::Cuda),
    };
    if device.is_none() {
        checker.wrong(
            &["model", "device"],
            "must be `\"auto\"`, `\"cpu\"`, `\"cuda\"` or, for the second GPU, `\"cuda:1\"`",
        );
    }
    device
}

/// `[log]`.
pub(super) fn log(checker: &mut Checker<'_>, log: &file::Log) -> telemetry::Spec {
    let levels = Level::ALL.map(|level| (level.as_str(), level));
    let formats = Format::ALL.map(|format| (format.as_str(), format));
    telemetry::Spec {
        level: checker.choose(&["log", "level"], log.level.as_deref(), Level::Info, &levels),
        format: checker.choose(&["log", "format"], log.format.as_deref(), Format::Auto, &formats),
    }
}

/// The folder of pipelines: the one that is written, else the one beside the first file if it is there.
pub(super) fn pipelines(checker: &mut Checker<'_>, paths: Paths, beside: &Path) -> Option<PathBuf> {
    match paths.pipelines {
        None => beside.is_dir().then(|| beside.to_owned()),
        Some(folder) if folder.is_dir() => Some(folder),
        Some(_) => {
            checker.wrong(&["paths", "pipelines"], "is not a folder that can be read");
            None
        }
    }
}

/// The names of all pipeline descriptions: `NAME.gst` in the folder, and those that are part of wader.
pub(super) fn known_pipelines(folder: Option<&Path>) -> Vec<String> {
    let files = folder.and_then(|folder| std::fs::read_dir(folder).ok()).into_iter().flatten().flatten();
    let names = files.filter_map(|file| file.file_name().to_str()?.strip_suffix(".gst").map(str::to_owned));
    let mut known: Vec<String> = BUILT_IN_PIPELINES.iter().map(|&(name, _)| name.to_owned()).chain(names).collect();
    known.sort();
    known.dedup();
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_stands_elsewhere_gets_the_model_of_the_installed_service() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let [here, there] = [folders[0].path(), folders[1].path()];
        let model = |folder: &Path| folder.join(DEFAULT_MODEL);
        assert_eq!(shipped([here, there]), model(here), "what is missing is missed where one is");
        std::fs::create_dir_all(model(there)).unwrap();
        assert_eq!(shipped([here, there]), model(there));
        std::fs::create_dir_all(model(here)).unwrap();
        assert_eq!(shipped([here, there]), model(here));
    }
}
