//! Rows 38 and 39: the host gives too little memory, descriptors or threads.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::process::Resource;
use wader::{frame::Stamp, scene};

use crate::support::{
    broker::free_port,
    faults::{self, Row, keep, of, say},
    service::{Service, THERE, answer, config, listen},
    video::drawn,
};

/// A control group of version 1 with a limit of memory; gone when dropped, once nobody is in it.
struct Group(PathBuf);

impl Group {
    /// `None` where this process may not make one.
    fn new() -> Option<Self> {
        let path = Path::new("/sys/fs/cgroup/memory").join(format!("wader-row-38-{}", std::process::id()));
        fs::create_dir(&path).ok()?;
        let group = Self(path);
        // without it the control group would be no measure: what is cached of files goes by itself
        fs::exists(group.0.join("memory.limit_in_bytes")).ok().filter(|there| *there).map(|_| group)
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.0.join(file)).unwrap_or_default()
    }

    fn limit(&self, bytes: u64) -> bool {
        fs::write(self.0.join("memory.limit_in_bytes"), bytes.to_string()).is_ok()
    }

    fn kills(&self) -> u64 {
        let control = self.read("memory.oom_control");
        control.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok()).unwrap_or(0)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        fs::remove_dir(&self.0).ok();
    }
}

/// Answers of these cameras, all of them so often; the longest wait for one.
async fn answers(url: &str, cameras: &[&str], times: usize) -> Duration {
    let mut listener = listen(url).await;
    let mut longest = Duration::ZERO;
    for _ in 0..times {
        for camera in cameras {
            let begun = Stamp::now();
            let topic = format!("wader/{camera}/there/answer");
            while answer(&mut listener, &topic).await.outcome != "answer" {}
            longest = longest.max(Stamp::now().since(begun));
        }
    }
    longest
}

#[tokio::test(flavor = "multi_thread")]
async fn row_38_a_fifth_more_memory_than_the_model_needs_is_enough() {
    let Some(group) = Group::new() else {
        say("row 38 is skipped: no control group of version 1 can be made here; run it as root, where there are such");
        return;
    };
    let served = [scene::serve(drawn(3), 0).unwrap(), scene::serve(drawn(4), 0).unwrap()];
    let cameras = [("left", served[0].url()), ("right", served[1].url())];
    let port = free_port().await;
    let text = config(&format!("url = \"embedded\"\nlisten = \"127.0.0.1:{port}\"\n"), &cameras, THERE);
    let url = format!("mqtt://127.0.0.1:{port}");
    let names = cameras.map(|(name, _)| name);
    // what it takes with nobody in its way
    let mut service = Service::start_in_group(&text, &group.0);
    answers(&url, &names, 4).await;
    let (free, resident) = (service.status("RssAnon"), service.status("VmHWM"));
    assert!(service.terminate().await.success(), "{}", service.log());
    // pages of files are counted to whoever read them first, and given back before anybody is killed
    let most = free * 1024 * 6 / 5;
    if !group.limit(most) {
        say("row 38 is skipped: the control group takes no limit here");
        return;
    }
    let mut service = Service::start_in_group(&text, &group.0);
    let rounds = if faults::long() { 240 } else { 8 };
    let longest = answers(&url, &names, rounds).await;
    let (kills, fails) = (group.kills(), group.read("memory.failcnt"));
    let peak = group.read("memory.max_usage_in_bytes").trim().parse().unwrap_or(0_u64);
    assert!(service.terminate().await.success(), "{}", service.log());
    keep(&Row {
        row: 38,
        fault: "a control group's limit of memory, 20 % above what two cameras and the model take",
        target: "survives; OOM kills 0",
        detection: format!(
            "limit {} MiB, of {} MiB of its own and {} MiB with files at the most; peak {} MiB, {} times at the limit",
            most >> 20,
            free >> 10,
            resident >> 10,
            peak >> 20,
            fails.trim()
        ),
        recovery: String::new(),
        lost: "0".to_owned(),
        duplicated: String::new(),
        dropped: "pages of files, by the kernel".to_owned(),
        effect: format!(
            "{rounds} answers of each camera, at most {} apart; OOM kills {kills}",
            faults::seconds(longest)
        ),
        met: kills == 0,
        run: "row_38",
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn row_39_near_the_limit_of_descriptors_or_threads_a_new_camera_is_refused_and_the_old_ones_go_on() {
    let served: Vec<_> = [3, 4].map(|number| scene::serve(drawn(number), 0).unwrap()).into();
    let port = free_port().await;
    let broker = format!("url = \"embedded\"\nlisten = \"127.0.0.1:{port}\"\n");
    let url = format!("mqtt://127.0.0.1:{port}");
    let old = [("old", served[0].url())];
    let both = [("old", served[0].url()), ("new", served[1].url())];
    let (mut seen, mut mended) = (Vec::new(), Vec::new());
    let mut longest = Duration::ZERO;
    for (resource, what) in [(Resource::Nofile, "file descriptors"), (Resource::Nproc, "threads")] {
        if resource == Resource::Nproc && !rustix::process::geteuid().is_root() {
            // all that this user runs counts against it, so that whoever makes a thread would be hit, not who begins a camera
            say("row 39 leaves threads out: run it as root");
            continue;
        }
        let mut service = Service::start(&config(&broker, &old, THERE));
        answers(&url, &["old"], 2).await;
        let (descriptors, threads) = (service.descriptors(), service.status("Threads"));
        // room for some, as there always is for the watched one's own ups and downs, and for no camera
        let taken = if resource == Resource::Nofile { descriptors } else { threads };
        service.limit(resource, taken + 24);
        let begun = Stamp::now();
        service.rewrite(&config(&broker, &both, THERE));
        service.says(&format!("no room for another camera: of {} {what}", taken + 24)).await;
        let refused = Stamp::now().since(begun);
        longest = longest.max(answers(&url, &["old"], 6).await);
        // with room again it is there without anybody's help
        service.limit(resource, 4096);
        let begun = Stamp::now();
        answers(&url, &["new"], 1).await;
        let back = faults::seconds(Stamp::now().since(begun));
        seen.push(format!("{what} ({taken} taken): {}", faults::seconds(refused)));
        mended.push(format!("{back} after there were {what} again"));
        assert!(service.terminate().await.success(), "{}", service.log());
        assert_eq!(service.log().matches("camera_offline").count(), service.log().matches("no room").count());
    }
    keep(&Row {
        row: 39,
        fault: "a limit of file descriptors, and one of threads, 24 above what is taken; then one more camera is configured",
        target: "refused with its reason; existing cameras untouched",
        detection: format!("{}; reading the file again included", seen.join(", ")),
        recovery: mended.join("; "),
        lost: "0".to_owned(),
        duplicated: String::new(),
        dropped: "the new camera, while there is no room".to_owned(),
        effect: format!("{} went on, answers at most {} apart", of(1, 1), faults::seconds(longest)),
        met: longest < Duration::from_secs(3),
        run: "row_39",
    });
}
