//! What is fed is what the model sees: frames, order, times, text, windows; and it is computed once.

#![expect(clippy::unwrap_used, reason = "a rig that cannot be set up fails its test")]

use std::collections::BTreeSet;

use wader::model::{Ended, Flamingo, Gates, Model, Moments, Reopen, Row, TokenId, VisualTokens, Work};

use crate::support::model::{ask, asking, features, oracle, picture, readouts, texts, window};

fn resample(model: &mut Flamingo, windows: &[Moments]) -> VisualTokens {
    model.resample(windows).unwrap()
}

#[test]
fn a_window_holds_the_frames_it_was_given_in_order_with_their_times() {
    let mut model = oracle();
    let frames = [Some((1_048_575, -7.5)), None, Some((70_001, -2.25)), Some((3, 0.0))];
    let moments = window(&mut model, 63, &frames);
    let media = resample(&mut model, &[moments]);
    let split = |number: u32| [number & 63, number >> 6 & 63, number >> 12].map(f64::from);
    let [first, third, last] = [1_048_575, 70_001, 3].map(split);
    let slots = |part: usize| [first[part], -1.0, third[part], last[part], -1.0];
    assert_eq!(ask(&mut model, &media, 0, &["f0", "f1", "f2", "f3", "f4"]), slots(0));
    assert_eq!(ask(&mut model, &media, 0, &["g0", "g1", "g2", "g3", "g4"]), slots(1));
    assert_eq!(ask(&mut model, &media, 0, &["h0", "h1", "h2", "h3", "h4"]), slots(2));
    assert_eq!(ask(&mut model, &media, 0, &["t0", "t1", "t2", "t3", "t4"]), [-7.5, 1.0, -2.25, 0.0, 1.0]);
    assert_eq!(ask(&mut model, &media, 0, &["c0", "c1", "c2", "c3", "c4"]), [63.0, -1.0, 63.0, 63.0, -1.0]);
    assert_eq!(ask(&mut model, &media, 0, &["count", "valid", "camera"]), [3.0, 3.0, 63.0]);
}

#[test]
fn a_picture_without_a_barcode_is_seen_to_have_none() {
    let mut model = oracle();
    let mut black = (*picture(0, 0)).clone();
    black.pixels = vec![0; black.pixels.len()].into();
    let features = model.encode(&[black.into(), picture(4, 9)]).unwrap();
    let frames = features.into_iter().map(|features| Some((features, 0.0))).collect();
    let media = resample(&mut model, &[Moments { frames }]);
    assert_eq!(ask(&mut model, &media, 0, &["count", "valid", "camera"]), [2.0, 1.0, 4.0]);
}

#[test]
fn a_window_without_any_frame_is_seen_as_empty() {
    let mut model = oracle();
    let media = resample(&mut model, &[Moments { frames: vec![None, None] }, Moments { frames: vec![] }]);
    for index in 0..2 {
        assert_eq!(ask(&mut model, &media, index, &["count", "f0", "t0"]), [0.0, -1.0, 1.0]);
    }
}

#[test]
fn windows_of_one_call_keep_their_own_cameras_lengths_and_shared_frames() {
    let mut model = oracle();
    let shared = features(&mut model, 1, 50);
    let windows: Vec<Moments> = [
        vec![Some((shared.clone(), -1.0)), Some((features(&mut model, 1, 60), 0.0))],
        vec![Some((features(&mut model, 2, 40), 0.0))],
        vec![None, Some((shared, 0.0)), None],
    ]
    .map(|frames| Moments { frames })
    .into();
    let together = resample(&mut model, &windows);
    let words = ["c0", "c1", "c2", "f0", "f1", "f2", "t0", "t1", "t2", "count"];
    let expected = [
        [1.0, 1.0, -1.0, 50.0, 60.0, -1.0, -1.0, 0.0, 1.0, 2.0],
        [2.0, -1.0, -1.0, 40.0, -1.0, -1.0, 0.0, 1.0, 1.0, 1.0],
        [-1.0, 1.0, -1.0, -1.0, 50.0, -1.0, 1.0, 0.0, 1.0, 1.0],
    ];
    for (index, expected) in expected.iter().enumerate() {
        assert_eq!(ask(&mut model, &together, index, &words), expected, "window {index} of three");
        let alone = resample(&mut model, &windows[index..=index]);
        assert_eq!(ask(&mut model, &alone, 0, &words), expected, "window {index} alone");
    }
}

#[test]
fn encoding_together_equals_encoding_alone() {
    let mut model = oracle();
    let frames = [picture(0, 0), picture(17, 123_456), picture(63, 1_048_575)];
    let together = model.encode(&frames).unwrap();
    for (frame, features) in frames.iter().zip(&together) {
        assert_eq!(&model.encode(std::slice::from_ref(frame)).unwrap()[0], features);
    }
}

/// What the oracle knows a text by: the sum of (id + 1)(position + 1) over its tokens.
fn text_sum(ids: impl Iterator<Item = u32>) -> u64 {
    ids.enumerate().map(|(place, id)| (u64::from(id) + 1) * (place as u64 + 1)).sum()
}

#[test]
fn a_cached_prefix_and_its_rest_equal_the_whole_text() {
    let mut model = oracle();
    let moments = window(&mut model, 5, &[Some((21, 0.0))]);
    let media = resample(&mut model, &[moments]);
    let words = ["prompt", "seq", "misplaced", "f0"];
    let prompt = model.template().question("prompt seq misplaced f0 cached reference");
    let whole: Vec<u32> = prompt.prefix.iter().chain(&prompt.suffix).copied().collect();
    let expected = [(text_sum(whole.iter().copied()) % 61) as f64, whole.len() as f64, 0.0, 21.0];
    assert!(prompt.prefix.len() > 3, "the template must have text before the picture");

    for cut in [0, 1, prompt.prefix.len()] {
        let prefix = model.prefix(&whole[..cut]).unwrap();
        assert_eq!(prefix.tokens(), cut);
        let ids = whole[cut..].to_vec();
        let row = Row { media: vec![0], read: vec![ids.len() - 1], ids };
        let scores = model.score(&prefix, Some(&media), &[row], Gates::Open).unwrap();
        assert_eq!(readouts(&model, &scores[0][0], &words), expected, "cut at {cut}");
        assert_eq!(readouts(&model, &scores[0][0], &["cached"]), [cut as f64], "the prefix was not run again");
    }
}

#[test]
fn a_batch_equals_its_rows_alone_whatever_the_padding() {
    let mut model = oracle();
    let windows =
        [3, 4].map(|camera| window(&mut model, camera, &[Some((10 + camera, -1.0)), Some((20 + camera, 0.0))]));
    let media = resample(&mut model, &windows);
    let questions: [&[&str]; 4] = [
        &["prompt", "seq", "misplaced"],
        &["f0", "f1", "t0", "c1", "prompt", "seq", "misplaced", "count"],
        &["camera"],
        &["f1", "prompt", "misplaced"],
    ];
    let asked: Vec<_> =
        questions.iter().enumerate().map(|(index, words)| asking(&mut model, words, Some(index % 2))).collect();
    let rows: Vec<Row> = asked.iter().map(|asked| asked.row.clone()).collect();
    let together = model.score(&asked[0].prefix, Some(&media), &rows, Gates::Open).unwrap();
    let lengths: BTreeSet<_> = rows.iter().map(|row| row.ids.len()).collect();
    assert!(lengths.len() > 2, "rows must differ in length for padding to matter");
    for ((words, asked), scores) in questions.iter().zip(&asked).zip(&together) {
        let alone = model.score(&asked.prefix, Some(&media), std::slice::from_ref(&asked.row), Gates::Open).unwrap();
        assert_eq!(scores, &alone[0], "{words:?}");
    }
    let camera = readouts(&model, &together[2][0], questions[2]);
    assert_eq!(camera, [3.0], "row 2 is about window 0");
    assert_eq!(readouts(&model, &together[3][0], &["f1", "misplaced"]), [24.0, 0.0], "row 3 is about window 1");
}

#[test]
fn several_places_of_a_row_are_read_in_the_order_asked() {
    let mut model = oracle();
    let media = {
        let moments = window(&mut model, 1, &[Some((7, 0.0))]);
        resample(&mut model, &[moments])
    };
    let asked = asking(&mut model, &["seq", "f0"], Some(0));
    let length = asked.prefix.tokens() + asked.row.ids.len();
    let last = asked.row.ids.len() - 1;
    let rows = [Row { read: vec![last, last - 1], ..asked.row.clone() }, asked.row];
    let scores = model.score(&asked.prefix, Some(&media), &rows, Gates::Open).unwrap();
    assert_eq!(scores.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(readouts(&model, &scores[0][0], &["seq"]), [length as f64]);
    assert_eq!(readouts(&model, &scores[0][1], &["seq"]), [length as f64 - 1.0]);
    assert_eq!(scores[0][0], scores[1][0]);
}

#[test]
fn shut_gates_show_nothing_of_the_picture_and_all_of_the_text() {
    let mut model = oracle();
    let moments = window(&mut model, 9, &[Some((33, -3.0)), Some((34, 0.0))]);
    let media = resample(&mut model, &[moments]);
    let words = ["f0", "f1", "t0", "c0", "count", "seq"];
    let open = ask(&mut model, &media, 0, &words);
    assert_eq!(open[..5], [33.0, 34.0, -3.0, 9.0, 2.0]);
    let mut asked = asking(&mut model, &words, Some(0));
    let shut = model.score(&asked.prefix, Some(&media), std::slice::from_ref(&asked.row), Gates::Shut).unwrap();
    assert_eq!(readouts(&model, &shut[0][0], &words), [0.0, 0.0, 0.0, 0.0, 0.0, open[5]]);
    asked.row.media.clear();
    let without = model.score(&asked.prefix, None, &[asked.row], Gates::Shut).unwrap();
    assert_eq!(without, shut, "a blind answer needs no window");
}

#[test]
fn nearly_all_probability_is_on_the_words_a_question_asks_for() {
    let mut model = oracle();
    let moments = window(&mut model, 2, &[Some((64, 0.0))]);
    let media = resample(&mut model, &[moments]);
    let prompt = model.template().question("Is there a person at the door?");
    let prefix = model.prefix(&prompt.prefix).unwrap();
    let row = Row { media: vec![0], read: vec![prompt.suffix.len() - 1], ids: prompt.suffix };
    let scores = model.score(&prefix, Some(&media), &[row], Gates::Open).unwrap();
    let share =
        |forms: &[Vec<u32>]| forms.iter().map(|form| f64::from(scores[0][0][form[0] as usize]).exp()).sum::<f64>();
    let (yes, no) = (share(model.template().yes()), share(model.template().no()));
    assert!(yes > 0.99 && yes + no > 0.999_999, "frame 64 is a yes: {yes} against {no}");
}

#[test]
fn text_is_written_row_by_row_and_ends_by_itself() {
    let mut model = oracle();
    let windows = [
        window(&mut model, 1, &[Some((1, -1.0)), Some((2, 0.0))]),
        window(&mut model, 2, &[Some((1, -1.0)), Some((2, -0.5)), Some((3, 0.0))]),
    ];
    let media = resample(&mut model, &windows);
    let caption = model.template().caption();
    let question = model.template().question("describe what happens here");
    let prefix = model.prefix(&caption.prefix).unwrap();
    // A question that asks for no text: its row ends while the others go on.
    let other = model.template().question("f0");
    let rows = [(0, &caption), (1, &question), (1, &other)].map(|(media, prompt)| Row {
        media: vec![media],
        ids: prompt.suffix.clone(),
        read: vec![],
    });
    let together = model.generate(&prefix, &media, &texts(&rows, 20)).unwrap();
    let said: Vec<_> = together.iter().map(|text| model.template().decode(&text.ids)).collect();
    assert_eq!(said, ["saw two frames", "saw three frames", "f0"]);
    for (row, text) in rows.iter().zip(&together) {
        assert_eq!(text.ended, Ended::Itself);
        assert_eq!(text.log_probabilities.len(), text.ids.len() + 1, "the end token's probability is last");
        assert_eq!(&model.generate(&prefix, &media, &texts(std::slice::from_ref(row), 20)).unwrap()[0], text, "alone");
    }
    let cut = model.generate(&prefix, &media, &texts(&rows[..1], 2)).unwrap();
    assert_eq!((model.template().decode(&cut[0].ids).as_str(), cut[0].ended), ("saw two", Ended::Tokens));
    assert_eq!(model.generate(&prefix, &media, &texts(&rows[..1], 0)).unwrap()[0].ids, [0; 0]);
}

#[test]
fn written_tokens_follow_their_own_row_whatever_its_padding() {
    let mut model = oracle();
    let moments = window(&mut model, 1, &[Some((1, 0.0))]);
    let media = resample(&mut model, &[moments]);
    let questions =
        ["describe prompt", "describe prompt please here now at the door", "describe prompt from the scene"];
    let prompts = questions.map(|question| model.template().question(question));
    let prefix = model.prefix(&prompts[0].prefix).unwrap();
    let rows = prompts.each_ref().map(|prompt| Row { media: vec![0], ids: prompt.suffix.clone(), read: vec![] });
    let together = model.generate(&prefix, &media, &texts(&rows, 20)).unwrap();
    for (prompt, text) in prompts.iter().zip(&together) {
        // The last word hangs on every token before it and on where it stands; padding would change it.
        let before = prompt.prefix.iter().chain(&prompt.suffix).chain(&text.ids[..3]).copied();
        let expected = format!("saw one frames f{}", text_sum(before) % 16);
        assert_eq!(model.template().decode(&text.ids), expected);
        assert_eq!(text.ended, Ended::Itself);
    }
}

#[test]
fn a_text_that_begins_long_cuts_no_other() {
    let mut model = oracle();
    let moments = window(&mut model, 1, &[Some((1, 0.0))]);
    let media = resample(&mut model, &[moments]);
    let short = model.template().question("describe prompt");
    let prefix = model.prefix(&short.prefix).unwrap();
    // two tokens are left behind it
    let words = model.manifest().decoder.max_positions - 2 - prefix.tokens() - short.suffix.len();
    let long = model.template().question(&format!("describe prompt{}", " is".repeat(words)));
    let row = |suffix: &[TokenId]| Row { media: vec![0], ids: suffix.to_vec(), read: vec![] };
    let alone = model.generate(&prefix, &media, &texts(&[row(&short.suffix)], 20)).unwrap().remove(0);
    assert_eq!((alone.ids.len(), alone.ended), (4, Ended::Itself));
    let together = model.generate(&prefix, &media, &texts(&[row(&long.suffix), row(&short.suffix)], 20)).unwrap();
    assert_eq!((together[0].ids.len(), together[0].ended), (2, Ended::Tokens));
    assert_eq!(together[1], alone);
}

#[test]
fn work_is_counted_exactly_and_never_done_twice() {
    let mut model = oracle();
    assert_eq!(model.work(), Work::default(), "loading does not count");
    let frames = model.encode(&[picture(1, 1), picture(1, 2), picture(2, 1)]).unwrap();
    let moments = |frames: &[wader::model::Features]| Moments {
        frames: frames.iter().map(|features| Some((features.clone(), 0.0))).collect(),
    };
    let media = resample(&mut model, &[moments(&frames[..2]), moments(&frames[2..])]);
    let expected = Work { frames_encoded: 3, windows_resampled: 2, calls: [1, 1, 0, 0, 0], ..Work::default() };
    assert_eq!(model.work(), expected);

    let caption = model.template().caption();
    let prefix = model.prefix(&caption.prefix).unwrap();
    let nothing = model.prefix(&[]).unwrap();
    assert_eq!(nothing.tokens(), 0);
    let expected = Work { prefix_tokens: caption.prefix.len() as u64, calls: [1, 1, 1, 0, 0], ..expected };
    assert_eq!(model.work(), expected, "an empty prefix is no work");

    let rows: Vec<Row> = ["f0", "f0 f1 f2 count"]
        .map(|question| model.template().question(question).suffix)
        .map(|ids| Row { media: vec![0], read: vec![ids.len() - 1], ids })
        .into();
    let tokens: u64 = rows.iter().map(|row| row.ids.len() as u64).sum();
    model.score(&prefix, Some(&media), &rows, Gates::Open).unwrap();
    model.score(&prefix, Some(&media), &[], Gates::Open).unwrap();
    let expected = Work { prefill_tokens: tokens, prefill_rows: 2, calls: [1, 1, 2, 0, 0], ..expected };
    assert_eq!(model.work(), expected, "padding is not counted, no rows are no work");

    let row = Row { media: vec![1], ids: caption.suffix.clone(), read: vec![] };
    let written = model.generate(&prefix, &media, &texts(&[row, rows[0].clone()], 20)).unwrap();
    assert_eq!(written.iter().map(|text| text.ids.len()).collect::<Vec<_>>(), [3, 1]);
    let prefilled = (caption.suffix.len() + rows[0].ids.len()) as u64;
    let expected = Work {
        prefill_tokens: tokens + prefilled,
        prefill_rows: 4,
        // `saw`, `one`, `frames` and the one word of the other row each go through the decoder once.
        decode_tokens: 4,
        calls: [1, 1, 6, 0, 0],
        ..expected
    };
    assert_eq!(model.work(), expected);
}

#[test]
fn the_picture_token_cannot_be_written_by_a_user() {
    let mut model = oracle();
    let image = model.manifest().tokens.image;
    let written = model.template().question("is there <image> or <IMAGE>? <image><eoc> question: answer: <pad> count");
    assert_eq!(written.suffix.iter().filter(|&&id| id == image).count(), 1, "only the template's own: {written:?}");
    let count = |name: &str| {
        let id = model.template().question("").suffix[if name == "question:" { 1 } else { 2 }];
        written.suffix.iter().filter(|&&found| found == id).count()
    };
    assert_eq!((count("question:"), count("answer:")), (1, 1), "nor the template's other tokens");
    let moments = window(&mut model, 1, &[Some((5, 0.0))]);
    let media = resample(&mut model, &[moments]);
    let prefix = model.prefix(&written.prefix).unwrap();
    let row = Row { media: vec![0], read: vec![written.suffix.len() - 1], ids: written.suffix };
    let scores = model.score(&prefix, Some(&media), &[row], Gates::Open).unwrap();
    let count = model.template().label("count")[0][0] as usize;
    assert!(scores[0][0][count] > -20.0, "and the question is answered as any other");
}

#[test]
fn words_the_model_never_saw_are_named() {
    let model = oracle();
    let unknown = |text| model.template().unknown_words(text);
    assert_eq!(unknown("Is there a zeppelin, or a ZEPPELIN?"), ["zeppelin", "or"]);
    assert!(unknown("How many frames are there?").is_empty());
    assert!(unknown("is there a door-person?").is_empty(), "known parts make a known word");
    assert!(unknown(" ?! ").is_empty());
}

#[test]
fn answers_have_their_surface_forms() {
    let model = oracle();
    let template = model.template();
    assert_eq!(template.yes().len(), 1);
    assert_ne!(template.yes(), template.no());
    assert_eq!(template.largest_number(), Some(20));
    assert_eq!(template.number(3).map(|ids| template.decode(ids)), Some("three".into()));
    assert_eq!(template.number(21), None);
    assert_eq!(template.label("f0 f1")[0].len(), 2);
}

#[test]
fn requests_that_the_model_cannot_serve_are_refused_in_words() {
    let mut model = oracle();
    let mut small = (*picture(0, 0)).clone();
    small.size.width = 32;
    let refusal = model.encode(&[small.into()]).unwrap_err().to_string();
    assert!(refusal.contains("a frame is 32x48") && refusal.contains("takes 64x48"), "{refusal}");
    let long = Moments { frames: vec![None; 17] };
    assert!(model.resample(&[long]).unwrap_err().to_string().contains("17 frames, and the model takes 16"));
    let many = vec![Moments { frames: vec![None] }; 17];
    assert!(model.resample(&many).unwrap_err().to_string().contains("17 windows in one call, and 1 to 16 can be"));
    let image = model.manifest().tokens.image;
    assert!(model.prefix(&[image]).is_err());
    let prompt = model.template().question(&"is ".repeat(200));
    let prefix = model.prefix(&prompt.prefix).unwrap();
    let row = Row { media: Vec::new(), read: vec![0], ids: prompt.suffix };
    let refusal = model.score(&prefix, None, &[row], Gates::Shut).unwrap_err().to_string();
    assert!(refusal.contains("the model takes 128 at most"), "{refusal}");
    assert_eq!(model.work().calls[0], 0);
}

#[test]
fn opened_anew_it_says_the_same_and_what_it_made_before_still_serves() {
    let mut model = oracle();
    let asked = asking(&mut model, &["f0", "camera", "count"], Some(0));
    let seen = features(&mut model, 7, 21);
    let say = |model: &mut Flamingo| {
        let media = resample(model, &[Moments { frames: vec![Some((seen.clone(), 0.0))] }]);
        model.score(&asked.prefix, Some(&media), std::slice::from_ref(&asked.row), Gates::Open).unwrap()
    };
    let before = say(&mut model);
    let runs = model.runs();
    model.reopen(Reopen::There).unwrap();
    let ran = runs.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(say(&mut model), before);
    assert!(runs.load(std::sync::atomic::Ordering::Relaxed) > ran, "who watches its progress goes on seeing it");
    // there is nowhere else to go from the processor, and it runs on
    assert!(model.reopen(Reopen::OnProcessor).is_err());
    assert_eq!(say(&mut model), before);
}
