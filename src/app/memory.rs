//! What outlives a restart: what others switched off, and what was published that a broker keeps.
//!
//! A small file, written whole under another name and then renamed. One that cannot be read is reported, and done
//! without.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::switches::Off;
use crate::{
    mqtt::discovery::States,
    name::{CameraName, PromptName},
    prompt::AnswerKind,
};

/// What is said where there is no folder for what outlives a restart.
pub(super) const NOWHERE: &str = "there is no folder to keep it in: name one as `state` below `[paths]`";

/// The version of the file.
const SCHEMA: &str = "wader.memory/1";

/// The prompts of each camera, and what their states may be.
pub(super) type Published = BTreeMap<CameraName, BTreeMap<PromptName, States>>;

/// The prompts whose pictures are published.
pub(super) type Images = BTreeSet<(CameraName, PromptName)>;

/// What is remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Remembered {
    /// What was switched off.
    pub(super) off: BTreeMap<CameraName, Off>,
    /// The prefix below which it was published; empty where nothing was.
    pub(super) prefix: String,
    /// The prefix of Home Assistant below which it was announced, if it was.
    pub(super) homeassistant: Option<String>,
    /// What may have left something that the broker keeps.
    pub(super) published: Published,
    /// And whose pictures it may keep.
    pub(super) images: Images,
    /// The cameras of which it may keep that they are disabled, and nothing else.
    pub(super) disabled: BTreeSet<CameraName>,
}

/// Why nothing is remembered, or will be.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// No folder.
    #[error(
        "no folder to remember anything in: neither STATE_DIRECTORY, XDG_STATE_HOME nor HOME is set; name one as \
         `state` below `[paths]`"
    )]
    NoFolder,
    /// The disk.
    #[error("`{path}`: {source}; `state` below `[paths]` names the folder, which wader must be able to write")]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// The file's content.
    #[error(
        "`{path}` is damaged ({problem}): what was switched off is on again, and what is gone is not cleared from the \
         broker"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

/// The file.
#[derive(Debug, Clone)]
pub(super) struct Memory(Option<PathBuf>);

impl Memory {
    /// The file of the service with this client id in this folder, or in the one that the system has for it.
    pub(super) fn new(folder: Option<&Path>, client_id: &str) -> Self {
        Self(file(folder, client_id, "json"))
    }

    /// Reads what is remembered; nothing at the first start.
    pub(super) fn read(&self) -> Result<Remembered, Error> {
        let path = self.0.as_ref().ok_or(Error::NoFolder)?;
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Remembered::default()),
            Err(source) => return Err(Error::Disk { path: path.clone(), source }),
        };
        let damaged = |problem: String| Error::Damaged { path: path.clone(), problem };
        let written: Written = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        written.checked().map_err(damaged)
    }

    /// What services of other client ids remember beside it, and what is remembered in the folder that would be used if none
    /// were named.
    pub(super) fn others(&self) -> Vec<PathBuf> {
        self.others_in(usual_folder(|name| std::env::var_os(name)))
    }

    fn others_in(&self, usual: Option<PathBuf>) -> Vec<PathBuf> {
        let own = self.0.as_ref().and_then(|path| path.parent()).map(Path::to_owned);
        let folders: BTreeSet<PathBuf> = own.into_iter().chain(usual).collect();
        let entries = folders.into_iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten();
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| Some(path) != self.0.as_ref());
        let is_memory = |path: &PathBuf| {
            path.extension().is_some_and(|extension| extension == "json") && Self(Some(path.clone())).read().is_ok()
        };
        let mut others: Vec<PathBuf> = paths.filter(is_memory).collect();
        others.sort();
        others
    }

    /// Writes what is to be remembered, so that a crash leaves the old or the new. Blocks.
    pub(super) fn write(&self, remembered: &Remembered) -> Result<(), Error> {
        let path = self.0.as_ref().ok_or(Error::NoFolder)?;
        let written = serde_json::to_vec_pretty(&Written::from(remembered)).map_err(io::Error::from);
        let put = written.and_then(|bytes| put(path, &bytes));
        put.map_err(|source| Error::Disk { path: path.clone(), source })
    }
}

/// A file that outlives a restart; `None` where there is no folder for such.
pub(super) fn file(folder: Option<&Path>, client_id: &str, extension: &str) -> Option<PathBuf> {
    // two services of one user must not share it; their client ids differ, or the broker would part them
    let name: String = client_id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let folder = folder.map(Path::to_owned).or_else(|| usual_folder(|name| std::env::var_os(name)))?;
    Some(folder.join(format!("{name}.{extension}")))
}

/// Writes a file whole, so that a crash leaves the old or the new. Blocks.
pub(super) fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let new = path.with_extension("json.new");
    let mut file = File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(folder)?.sync_all()
}

/// Where the service manager says, or where users keep such things.
fn usual_folder(variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> Option<PathBuf> {
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let of_service = variable("STATE_DIRECTORY").and_then(|list| std::env::split_paths(&list).next());
    let of_user = || absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
    of_service.filter(|path| path.is_absolute()).or_else(|| Some(of_user()?.join("wader")))
}

/// The file as it is written.
#[derive(Debug, Serialize, Deserialize)]
struct Written {
    schema: String,
    off: OffWritten,
    published: PublishedWritten,
}

#[derive(Debug, Serialize, Deserialize)]
struct OffWritten {
    cameras: BTreeSet<String>,
    prompts: BTreeMap<String, BTreeSet<String>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct PublishedWritten {
    prefix: String,
    homeassistant: Option<String>,
    cameras: BTreeMap<String, BTreeMap<String, StatesWritten>>,
    #[serde(default)]
    images: BTreeMap<String, BTreeSet<String>>,
    #[serde(default)]
    disabled: BTreeSet<String>,
}

/// A word, or the list of a choice.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum StatesWritten {
    Word(String),
    OneOf(Vec<String>),
}

/// The words of the file. The first and the last are older than the others, and were then as what states are shown.
const YES_NO: &str = "binary_sensor";
const NUMBER: &str = "number";
const TEXT: &str = "sensor";

impl From<&States> for StatesWritten {
    fn from(states: &States) -> Self {
        match states {
            States::YesNo => Self::Word(YES_NO.to_owned()),
            States::OneOf(choices) => Self::OneOf(choices.clone()),
            States::Number => Self::Word(NUMBER.to_owned()),
            States::Text => Self::Word(TEXT.to_owned()),
        }
    }
}

impl StatesWritten {
    fn checked(self) -> Result<States, String> {
        match self {
            Self::OneOf(choices) => Ok(States::OneOf(choices)),
            Self::Word(word) => match word.as_str() {
                YES_NO => Ok(States::YesNo),
                NUMBER => Ok(States::Number),
                TEXT => Ok(States::Text),
                _ => Err(format!("`{word}` is no kind of state")),
            },
        }
    }
}

impl From<&Remembered> for Written {
    fn from(remembered: &Remembered) -> Self {
        let off = &remembered.off;
        let text = |names: &BTreeSet<PromptName>| names.iter().map(ToString::to_string).collect();
        let prompts = |prompts: &BTreeMap<PromptName, States>| {
            prompts.iter().map(|(prompt, states)| (prompt.to_string(), states.into())).collect()
        };
        let mut images: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (camera, prompt) in &remembered.images {
            images.entry(camera.to_string()).or_default().insert(prompt.to_string());
        }
        Self {
            schema: SCHEMA.to_owned(),
            off: OffWritten {
                cameras: off.iter().filter(|(_, off)| off.camera).map(|(camera, _)| camera.to_string()).collect(),
                prompts: off
                    .iter()
                    .filter(|(_, off)| !off.prompts.is_empty())
                    .map(|(camera, off)| (camera.to_string(), text(&off.prompts)))
                    .collect(),
            },
            published: PublishedWritten {
                prefix: remembered.prefix.clone(),
                homeassistant: remembered.homeassistant.clone(),
                cameras: remembered.published.iter().map(|(camera, p)| (camera.to_string(), prompts(p))).collect(),
                images,
                disabled: remembered.disabled.iter().map(ToString::to_string).collect(),
            },
        }
    }
}

impl Written {
    /// Names become names again: nothing else may come to stand in a topic that is cleared.
    fn checked(self) -> Result<Remembered, String> {
        if self.schema != SCHEMA {
            return Err(format!("it has the schema `{}`; this wader reads `{SCHEMA}`", self.schema));
        }
        let camera = |text: &str| CameraName::new(text).map_err(|error| error.to_string());
        let prompt = |text: &str| PromptName::new(text).map_err(|error| error.to_string());
        let mut off: BTreeMap<CameraName, Off> = BTreeMap::new();
        for name in &self.off.cameras {
            off.entry(camera(name)?).or_default().camera = true;
        }
        for (name, prompts) in &self.off.prompts {
            let prompts: Result<_, String> = prompts.iter().map(|name| prompt(name)).collect();
            off.entry(camera(name)?).or_default().prompts = prompts?;
        }
        let mut published = Published::new();
        let PublishedWritten { prefix, homeassistant, cameras, images: images_of, disabled } = self.published;
        let disabled = disabled.iter().map(|name| camera(name)).collect::<Result<_, _>>()?;
        let mut images = Images::new();
        for (name, prompts) in &images_of {
            for one in prompts {
                images.insert((camera(name)?, prompt(one)?));
            }
        }
        for (name, prompts) in cameras {
            let of_camera = published.entry(camera(&name)?).or_default();
            for (name, states) in prompts {
                of_camera.insert(prompt(&name)?, states.checked()?);
            }
        }
        Ok(Remembered { off, prefix, homeassistant, published, images, disabled })
    }
}

/// What the state of each prompt of a camera may be.
pub(super) fn states<'a>(
    prompts: impl IntoIterator<Item = (&'a PromptName, &'a AnswerKind)>,
) -> BTreeMap<PromptName, States> {
    prompts.into_iter().map(|(name, kind)| (name.clone(), States::of(kind))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remembered() -> Remembered {
        let (door, yard) = (CameraName::new("door").unwrap(), CameraName::new("yard").unwrap());
        let prompt = |name| PromptName::new(name).unwrap();
        let person = prompt("person");
        Remembered {
            off: [
                (door.clone(), Off { camera: true, prompts: BTreeSet::new() }),
                (yard.clone(), Off { camera: false, prompts: [person.clone()].into() }),
            ]
            .into(),
            prefix: "wader".to_owned(),
            homeassistant: Some("homeassistant".to_owned()),
            published: [
                (door, BTreeMap::new()),
                (
                    yard,
                    [
                        (person, States::YesNo),
                        (prompt("gate"), States::OneOf(vec!["open".to_owned(), "shut".to_owned()])),
                        (prompt("people"), States::Number),
                        (prompt("scene"), States::Text),
                    ]
                    .into(),
                ),
            ]
            .into(),
            images: [(CameraName::new("yard").unwrap(), prompt("gate"))].into(),
            disabled: [CameraName::new("attic").unwrap()].into(),
        }
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::new(Some(&folder.path().join("new")), "home/wader");
        assert_eq!(memory.read().unwrap(), Remembered::default(), "the first start");
        for _ in 0..2 {
            memory.write(&remembered()).unwrap();
            assert_eq!(memory.read().unwrap(), remembered());
        }
        let files: Vec<_> = fs::read_dir(folder.path().join("new")).unwrap().map(|f| f.unwrap().file_name()).collect();
        assert_eq!(files, ["home-wader.json"]);
    }

    #[test]
    fn what_another_name_remembers_is_found_and_nothing_else_is_taken_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let memory = |name| Memory::new(Some(folder.path()), name);
        memory("wader").write(&remembered()).unwrap();
        fs::write(folder.path().join("notes.json"), "{}").unwrap();
        let of_wader = [folder.path().join("wader.json")];
        assert_eq!(memory("home/wader").others_in(None), of_wader);
        assert!(memory("wader").others_in(None).is_empty());
        assert!(Memory(None).others_in(None).is_empty());
        let usual = Some(folder.path().to_owned());
        assert!(memory("wader").others_in(usual.clone()).is_empty(), "its own");
        assert_eq!(
            Memory::new(Some(Path::new("/nowhere")), "wader").others_in(usual),
            of_wader,
            "what stayed in the usual place"
        );
    }

    #[test]
    fn a_damaged_file_says_what_is_wrong_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::new(Some(folder.path()), "wader");
        memory.write(&remembered()).unwrap();
        let file = folder.path().join("wader.json");
        let whole = fs::read_to_string(&file).unwrap();
        for (text, says) in [
            (whole[..whole.len() / 2].to_owned(), "EOF"),
            (whole.replace(SCHEMA, "wader.memory/9"), "wader.memory/9"),
            (whole.replace("door", "../door"), "holds `.`"),
            (whole.replace("binary_sensor", "siren"), "`siren` is no kind of state"),
        ] {
            fs::write(&file, text).unwrap();
            let error = memory.read().unwrap_err().to_string();
            assert!(error.contains(says) && error.contains("wader.json"), "{error}");
        }
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let error = Memory::new(Some(&file), "wader").write(&remembered()).unwrap_err().to_string();
        assert!(error.contains("file/wader.json") && error.contains("`state` below `[paths]`"), "{error}");
        let nowhere = Memory(None);
        assert!(matches!(nowhere.read(), Err(Error::NoFolder)));
    }

    #[test]
    fn the_service_managers_folder_comes_first() {
        let folder = |set: &[(&str, &str)]| {
            usual_folder(|name| set.iter().find(|(n, _)| *n == name).map(|(_, value)| value.into()))
        };
        let (service, user, home) =
            (("STATE_DIRECTORY", "/var/lib/wader:/x"), ("XDG_STATE_HOME", "/state"), ("HOME", "/me"));
        assert_eq!(folder(&[home, user, service]), Some("/var/lib/wader".into()));
        assert_eq!(folder(&[home, user]), Some("/state/wader".into()));
        assert_eq!(folder(&[home, ("XDG_STATE_HOME", "state")]), Some("/me/.local/state/wader".into()));
        assert_eq!(folder(&[]), None);
    }
}
