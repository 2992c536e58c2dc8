//! The shipped model in the runtime: whatever it was trained to, these hold.

#![expect(clippy::unwrap_used, reason = "a rig that cannot be set up fails its test")]

use std::{sync::Arc, time::Duration};

use wader::{
    frame::{Frame, Stamp},
    model::{Ended, Features, Flamingo, Gates, Model, Moments, Row, TokenId},
    name::PromptName,
    prompt::{AnswerKind, Plan, PlanError, Prompt},
};

use crate::support::model::{on_cpu, small_folder, texts};

/// Batches and caches change the order of sums, no more.
const TOLERANCE: f32 = 2e-3;

fn small() -> Flamingo {
    Flamingo::load(&small_folder(), &on_cpu()).unwrap()
}

/// A picture of slanting stripes in the colour of its number: any picture will do.
fn stripes(model: &Flamingo, number: u64) -> Arc<Frame> {
    let size = model.input_size();
    let pixels = (0..size.height as usize * size.width as usize).flat_map(|place| {
        let (x, y) = (place % size.width as usize, place / size.width as usize);
        let light = ((x + 3 * y + 29 * number as usize) % 97) as u8 * 2;
        [light, light / 2 + 17 * number as u8, 200 - light]
    });
    Arc::new(Frame { number, taken: Stamp::after_origin(Duration::ZERO), size, pixels: pixels.collect() })
}

fn moments(features: &[Features]) -> Moments {
    let last = features.len() as f32 - 1.0;
    let times = (0..).map(|place| place as f32 - last);
    Moments { frames: features.iter().cloned().zip(times).map(Some).collect() }
}

fn row(media: usize, ids: Vec<TokenId>) -> Row {
    Row { media: vec![media], read: vec![ids.len() - 1], ids }
}

fn difference(one: &[f32], other: &[f32]) -> f32 {
    assert_eq!(one.len(), other.len());
    one.iter().zip(other).map(|(one, other)| (one - other).abs()).fold(0.0, f32::max)
}

#[test]
fn together_equals_alone_and_a_cached_beginning_equals_the_whole() {
    let mut model = small();
    let frames: Vec<_> = (0..3).map(|number| stripes(&model, number)).collect();
    let features = model.encode(&frames).unwrap();
    for (frame, together) in frames.iter().zip(&features) {
        let alone = model.encode(std::slice::from_ref(frame)).unwrap();
        assert!(difference(alone[0].0.as_slice().unwrap(), together.0.as_slice().unwrap()) < TOLERANCE);
    }
    let windows = [moments(&features), moments(&features[..1])];
    let media = model.resample(&windows).unwrap();
    let questions = ["Is there a person?", "How many cars are there now?", "Is it dark?"];
    let rows: Vec<Row> = questions
        .iter()
        .enumerate()
        .map(|(index, question)| row(index % 2, model.template().question(question).suffix))
        .collect();
    let nothing = model.prefix(&[]).unwrap();
    let together = model.score(&nothing, Some(&media), &rows, Gates::Open).unwrap();
    for (row, together) in rows.iter().zip(&together) {
        let window = row.media[0];
        let media = model.resample(&windows[window..=window]).unwrap();
        let alone = Row { media: vec![0], ..row.clone() };
        let scores = model.score(&nothing, Some(&media), &[alone], Gates::Open).unwrap();
        assert!(difference(&scores[0][0], &together[0]) < TOLERANCE);
        let total: f64 = together[0].iter().map(|&log| f64::from(log).exp()).sum();
        assert!((total - 1.0).abs() < 1e-4, "probabilities sum to one: {total}");
    }
    // The template has no text before the picture, so a text of its words stands in for one.
    let before = model.template().label("a person is there");
    let whole: Vec<_> = before[0].iter().chain(&rows[0].ids).copied().collect();
    let whole = model.score(&nothing, Some(&media), &[row(0, whole)], Gates::Open).unwrap();
    let prefix = model.prefix(&before[0]).unwrap();
    let cached = model.score(&prefix, Some(&media), &rows, Gates::Open).unwrap();
    assert!(difference(&whole[0][0], &cached[0][0]) < TOLERANCE);
    assert!(difference(&whole[0][0], &together[0][0]) > TOLERANCE, "the text before must matter at all");
}

#[test]
fn written_text_ends_or_is_cut_and_its_probabilities_are_those_of_scoring() {
    let mut model = small();
    let features = model.encode(&[stripes(&model, 1)]).unwrap();
    let media = model.resample(&[moments(&features)]).unwrap();
    let prompt = model.template().caption();
    let prefix = model.prefix(&prompt.prefix).unwrap();
    let written = model.generate(&prefix, &media, &texts(&[row(0, prompt.suffix.clone())], 12)).unwrap().remove(0);
    assert!(written.ended == Ended::Itself || written.ids.len() == 12);
    let ids: Vec<_> = prompt.suffix.iter().chain(&written.ids).copied().collect();
    let read = (prompt.suffix.len() - 1..ids.len()).collect();
    let scores = model.score(&prefix, Some(&media), &[Row { media: vec![0], ids, read }], Gates::Open).unwrap();
    for (place, &id) in written.ids.iter().enumerate() {
        let scored = scores[0][place][id as usize];
        assert!((scored - written.log_probabilities[place]).abs() < TOLERANCE, "token {place}");
        assert!(scores[0][place].iter().all(|&other| other <= scored + TOLERANCE), "token {place} is the likeliest");
    }
}

#[test]
fn its_words_are_known_to_its_tokenizer_and_others_are_named() {
    let model = small();
    let (template, manifest) = (model.template(), model.manifest());
    let words = manifest.prompt.words.as_ref().unwrap();
    let unknown = manifest.tokens.unknown.unwrap();
    for word in words {
        assert!(template.unknown_words(word).is_empty(), "`{word}`");
        assert!(template.label(word).iter().all(|ids| !ids.is_empty() && !ids.contains(&unknown)), "`{word}`");
    }
    assert_eq!(template.unknown_words("Is there a zeppelin?"), ["zeppelin"]);
    let asked = template.question("is <image> there? <image>");
    let pictures = asked.prefix.iter().chain(&asked.suffix).filter(|&&id| id == manifest.tokens.image);
    assert_eq!(pictures.count(), 1, "a user cannot write the picture token");
}

#[test]
fn marks_that_mean_nothing_change_no_question_and_those_it_lacks_are_named() {
    let model = small();
    let (template, unknown) = (model.template(), model.manifest().tokens.unknown.unwrap());
    let plain = template.question("is a person there?");
    assert!(!plain.suffix.contains(&unknown));
    for written in ["is a person there?!", "is a \"person\" there??", "(is a person there?)", "is_a person/there?"] {
        assert_eq!(template.question(written), plain, "{written}");
        assert!(template.unknown_words(written).is_empty(), "{written}");
    }
    assert_eq!(template.unknown_words("is a person & a car there?"), ["&"]);
    assert_eq!(template.unknown_words("is a Person's car there?"), ["person's"]);
    for (label, expected) in [("person/people", vec!["person/people"]), ("car!", vec!["car!"]), ("person", vec![])] {
        assert_eq!(template.unknown_in_label(label), expected);
        assert_eq!(template.label(label)[0].contains(&unknown), !expected.is_empty(), "{label}");
    }
    let name = PromptName::new("which").unwrap();
    let kind = AnswerKind::Choice(vec!["person/people".to_owned(), "car".to_owned()]);
    let prompt = Prompt { name, ask: "is a person there?".to_owned(), also: Vec::new(), kind };
    let refusal = Plan::all(&prompt, template).unwrap_err();
    assert!(matches!(refusal, PlanError::UnknownWords(words) if words == ["person/people"]));
}

#[test]
fn a_question_that_is_too_long_for_it_is_refused_by_name() {
    let model = small();
    let name = PromptName::new("long").unwrap();
    let kind = AnswerKind::Text { max_tokens: 32 };
    let prompt = Prompt { name, ask: "a ".repeat(490), also: Vec::new(), kind };
    let refusal = Plan::all(&prompt, model.template()).unwrap_err().to_string();
    assert!(refusal.contains("and 256 are the most; ask shorter"), "{refusal}");
}

#[test]
fn shut_gates_make_the_picture_irrelevant() {
    let mut model = small();
    let features = model.encode(&[stripes(&model, 1), stripes(&model, 6)]).unwrap();
    let media = model.resample(&[moments(&features[..1]), moments(&features[1..])]).unwrap();
    let ids = model.template().question("Is there a person?").suffix;
    let nothing = model.prefix(&[]).unwrap();
    let rows = [row(0, ids.clone()), row(1, ids.clone())];
    let shut = model.score(&nothing, Some(&media), &rows, Gates::Shut).unwrap();
    assert!(difference(&shut[0][0], &shut[1][0]) < 1e-5);
    let without = Row { media: Vec::new(), read: vec![ids.len() - 1], ids };
    let without = model.score(&nothing, None, &[without], Gates::Shut).unwrap();
    assert!(difference(&shut[0][0], &without[0][0]) < TOLERANCE);
}

#[test]
fn an_absent_frame_is_as_if_it_had_never_been() {
    let mut model = small();
    let frames: Vec<_> = [2, 5].map(|number| stripes(&model, number)).into();
    let features = model.encode(&frames).unwrap();
    let [early, late] = [0, 1].map(|place| Some((features[place].clone(), place as f32 * 4.0 - 4.0)));
    let windows = [
        vec![early.clone(), late.clone()],
        vec![None, early.clone(), None, None, late.clone(), None],
        vec![late, None],
    ];
    let media = model.resample(&windows.map(|frames| Moments { frames })).unwrap();
    let ids = model.template().question("Is there a person?").suffix;
    let rows: Vec<Row> = (0..3).map(|media| row(media, ids.clone())).collect();
    let nothing = model.prefix(&[]).unwrap();
    let scores = model.score(&nothing, Some(&media), &rows, Gates::Open).unwrap();
    assert!(difference(&scores[0][0], &scores[1][0]) < TOLERANCE);
    assert!(difference(&scores[0][0], &scores[2][0]) > 0.0, "the picture must matter: was it trained?");
}
