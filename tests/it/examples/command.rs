//! The commands of a person who shows examples: taking them, and being told what is missing.

use std::{fs, io::BufWriter, path::Path};

use wader::{frame::Size, scene::Barcode};

use super::service::serve;
use crate::support::{
    model::FolderCopy,
    service::{config, wader},
};

/// A picture of one grey, of the oracle's size.
pub(super) fn write_png(file: &Path, level: u8) {
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let mut encoder = png::Encoder::new(BufWriter::new(fs::File::create(file).unwrap()), 64, 48);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header().unwrap().write_image_data(&[level; 64 * 48 * 3]).unwrap();
}

/// The number of the drawn street's frame that a picture is.
fn frame_number(file: &Path) -> u32 {
    let frame = wader::camera::still(file, Size { width: 640, height: 480 }).unwrap();
    Barcode::read(&frame.pixels, frame.size).unwrap().frame()
}

const GATE: &str = "[prompts.gate]\nask = \"Is the gate open?\"\nanswer = \"choice\"\nchoices = [\"open\", \"shut\"]\n";

/// A configuration of one camera in a folder of its own.
fn folder(camera: &str, rest: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wader.toml");
    fs::write(&file, config("url = \"embedded\"", &[("yard", camera)], rest)).unwrap();
    let file = file.to_str().unwrap().to_owned();
    (folder, file)
}

/// Lines that give the prompt an example, and its picture.
fn example(folder: &Path, path: &str, answer: &str) -> String {
    write_png(&folder.join(path), 100);
    format!("[[prompts.gate.examples]]\npath = \"{path}\"\nanswer = \"{answer}\"\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_example_is_a_window_of_a_named_camera_and_the_lines_to_add() {
    let camera = serve(1000, 0);
    let (folder, file) = folder(camera.url(), GATE);
    let out = folder.path().join("examples/gate");
    let arguments = ["snapshot", "yard", "--config", &file, "--label", "open", "--out", out.to_str().unwrap()];
    let said = wader(&arguments).await;
    assert_eq!(said.code, 0, "{said:?}");
    let lines = "\n[[prompts.gate.examples]]\npath = \"examples/gate/open-1\"\nanswer = \"open\"\n";
    assert_eq!(said.out, lines);
    assert!(said.err.contains("1 of `open`, 0 of `shut`; two of each are needed, four are better"), "{said:?}");
    let mut pictures: Vec<_> = fs::read_dir(out.join("open-1")).unwrap().map(|entry| entry.unwrap().path()).collect();
    pictures.sort();
    assert_eq!(pictures.len(), 3, "as many as the model looks at: {pictures:?}");
    let info = png::Decoder::new(std::io::BufReader::new(fs::File::open(&pictures[0]).unwrap())).read_info().unwrap();
    assert_eq!((info.info().width, info.info().height), (64, 48), "of the model's size");

    // With one example the prompt is asked in words, and told of what it lacks.
    fs::write(&file, fs::read_to_string(&file).unwrap() + &said.out).unwrap();
    let check = wader(&["check", "--config", &file]).await;
    assert_eq!(check.code, 0, "{check:?}");
    for says in [
        "prompt `gate` has 1 example of `open`, and is asked in words until it has more; 2 are needed, 4 are better",
        "prompt `gate` has 0 examples of `shut`, and is asked in words until it has more; 2 are needed, 4 are better",
        &format!("`wader snapshot yard --config {file} --label shut --out {}` takes one", out.display()),
    ] {
        assert!(check.err.contains(says), "{says}: {check:?}");
    }
    let said = wader(&[&arguments[..], &["--rate", "5"]].concat()).await;
    assert_eq!((said.code, said.out.contains("gate/open-2\"")), (0, true), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_example_is_taken_out_of_a_recording_at_the_moment_that_is_named() {
    let (folder, file) = folder("rtsp://127.0.0.1:9/none", GATE); // no camera is there
    let (clip, out) = (folder.path().join("gate.mkv"), folder.path().join("examples/gate"));
    let (clip, out) = (clip.to_str().unwrap(), out.to_str().unwrap());
    let drawn = ["scene", "clip", "--barcode", "3", "--seconds", "6", "--rate", "10", "--out", clip];
    assert_eq!(wader(&drawn).await.code, 0);
    let snapshot = ["snapshot", "yard", "--config", &file, "--clip", clip, "--rate", "2", "--out", out];
    let said = wader(&[&snapshot[..], &["--at", "3", "--label", "open"]].concat()).await;
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.out, "\n[[prompts.gate.examples]]\npath = \"examples/gate/open-1\"\nanswer = \"open\"\n");
    let numbers = |folder: &str| {
        let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "png"));
        files.sort();
        files.iter().map(|file| frame_number(file)).collect::<Vec<_>>()
    };
    assert_eq!(numbers(&format!("{out}/open-1")), [20, 25, 30], "at two, two and a half, and three seconds");

    let said = wader(&[&snapshot[..], &["--frames", "2", "--size", "640x480"]].concat()).await;
    assert_eq!((said.code, numbers(out)), (0, vec![50, 55]), "the end of it, without an example: {said:?}");
    for (at, says) in [("7", "ends at 5.5 s, before that moment"), ("1e30", "--at is no moment")] {
        let said = wader(&[&snapshot[..], &["--at", at, "--label", "open"]].concat()).await;
        assert!(said.code == 1 && said.err.contains(says), "{at}: {said:?}");
    }
    assert!(!Path::new(out).join("open-2").exists(), "nothing was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_example_that_cannot_be_meant_is_not_taken() {
    let camera = serve(1000, 0);
    let lawn = "cameras = [\"yard\"]\n[cameras.lawn]\nurl = \"rtsp://127.0.0.1:9/none\"\n";
    let (folder, file) = folder(camera.url(), &(GATE.to_owned() + lawn));
    let out = folder.path().join("examples/gate");
    let out = out.to_str().unwrap();
    for (arguments, code, says) in [
        (
            ["yard", "--label", "ajar", "--out", out],
            1,
            "`ajar` is no answer of prompt `gate`: these are `open`, `shut`",
        ),
        (["door", "--label", "open", "--out", out], 1, "has no camera `door`; there are lawn, yard"),
        (
            ["lawn", "--label", "open", "--out", out],
            1,
            "does not ask about `lawn`, and examples are of the camera that",
        ),
        (["yard", "--label", "open", "--out", "/"], 1, "give --prompt"),
        (
            ["yard", "--label", "open", "--out", "elsewhere"],
            1,
            "no prompt `elsewhere`, which is the last part of --out",
        ),
        (["rtsp://127.0.0.1:9/none", "--label", "open", "--out", out], 1, "cannot reach"),
        (["http://127.0.0.1:9/none", "--label", "open", "--out", out], 1, "name one of your own with --pipeline"),
    ] {
        let said = wader(&[&["snapshot", "--config", &file], &arguments[..]].concat()).await;
        assert_eq!(said.code, code, "{said:?}");
        assert!(said.err.contains(says), "{says}: {said:?}");
        assert_eq!(said.out, "");
    }
    assert!(!Path::new(out).exists(), "nothing was written");
    // Without a configuration nobody knows the prompt's answers: any will do, and the path is as it was typed.
    let out = folder.path().join("bin");
    let out = out.to_str().unwrap();
    let said =
        wader(&["snapshot", camera.url(), "--label", "half full", "--out", out, "--rate", "9", "--frames", "1"]).await;
    assert_eq!(said.code, 0, "{said:?}");
    let lines = format!("\n[[prompts.bin.examples]]\npath = \"{out}/half-full-1\"\nanswer = \"half full\"\n");
    assert_eq!(said.out, lines);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_holds_examples_against_the_model_and_decodes_them() {
    let (folder, file) = folder("rtsp://127.0.0.1:9/none", "");
    let all = ["a.png", "b.png", "c.png", "d.png"]
        .map(|name| example(folder.path(), name, ["open", "shut"][usize::from(name > "b.png")]));
    let text = fs::read_to_string(&file).unwrap() + GATE + &all.concat();
    fs::write(&file, &text).unwrap();
    let good = wader(&["check", "--config", &file]).await;
    assert_eq!(good.code, 0, "{good:?}");
    assert!(!good.err.contains("never learned"), "words that are shown need not be known: {good:?}");
    assert!(good.err.contains("prompts.gate: examples: 2 of `open`, 2 of `shut`"), "{good:?}");

    let broken = fs::read(folder.path().join("c.png")).unwrap();
    fs::write(folder.path().join("c.png"), &broken[..40]).unwrap();
    let said = wader(&["check", "--config", &file]).await;
    assert_eq!(said.code, 78, "{said:?}");
    assert!(
        said.err.contains("prompts.gate.examples[2].path: `") && said.err.contains("cannot be decoded"),
        "{said:?}"
    );

    let copy = FolderCopy::without_comparer();
    let oracle = crate::support::model::oracle_folder().display().to_string();
    fs::write(&file, text.replace(&oracle, copy.path().to_str().unwrap())).unwrap();
    for command in ["check", "run"] {
        let said = wader(&[command, "--config", &file]).await;
        assert_eq!(said.code, 78, "{command}: {said:?}");
        assert!(
            said.err.contains("prompts.gate.examples: the model cannot compare with examples"),
            "{command}: {said:?}"
        );
        // and the broken picture, in the same report
        assert!(said.err.contains("prompts.gate.examples[2].path"), "{command}: {said:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_many_pictures_is_taken_for_one_moment_and_said_to_be() {
    let (folder, file) = folder("rtsp://127.0.0.1:9/none", "");
    for number in 0..5 {
        write_png(&folder.path().join(format!("open/{number}.png")), 100);
    }
    let all = ["b.png", "c.png", "d.png"]
        .map(|name| example(folder.path(), name, ["open", "shut"][usize::from(name > "b.png")]));
    let many = "[[prompts.gate.examples]]\npath = \"open\"\nanswer = \"open\"\n";
    fs::write(&file, fs::read_to_string(&file).unwrap() + GATE + many + &all.concat()).unwrap();
    let said = wader(&["check", "--config", &file]).await;
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.contains("is one moment, of whose 5 pictures the newest 3 are looked at"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn models_tells_whether_a_model_can_compare() {
    let copy = FolderCopy::without_comparer();
    let oracle = crate::support::model::oracle_folder();
    let oracle = oracle.to_str().unwrap();
    let show = wader(&["models", "show", oracle]).await;
    assert!(show.out.contains("examples    up to 16 for a prompt, compared in 8x6 places"), "{show:?}");
    let show = wader(&["models", "show", copy.path().to_str().unwrap()]).await;
    assert!(!show.out.contains("examples") && show.code == 0, "{show:?}");
    let verify = wader(&["models", "verify", oracle, "--device", "cpu"]).await;
    assert!(verify.out.contains("recorded calls agree"), "{verify:?}");
}
