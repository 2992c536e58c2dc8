//! The systemd unit: its commands exist, its times are longer than ours, its exposure stays small.

use std::{fs, path::PathBuf, process::Command, time::Duration};

use crate::support::config::root;

/// How long wader takes to stop at most, as the architecture promises.
const OWN_STOP: Duration = Duration::from_secs(5);
/// The highest exposure that `systemd-analyze security` may find, in tenths of 10: without and with the drop-in for a GPU.
const EXPOSURE: [(&str, Option<&str>); 2] = [("15", None), ("20", Some("gpu.conf"))];

fn unit_path() -> PathBuf {
    root().join("systemd/wader.service")
}

/// The values of a key of a unit, in the order of its lines.
fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    let lines = unit.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';']));
    lines.filter_map(|line| line.split_once('=')).filter(|(name, _)| *name == key).map(|(_, value)| value).collect()
}

fn seconds(unit: &str, key: &str) -> Duration {
    let [value] = values(unit, key)[..] else { panic!("`{key}` must stand once") };
    Duration::from_secs(value.parse().expect("whole seconds"))
}

#[test]
fn the_unit_waits_longer_than_wader_needs() {
    let unit = fs::read_to_string(unit_path()).unwrap();
    assert_eq!(values(&unit, "Type"), ["notify"]);
    assert!(seconds(&unit, "TimeoutStopSec") > OWN_STOP);
    assert!(seconds(&unit, "WatchdogSec") >= Duration::from_secs(30), "a large model may need seconds for a token");
    assert!(seconds(&unit, "TimeoutStartSec") >= Duration::from_secs(60));
    assert_eq!(values(&unit, "LimitCORE"), ["0"], "a core dump holds passwords");
    // An empty list of capabilities is a line that one forgets.
    assert_eq!(values(&unit, "CapabilityBoundingSet"), [""]);
}

#[test]
fn what_the_unit_names_is_there() {
    let unit = fs::read_to_string(unit_path()).unwrap();
    let cache = values(&unit, "CacheDirectory")[0];
    let registry = values(&unit, "Environment").into_iter().find_map(|set| set.strip_prefix("GST_REGISTRY=")).unwrap();
    assert!(registry.starts_with(&format!("/var/cache/{cache}/")), "{registry} would not be writable");
    let commands: Vec<&str> = unit.lines().filter(|line| line.starts_with("ExecStart")).collect();
    assert!(!commands.is_empty());
    let help = Command::new(env!("CARGO_BIN_EXE_wader")).arg("--help").output().unwrap();
    let help = String::from_utf8_lossy(&help.stdout);
    for command in commands {
        let (_, command) = command.split_once('=').unwrap();
        let mut words = command.split_whitespace();
        assert_eq!(words.next(), Some("/usr/bin/wader"), "{command}");
        let subcommand = words.next().unwrap();
        let listed = help.lines().any(|line| line.split_whitespace().next() == Some(subcommand));
        assert!(listed, "`wader --help` knows no `{subcommand}`:\n{help}");
    }
}

#[test]
fn systemd_finds_nothing_wrong_and_little_exposed() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        eprintln!("skipped: systemd-analyze is not installed");
        return;
    }
    let unit = fs::read_to_string(unit_path()).unwrap().replace("/usr/bin/wader", env!("CARGO_BIN_EXE_wader"));
    for (most, drop_in) in EXPOSURE {
        let folder = tempfile::tempdir().unwrap();
        let installed = folder.path().join("wader.service");
        fs::write(&installed, &unit).unwrap();
        if let Some(name) = drop_in {
            let beside = folder.path().join("wader.service.d");
            fs::create_dir(&beside).unwrap();
            fs::copy(unit_path().with_file_name(name), beside.join(name)).unwrap();
        }
        for arguments in [&["verify"][..], &["security", "--offline=true", "--threshold", most]] {
            let output = Command::new("systemd-analyze").args(arguments).arg(&installed).output().unwrap();
            let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            let said = format!("{out}{err}");
            assert!(output.status.success(), "{arguments:?} with {drop_in:?}: {said}");
            assert!(!said.contains("Unknown key") && !said.contains("Failed to parse"), "{said}");
            let all = said.lines().find(|line| line.contains("Overall exposure level"));
            eprintln!("with {drop_in:?}: {}", all.unwrap_or("verified"));
            // so that the drop-in is known to have been read
            assert!(arguments[0] == "verify" || drop_in.is_none() == (said.contains("✓ PrivateDevices=")), "{said}");
        }
    }
}

#[test]
fn the_readme_explains_what_it_says_is_absent() {
    let unit = fs::read_to_string(unit_path()).unwrap();
    let readme = fs::read_to_string(root().join("systemd/README.md")).unwrap();
    let absent: Vec<&str> = readme.split("| no `").skip(1).filter_map(|rest| rest.split('=').next()).collect();
    assert!(absent.len() >= 3, "{absent:?}");
    for key in absent {
        assert_eq!(values(&unit, key), Vec::<&str>::new(), "README.md says that there is no `{key}=`");
    }
}
