//! Answers of the past, as the service kept them.

use std::fs;

use wader::{answer::wire::read_answer, scene};

use crate::support::{
    broker::free_port,
    service::{Service, answer, config, listen, wader},
    video::drawn,
};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_published_is_found_again_while_the_service_runs_and_after_it() {
    let camera = scene::serve(drawn(3), 0).unwrap();
    let port = free_port().await;
    let state = tempfile::tempdir().unwrap();
    let rest = format!(
        "[paths]\nstate = \"{}\"\n[prompts.there]\nask = \"is it there\"\nanswer = \"yes_no\"\nevery = \"500ms\"\npublish = \
         \"always\"\nmin_probability = 0.0\nwindow = {{ frames = 1, span = \"1s\" }}\n",
        state.path().display()
    );
    let broker = format!("url = \"embedded\"\nlisten = \"127.0.0.1:{port}\"\nclient_id = \"mine\"\n");
    let text = config(&broker, &[("yard", camera.url())], &rest);
    let mut service = Service::start(&text);
    let file = service.path("wader.toml").display().to_string();
    let mut listener = listen(&format!("mqtt://127.0.0.1:{port}")).await;
    let mut told = Vec::new();
    while told.len() < 3 {
        told.push(answer(&mut listener, "wader/yard/there/answer").await);
    }
    assert!(service.terminate().await.success(), "{}", service.log());

    let said = wader(&["history", "--config", &file, "--json", "--limit", "9999"]).await;
    assert_eq!(said.code, 0, "{said:?}");
    let kept: Vec<_> = said.out.lines().map(|line| read_answer(line.as_bytes()).unwrap()).collect();
    assert!(kept.windows(2).all(|pair| pair[0].id < pair[1].id), "the newest last");
    for answer in &told {
        assert!(kept.contains(answer), "{answer:?} is not kept");
    }
    let count = |said: &str| said.lines().count();
    let all = count(&said.out);
    for (filter, expected) in [
        (["--prompt", "there"], all),
        (["--camera", "door"], 0),
        (["--search", "IT THERE"], all),
        (["--search", "100%"], 0),
        (["--until", "1h"], 0),
        (["--outcome", "failed"], 0),
        (["--limit", "2"], 2),
    ] {
        let said = wader(&["history", "--config", &file, "--json", filter[0], filter[1]]).await;
        assert_eq!((said.code, count(&said.out)), (0, expected.min(50)), "{filter:?}: {said:?}");
    }
    let said = wader(&["history", "--config", &file, "--limit", "1"]).await;
    assert!(said.out.contains("yard/there  is it there  "), "{said:?}");
    fs::remove_dir_all(state.path()).unwrap();
    let said = wader(&["history", "--config", &file]).await;
    let missing = format!("there is no history at `{}", state.path().join("mine.history.db").display());
    assert!(said.code == 69 && said.err.contains(&missing) && said.err.contains("`state` of `[paths]`"), "{said:?}");
}
