//! What others said of answers, each with the pictures that the answer was about: a folder each, below one folder.
//!
//! `CAMERA/PROMPT/ANSWER_ID/` holds `feedback.json` and the pictures, `0.png` the oldest. Bounded: of each answer to a
//! prompt about a camera only the newest are kept.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::name::{CameraName, PromptName};

/// The version of `feedback.json`.
const SCHEMA: &str = "wader.feedback/1";
const FILE: &str = "feedback.json";
/// So many are kept of one answer to a prompt about a camera.
const MOST_OF_AN_ANSWER: usize = 8;

/// What somebody said of one answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feedback {
    /// The version of this form.
    schema: String,
    /// The answer's id; ids are in the order of time.
    pub id: String,
    /// The camera.
    pub camera: String,
    /// The prompt.
    pub prompt: String,
    /// The question as it was then.
    pub ask: String,
    /// What was answered; `None` where nobody was sure.
    pub answered: Option<String>,
    /// Whether a lesson had given it: what others had said of answers before.
    #[serde(default)]
    pub by_lesson: bool,
    /// Whether that was right.
    pub right: bool,
    /// What is right.
    pub answer: String,
}

impl Feedback {
    /// What somebody said of an answer; `answered` is what it had said, `answer` what is right.
    pub fn new(
        id: &str,
        (camera, prompt): (&CameraName, &PromptName),
        ask: &str,
        (answered, by_lesson): (Option<&str>, bool),
        answer: &str,
    ) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            id: id.to_owned(),
            camera: camera.to_string(),
            prompt: prompt.to_string(),
            ask: ask.to_owned(),
            answered: answered.map(str::to_owned),
            by_lesson,
            right: answered == Some(answer),
            answer: answer.to_owned(),
        }
    }
}

/// Something is wrong with the disk, or with what is on it.
#[derive(Debug, thiserror::Error)]
#[error("`{path}`: {source}")]
pub struct FeedbackError {
    path: PathBuf,
    source: io::Error,
}

/// One that is kept, and its pictures, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// What was said.
    pub feedback: Feedback,
    /// The files of its pictures.
    pub pictures: Vec<PathBuf>,
    folder: PathBuf,
}

impl Stored {
    /// Takes it away.
    pub fn remove(&self) -> Result<(), FeedbackError> {
        fs::remove_dir_all(&self.folder).map_err(at(&self.folder))
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> FeedbackError {
    |source| FeedbackError { path: path.to_owned(), source }
}

/// Keeps what was said of an answer, with its pictures (PNG); what was said of the same answer before is forgotten, and so
/// is what is not among the [`newest`] of this answer. A crash leaves all of it or nothing.
pub fn keep(folder: &Path, feedback: &Feedback, pictures: &[Vec<u8>]) -> Result<(), FeedbackError> {
    let of_prompt = folder.join(&feedback.camera).join(&feedback.prompt);
    fs::create_dir_all(&of_prompt).map_err(at(&of_prompt))?;
    let new = tempfile::Builder::new().prefix(".new").tempdir_in(&of_prompt).map_err(at(&of_prompt))?;
    let put = |name: String, bytes: &[u8]| {
        let written = File::create(new.path().join(&name)).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
        written.map_err(at(&of_prompt.join(name)))
    };
    let sync = |folder: &Path| File::open(folder).and_then(|folder| folder.sync_all()).map_err(at(folder));
    for (number, picture) in pictures.iter().enumerate() {
        put(format!("{number}.png"), picture)?;
    }
    let json = serde_json::to_vec_pretty(feedback).map_err(io::Error::from).map_err(at(&of_prompt))?;
    put(FILE.to_owned(), &json)?;
    let place = of_prompt.join(&feedback.id);
    if place.exists() {
        fs::remove_dir_all(&place).map_err(at(&place))?;
    }
    sync(new.path())?;
    fs::rename(new.keep(), &place).map_err(at(&place))?;
    sync(&of_prompt)?;
    let mut alike = kept_of(&of_prompt)?;
    alike.retain(|one| one.feedback.answer == feedback.answer);
    let stay = newest(alike.iter().collect(), MOST_OF_AN_ANSWER);
    alike.iter().filter(|one| !stay.contains(one)).try_for_each(Stored::remove)
}

/// Takes away what is more than so many, of all prompts together: what was said of prompts that are asked no more first, and then
/// the oldest. Else whoever may add prompts could fill the disk by judging answers to ever new ones.
pub fn bound(folder: &Path, most: usize, is_asked: impl Fn(&Feedback) -> bool) -> Result<(), FeedbackError> {
    let mut all = kept(folder)?;
    let more = all.len().saturating_sub(most);
    if more == 0 {
        return Ok(());
    }
    all.sort_by_cached_key(|one| (is_asked(&one.feedback), one.feedback.id.clone()));
    all.iter().take(more).try_for_each(Stored::remove)
}

/// So many of what was said, the newest first, out of all of it, the oldest first. Half of it is of answers that no lesson gave, if
/// there are as many: without those nobody could see any more what lessons bring.
pub fn newest(said: Vec<&Stored>, room: usize) -> Vec<&Stored> {
    let (of_lessons, without): (Vec<_>, Vec<_>) = said.into_iter().rev().partition(|one| one.feedback.by_lesson);
    let kept = without.len().min(room.div_ceil(2).max(room.saturating_sub(of_lessons.len())));
    without.into_iter().take(kept).chain(of_lessons).take(room).collect()
}

/// All that is kept, by camera and prompt, the oldest first. What is no feedback is passed over.
pub fn kept(folder: &Path) -> Result<Vec<Stored>, FeedbackError> {
    let mut all = Vec::new();
    for camera in folders(folder)? {
        for prompt in folders(&camera)? {
            all.extend(kept_of(&prompt)?);
        }
    }
    Ok(all)
}

/// What is kept in the folder of a prompt about a camera.
fn kept_of(prompt: &Path) -> Result<Vec<Stored>, FeedbackError> {
    let mut all = Vec::new();
    for one in folders(prompt)? {
        all.extend(read(&one)?);
    }
    Ok(all)
}

/// The folders in a folder, by name; none where there is no such folder.
fn folders(path: &Path) -> Result<Vec<PathBuf>, FeedbackError> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(FeedbackError { path: path.to_owned(), source }),
    };
    // a hidden one is being written, or was when wader ended
    let hidden = |path: &Path| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut all: Vec<PathBuf> = paths.filter(|path| path.is_dir() && !hidden(path)).collect();
    all.sort();
    Ok(all)
}

/// What is kept in a folder; `None` where there is nothing of ours, or of another version.
fn read(folder: &Path) -> Result<Option<Stored>, FeedbackError> {
    let file = folder.join(FILE);
    let bytes = match fs::read(&file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(FeedbackError { path: file, source }),
    };
    let feedback: Option<Feedback> = serde_json::from_slice(&bytes).ok();
    let Some(feedback) = feedback.filter(|feedback| feedback.schema == SCHEMA) else { return Ok(None) };
    let pictures = (0..).map(|number| folder.join(format!("{number}.png"))).take_while(|path| path.exists());
    let pictures: Vec<_> = pictures.collect();
    // without any it says nothing: it is being removed, or the disk has lost them
    Ok((!pictures.is_empty()).then(|| Stored { feedback, pictures, folder: folder.to_owned() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(id: usize, answered: Option<&str>, answer: &str) -> Feedback {
        let (camera, prompt) = (CameraName::new("yard").unwrap(), PromptName::new("gate").unwrap());
        Feedback::new(&format!("0190-{id:02}"), (&camera, &prompt), "Is it open?", (answered, false), answer)
    }

    fn ids(folder: &Path) -> Vec<String> {
        kept(folder).unwrap().into_iter().map(|stored| stored.feedback.id).collect()
    }

    #[test]
    fn what_is_kept_is_found_with_its_pictures_and_can_be_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("feedback");
        assert_eq!(kept(&folder).unwrap(), [], "the first start");
        let wrong = said(1, Some("yes"), "no");
        keep(&folder, &wrong, &[vec![1], vec![2]]).unwrap();
        keep(&folder, &said(2, Some("no"), "no"), &[vec![3]]).unwrap();
        let all = kept(&folder).unwrap();
        assert_eq!((all[0].feedback.clone(), all[0].feedback.right, all[1].feedback.right), (wrong, false, true));
        let pictures: Vec<_> = all[0].pictures.iter().map(|path| fs::read(path).unwrap()).collect();
        assert_eq!(pictures, [[1], [2]]);
        all[0].remove().unwrap();
        assert_eq!(ids(&folder), ["0190-02"]);
    }

    #[test]
    fn who_says_otherwise_later_is_believed() {
        let folder = tempfile::tempdir().unwrap();
        keep(folder.path(), &said(1, Some("yes"), "no"), &[vec![1], vec![2]]).unwrap();
        keep(folder.path(), &said(1, Some("yes"), "yes"), &[vec![1]]).unwrap();
        let all = kept(folder.path()).unwrap();
        assert_eq!((all.len(), all[0].feedback.right, all[0].pictures.len()), (1, true, 1));
    }

    #[test]
    fn of_an_answer_the_newest_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        for id in 0..MOST_OF_AN_ANSWER + 3 {
            keep(folder.path(), &said(id, None, "yes"), &[vec![0]]).unwrap();
        }
        keep(folder.path(), &said(90, None, "no"), &[vec![0]]).unwrap();
        let ids = ids(folder.path());
        assert_eq!((ids.len(), ids[0].as_str()), (MOST_OF_AN_ANSWER + 1, "0190-03"));
    }

    #[test]
    fn answers_of_lessons_leave_room_for_those_that_show_what_lessons_bring() {
        let folder = tempfile::tempdir().unwrap();
        for id in 0..2 * MOST_OF_AN_ANSWER {
            let feedback = Feedback { by_lesson: id >= MOST_OF_AN_ANSWER, ..said(id, Some("yes"), "yes") };
            keep(folder.path(), &feedback, &[vec![0]]).unwrap();
        }
        let ids: String = ids(folder.path()).iter().map(|id| format!("{} ", &id[5..])).collect();
        assert_eq!(ids, "04 05 06 07 12 13 14 15 ", "the newest of either, half of each");
    }

    #[test]
    fn of_what_was_said_half_is_of_answers_that_no_lesson_gave() {
        let folder = tempfile::tempdir().unwrap();
        for id in 0..6 {
            let feedback = Feedback { by_lesson: id >= 3, ..said(id, Some("yes"), "yes") };
            keep(folder.path(), &feedback, &[vec![0]]).unwrap();
        }
        let all = kept(folder.path()).unwrap();
        let newest = |first: usize, room| {
            let said = all[first..].iter().collect();
            newest(said, room).iter().map(|one| &one.feedback.id[6..]).collect::<String>()
        };
        assert_eq!(newest(0, 4), "2154", "the newest of either");
        assert_eq!(newest(0, 3), "215");
        assert_eq!(newest(2, 4), "2543", "where there are fewer, the others have their room");
        assert_eq!(newest(0, 5), "21054");
        assert_eq!((newest(0, 9), newest(0, 0)), ("210543".to_owned(), String::new()));
    }

    #[test]
    fn of_all_prompts_so_much_is_kept_and_of_those_that_are_asked_before_others() {
        let folder = tempfile::tempdir().unwrap();
        for id in 0..4 {
            let prompt = if id == 2 { "added" } else { "gate" }.to_owned();
            keep(folder.path(), &Feedback { prompt, ..said(id, None, "yes") }, &[vec![0]]).unwrap();
        }
        let is_asked = |said: &Feedback| said.prompt == "gate";
        bound(folder.path(), 4, is_asked).unwrap();
        assert_eq!(ids(folder.path()).len(), 4);
        bound(folder.path(), 2, is_asked).unwrap();
        assert_eq!(ids(folder.path()), ["0190-01", "0190-03"]);
    }

    #[test]
    fn what_has_lost_its_pictures_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        keep(folder.path(), &said(1, None, "yes"), &[vec![1], vec![2]]).unwrap();
        fs::remove_file(folder.path().join("yard/gate/0190-01/0.png")).unwrap();
        assert_eq!(kept(folder.path()).unwrap(), []);
    }

    #[test]
    fn what_is_not_ours_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let other = folder.path().join("yard/gate/other");
        fs::create_dir_all(&other).unwrap();
        fs::write(folder.path().join("note.txt"), "").unwrap();
        assert_eq!(kept(folder.path()).unwrap(), []);
        fs::write(other.join(FILE), "{}").unwrap();
        assert_eq!(kept(folder.path()).unwrap(), []);
        let torn = folder.path().join("yard/gate/.newA1b2");
        fs::create_dir(&torn).unwrap();
        fs::write(torn.join(FILE), serde_json::to_vec(&said(1, None, "yes")).unwrap()).unwrap();
        assert_eq!(kept(folder.path()).unwrap(), [], "what was being written when wader ended");
        let newer = serde_json::to_string(&said(1, None, "yes")).unwrap().replace("feedback/1", "feedback/2");
        fs::write(other.join(FILE), newer).unwrap();
        assert_eq!(kept(folder.path()).unwrap(), []);
    }
}
