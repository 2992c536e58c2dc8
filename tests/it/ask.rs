//! Questions that are asked once.

use std::{fs, path::Path};

use crate::support::{
    model::oracle_folder,
    service::{Said, wader},
};

/// A picture of one grey, of the oracle's size.
fn write_png(file: &Path, level: u8) {
    let mut encoder = png::Encoder::new(std::io::BufWriter::new(fs::File::create(file).unwrap()), 64, 48);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header().unwrap().write_image_data(&[level; 64 * 48 * 3]).unwrap();
}

async fn ask(rest: &[&str]) -> Said {
    let oracle = oracle_folder();
    wader(&[&["ask", "--model", oracle.to_str().unwrap(), "--device", "cpu"], rest].concat()).await
}

#[tokio::test]
async fn a_question_is_asked_about_a_picture_without_a_service() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("grey.png");
    write_png(&file, 90);
    let picture = file.to_str().unwrap();
    let said = ask(&["count reference", "--choices", "count,reference", "--image", picture, "--json"]).await;
    assert_eq!(said.code, 0, "{said:?}");
    let answer = wader::answer::wire::read_answer(said.out.as_bytes()).unwrap();
    assert_eq!((answer.camera.as_str(), answer.prompt.as_str(), answer.window.frames), ("file", "ask", 1));
    let share = |label: &str| answer.candidates.iter().find(|c| c.answer == label).unwrap().share;
    // the oracle reads how many frames it was given
    assert!(((share("count") / share("reference")).ln() - 1.0).abs() < 0.01, "{answer:?}");
    let said = ask(&["count reference", "--choices", "count,reference", "--image", picture]).await;
    assert_eq!((said.code, said.out.trim()), (0, "count"), "{said:?}");
    assert!(said.err.contains("probability 0.73, from 1 picture"), "{said:?}");
}

#[tokio::test]
async fn what_cannot_be_asked_is_told_and_is_no_success() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("grey.png");
    write_png(&file, 90);
    let picture = file.to_str().unwrap();
    let said = ask(&["is a zeppelin there", "--image", picture]).await;
    assert_eq!((said.code, said.out.as_str()), (1, ""), "{said:?}");
    assert!(said.err.contains("unsure (unknown_words): zeppelin"), "{said:?}");
    let said = ask(&["is it there", "--image", folder.path().join("none.png").to_str().unwrap()]).await;
    assert!(said.code == 1 && said.err.contains("none.png` cannot be decoded as a picture"), "{said:?}");
    fs::write(&file, "no picture").unwrap();
    let said = ask(&["is it there", "--clip", picture]).await;
    assert!(said.code == 1 && said.err.contains("cannot be decoded"), "{said:?}");
    for wrong in [["--choices", "open"], ["--choices", "a,a"], ["--number", "9..1"]] {
        let said = ask(&["is it there", "--image", picture, wrong[0], wrong[1]]).await;
        assert_ne!(said.code, 0, "{wrong:?}: {said:?}");
    }
    let said = wader(&["ask", "is it there", "--image", picture, "--model", "no/model"]).await;
    assert_eq!(said.code, 69, "{said:?}");
}
