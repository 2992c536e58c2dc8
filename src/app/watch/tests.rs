//! A camera that is switched off costs nothing: neither frames nor windows, by the engine's own counts.

use std::{collections::BTreeMap, path::Path};

use super::{super::switches::Switches, *};
use crate::{
    camera::{Address, Description},
    engine::{Replied, Worker},
    frame::Size,
    model::{self, Device, Flamingo},
    name::PromptName,
    prompt::{AnswerKind, Prompt},
    supervise::Tasks,
    window::Schedule,
};

/// A camera that paints its pictures itself, with an engine of its own.
struct Rig {
    camera: CameraName,
    engine: Arc<Engine>,
    replies: mpsc::Receiver<Replied>,
    inputs: mpsc::Receiver<Input>,
    _task: Tasks,
}

impl Rig {
    fn new(camera: &CameraName, switches: &Switches, stop: &Stop) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/oracle");
        let spec = model::Spec { device: Device::Cpu, threads: 1, onnxruntime: None };
        let oracle = Flamingo::load(&folder, &spec).unwrap();
        let size = Size { width: 64, height: 48 };
        let name = PromptName::new("there").unwrap();
        let prompt =
            Prompt { name: name.clone(), ask: "is it there".to_owned(), also: Vec::new(), kind: AnswerKind::YesNo };
        let worker = Worker::new(oracle, &[(camera.clone(), Arc::new(prompt))]).unwrap();
        let (sender, replies) = mpsc::channel(64);
        let engine = Arc::new(Engine::start(worker, 1, sender).unwrap());
        let pattern = Description::find("test-pattern", None).unwrap();
        let address = Address::parse("test:pattern").unwrap();
        let spec = camera::Spec { frames_per_second: 5.0, ..camera::Spec::new(camera.clone(), address, pattern, size) };
        let window = window::Spec { frames: 1, span: Duration::ZERO };
        let schedule = Schedule { prompt: name, every: Duration::from_millis(200), window };
        let (answers, inputs) = mpsc::channel(64);
        let watch = Watch {
            name: camera.clone(),
            camera: Arc::new(Camera::new(spec)),
            turns: Turns::new(1, Duration::from_secs(2)),
            logins: Logins::default(),
            up_since: None,
            losses_told: (Stamp::now(), 0),
            prompts: watch::channel(Vec::new()).1,
            planned: Vec::new(),
            sampler: Sampler::new(camera.clone(), vec![schedule]),
            sight: Sight::new(None),
            blind: None,
            asked_blind: Vec::new(),
            hours: Vec::new(),
            zone: TimeZone::UTC,
            patience: Duration::from_secs(60),
            engine: engine.clone(),
            answers,
            off: switches.of(camera),
            asked_about: window,
            view: watch::Sender::new(View::default()),
        };
        let mut task = Tasks::new();
        task.start("camera", watch.run(stop.clone()));
        Self { camera: camera.clone(), engine, replies, inputs, _task: task }
    }

    /// The next replies.
    async fn replies(&mut self, count: usize) {
        for _ in 0..count {
            let replied = tokio::time::timeout(Duration::from_secs(60), self.replies.recv()).await.unwrap().unwrap();
            assert_eq!(replied.camera, self.camera);
        }
    }

    /// The next thing that happens to the camera.
    async fn input(&mut self) -> Input {
        tokio::time::timeout(Duration::from_secs(60), self.inputs.recv()).await.unwrap().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_is_switched_off_costs_nothing_until_it_is_switched_on() {
    let (door, yard) = (CameraName::new("door").unwrap(), CameraName::new("yard").unwrap());
    let switches = Switches::new([door.clone(), yard.clone()], &BTreeMap::new());
    let stop = Stop::new();
    let (mut off, mut on) = (Rig::new(&door, &switches, &stop), Rig::new(&yard, &switches, &stop));
    assert!(matches!(off.input().await, Input::CameraUp { .. }));
    off.replies(2).await;
    switches.turn(&door, None, false);
    assert!(matches!(off.input().await, Input::SwitchedOff { .. }), "it says so once its pipeline has stopped");
    // the other camera tells the time; what was in hand is done after five of its windows
    on.replies(5).await;
    while off.replies.try_recv().is_ok() {}
    let before = off.engine.counts();
    assert!(before.windows >= 2, "{before:?}");
    on.replies(5).await;
    assert_eq!(off.engine.counts(), before, "no window, no frame");
    assert!(off.replies.try_recv().is_err() && off.inputs.try_recv().is_err());
    switches.turn(&door, None, true);
    assert!(matches!(off.input().await, Input::SwitchedOn { .. }), "it is sought");
    assert!(matches!(off.input().await, Input::CameraUp { .. }));
    off.replies(1).await;
    assert!(off.engine.counts().windows > before.windows);
    stop.give();
}
