//! Configuration files, the folder beside them and the environment: nothing panics, no value of a secret is ever told, and
//! what was accepted is the same once it is printed and read again.
//!
//! An input is a first file, a second one and lines of an environment, parted by bytes 0xff.

#![no_main]

use std::{cell::Cell, fs};

use libfuzzer_sys::fuzz_target;
use wader::config::{BrokerConfig, Config, Found, Loaded, LoginConfig, Secret, Sources, load, print};
use wader_fuzz::{folder, parts};

/// What every secret's value begins with: long enough that no input holds it by chance. libFuzzer sees what is compared with
/// what, and puts it into inputs by itself: those tell nothing.
const CANARY: &str = "cAnArY-0123456789";

/// Each secret has a value of its own, so that it is known which of them a text tells.
fn secrets() -> impl Fn(&str) -> Found {
    let count = Cell::new(0);
    move |name| {
        count.set(count.get() + 1);
        Ok((!name.starts_with('_')).then(|| format!("{CANARY}-{:03}@/", count.get())))
    }
}

fn logins(config: &mut Config) -> Vec<&mut LoginConfig> {
    let broker = match &mut config.mqtt.broker {
        BrokerConfig::Remote { login, .. } => login.as_mut(),
        BrokerConfig::Embedded { .. } => None,
    };
    broker.into_iter().chain(config.cameras.iter_mut().filter_map(|camera| camera.login.as_mut())).collect()
}

/// The configuration without what is not printed: who we are to cameras and broker, and what stands in queries.
fn without_secrets(loaded: &Loaded) -> Config {
    let mut config = loaded.config.clone();
    logins(&mut config).into_iter().for_each(|login| login.password = Secret::default());
    for camera in &mut config.cameras {
        camera.login = None;
        camera.url.set_query(None);
        if camera.url.has_host() && camera.url.path().contains(['@', '=']) {
            // who may have strayed into the path, or is told there, is not printed
            camera.url.set_host(Some("***")).expect("a host");
            camera.url.set_port(None).expect("a port");
            camera.url.set_path("");
        }
    }
    config
}

fuzz_target!(|data: &[u8]| {
    thread_local! { static FOLDER: tempfile::TempDir = folder(); }
    let [first, second, environment] = parts(data).map(String::from_utf8_lossy);
    // TOML knows no end of tables within tables; our own limit is that of the file's length
    let holds_the_canary = data.windows(CANARY.len()).any(|part| part == CANARY.as_bytes());
    if data.len() > 8 << 10 || holds_the_canary {
        return;
    }
    FOLDER.with(|folder| {
        let file = folder.path().join("wader.toml");
        fs::create_dir_all(folder.path().join("conf.d")).expect("a folder");
        fs::write(&file, first.as_bytes()).expect("a file");
        fs::write(folder.path().join("conf.d/10.toml"), second.as_bytes()).expect("a file");
        let mut sources = Sources::of_file(&file);
        let variables = environment.lines().filter_map(|line| line.split_once('='));
        sources.environment = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let loaded = match load(&sources, &secrets()) {
            Ok(loaded) => loaded,
            Err(report) => {
                assert!(!report.to_string().contains(CANARY), "a report tells a secret:\n{report}");
                return;
            }
        };
        let page = print(&loaded);
        let mut config = loaded.config.clone();
        for login in logins(&mut config) {
            let password = login.password.reveal();
            if let Some(at) = password.find(CANARY) {
                let own: String = password[at..].chars().take(CANARY.len() + 4).collect();
                assert!(!page.contains(&own), "a page tells a password:\n{page}");
            }
        }
        let hidden = page.contains("password=***") || page.contains("***");
        if data.contains(&b'*') || (hidden && page.contains("token=")) {
            return; // the stars may be the file's own
        }
        fs::write(&file, page.as_bytes()).expect("a file");
        fs::write(folder.path().join("conf.d/10.toml"), "").expect("a file");
        match load(&Sources::of_file(&file), &|_| Ok(None)) {
            Ok(again) => {
                assert_eq!(without_secrets(&again), without_secrets(&loaded), "it changes when printed:\n{page}")
            }
            Err(report) => panic!("what is printed is refused:\n{report}\n{page}"),
        }
    });
});
