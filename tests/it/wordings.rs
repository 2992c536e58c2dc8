//! One question in several wordings, with the oracle: asked together for what their words cost, answered as one, and `unsure`
//! where the wordings contradict each other.

use std::{fs, sync::Arc, time::Duration};

use wader::{
    answer::{Reading, Thresholds, read},
    config::{Sources, load, print},
    engine::{Waiting, Worker},
    frame::Stamp,
    model::{Flamingo, Work},
    name::{CameraName, PromptName},
    prompt::{AnswerKind, Prompt, Reply, Wording},
    window::{Spec, Window},
};

use crate::support::{
    model::{oracle, oracle_folder, picture},
    service::wader,
};

/// A prompt with other wordings; one that begins with `not:` is the contrary.
fn prompt(name: &str, asks: &[&str], kind: AnswerKind) -> Arc<Prompt> {
    let also = asks[1..].iter().map(|ask| match ask.strip_prefix("not:") {
        Some(ask) => Wording { ask: ask.to_owned(), negated: true },
        None => Wording { ask: (*ask).to_owned(), negated: false },
    });
    let name = PromptName::new(name).unwrap();
    Arc::new(Prompt { name, ask: asks[0].to_owned(), also: also.collect(), kind })
}

fn choice(labels: &[&str]) -> AnswerKind {
    AnswerKind::Choice(labels.iter().map(|label| (*label).to_owned()).collect())
}

fn camera(number: u32) -> CameraName {
    CameraName::new(&format!("camera{number}")).unwrap()
}

/// Two frames of a camera, about which all of these prompts ask.
fn window(number: u32, newest: u32, prompts: &[Arc<Prompt>]) -> Waiting {
    let window = Window {
        camera: camera(number),
        spec: Spec { frames: 2, span: Duration::from_secs(7) },
        frames: [newest - 1, newest].map(|frame| Some(picture(number, frame))).into(),
        prompts: prompts.iter().map(|prompt| prompt.name.clone()).collect(),
    };
    Waiting { window, since: Stamp::now() }
}

fn worker(cameras: u32, prompts: &[Arc<Prompt>]) -> Worker<Flamingo> {
    let asked: Vec<_> = (0..cameras).flat_map(|c| prompts.iter().map(move |p| (camera(c), p.clone()))).collect();
    Worker::new(oracle(), &asked).unwrap()
}

fn readings(worker: &mut Worker<Flamingo>, waiting: &[Waiting], prompts: &[Arc<Prompt>]) -> Vec<Reading> {
    let thresholds = Thresholds { min_probability: 0.6, keep_probability: 0.6, min_mass: 0.0 };
    let replied = worker.answer(waiting);
    let of =
        |one: &wader::engine::Replied| prompts.iter().find(|prompt| prompt.name == one.prompt).unwrap().kind.clone();
    replied.iter().map(|one| read(one.reply.as_ref().unwrap(), &of(one), &thresholds, None)).collect()
}

#[test]
fn all_wordings_go_through_one_call_about_one_window_and_cost_what_their_words_cost() {
    let asks = ["is it there", "is anybody here now", "is the person at the door"];
    let prompts = [
        prompt("person", &asks, AnswerKind::YesNo),
        prompt("count", &["how many are there", "how many frames"], many()),
    ];
    for cameras in [1, 3] {
        let mut worker = worker(cameras, &prompts);
        let model = oracle();
        let suffix = |ask: &str| model.template().question(ask).suffix.len() as u64;
        let wordings: u64 = prompts.iter().flat_map(|p| p.wordings()).map(|wording| suffix(&wording.ask)).sum();
        let before = worker.work();
        assert_eq!(before.prefill_tokens, wordings, "what is said without the picture is known once for all cameras");
        let waiting: Vec<_> = (0..cameras).map(|number| window(number, 65, &prompts)).collect();
        for reading in readings(&mut worker, &waiting, &prompts).chunks(2) {
            let said: Vec<_> = reading.iter().map(|one| one.outcome.to_string()).collect();
            assert_eq!(said, ["yes", "2"]);
        }
        let windows = u64::from(cameras);
        let expected = Work {
            frames_encoded: 2 * windows,
            windows_resampled: windows,
            prefill_tokens: wordings + windows * wordings,
            prefill_rows: before.prefill_rows + 5 * windows,
            calls: [1, 1, before.calls[2] + 1, 0, 0],
            ..before
        };
        assert_eq!(worker.work(), expected, "{cameras} cameras");
    }
}

fn many() -> AnswerKind {
    AnswerKind::Number { min: 0, max: 9 }
}

#[test]
fn wordings_that_agree_are_as_sure_as_one() {
    let alone = prompt("alone", &["is it there"], AnswerKind::YesNo);
    let both = prompt("both", &["is it there", "is it here"], AnswerKind::YesNo);
    let prompts = [alone, both];
    let mut worker = worker(1, &prompts);
    let readings = readings(&mut worker, &[window(0, 65, &prompts)], &prompts);
    let [alone, both] = readings.as_slice() else { panic!("{readings:?}") };
    assert_eq!(alone.outcome, both.outcome);
    let numbers = |reading: &Reading| {
        let scores = reading.scores.as_ref().unwrap();
        [Some(scores.probability), scores.mass, scores.evidence].map(Option::unwrap)
    };
    for (alone, both) in numbers(alone).into_iter().zip(numbers(both)) {
        assert!((alone - both).abs() < 1e-4, "{alone} is not {both}");
    }
}

#[test]
fn a_contradiction_is_unsure_and_tells_what_each_wording_said() {
    // the oracle says the same to whatever has the word `is`, and to a choice what the words ask for
    let contrary = prompt("contrary", &["is it there", "is anybody here", "not:is no person here"], AnswerKind::YesNo);
    let words = prompt("words", &["f0 please", "count please"], choice(&["f0", "count"]));
    let other = prompt("other", &["is it there"], AnswerKind::YesNo);
    let prompts = [contrary, words, other];
    let mut worker = worker(1, &prompts);
    let waiting = [window(0, 65, &prompts)];
    for replied in &worker.answer(&waiting)[..2] {
        assert!(matches!(replied.reply, Ok(Reply::Inconsistent { .. })), "{replied:?}");
    }
    let readings = readings(&mut worker, &waiting, &prompts);
    let said: Vec<_> = readings.iter().map(|one| one.outcome.to_string()).collect();
    assert_eq!(said, ["unsure (inconsistent)", "unsure (inconsistent)", "yes"]);
    let details: Vec<_> = readings.iter().map(|one| one.outcome.detail()).collect();
    let yes = "`is it there` yes (100 %), `is anybody here` yes (100 %), `is no person here` yes (100 %)";
    let words = "`f0 please` f0 (100 %), `count please` count (100 %)";
    assert_eq!(details, [Some(yes.to_owned()), Some(words.to_owned()), None]);
    assert!(readings[0].scores.as_ref().is_some_and(|scores| scores.candidates.len() == 2), "what led to it is told");
}

#[tokio::test]
async fn a_word_that_no_wording_may_hold_is_told_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wader.toml");
    let text = format!(
        "[cameras]\ndoor = \"test:\"\n[model]\npath = \"{}\"\n[prompts.person]\nask = \"Is it there?\"\nanswer = \
         \"yes_no\"\nalso = [\"Is a yacht there?\"]\nnegation = \"Is a zeppelin there?\"\n",
        oracle_folder().display()
    );
    fs::write(&file, text).unwrap();
    let said = wader(&["check", "--config", file.to_str().unwrap()]).await;
    let expected = "prompts.person will always be `unsure`: the model never learned `yacht`, `zeppelin`";
    assert!(said.err.contains(expected), "{said:?}");
    let loaded = load(&Sources::of_file(&file), &|_| Ok(None)).unwrap();
    let also: Vec<_> = loaded.config.prompts[0].prompt.also.iter().map(|w| (w.ask.as_str(), w.negated)).collect();
    assert_eq!(also, [("Is a yacht there?", false), ("Is a zeppelin there?", true)]);
    let printed = print(&loaded);
    assert!(printed.contains("\nalso = [\"Is a yacht there?\"] "), "{printed}");
    assert!(printed.contains("\nnegation = \"Is a zeppelin there?\" "), "{printed}");
}
