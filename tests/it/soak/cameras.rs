//! The cameras of a soak, each behind a network of its own, and the configuration that watches them.

use std::{any::Any, fmt::Write as _, sync::Arc};

use futures_util::future::join_all;
use wader::{
    frame::Size,
    scene::{self, Login},
};

use crate::support::{
    evil_rtsp::{Evil, Manners, Play},
    model::oracle_folder,
    proxy::Proxy,
    recording::Recording,
    video::drawn,
};

/// Asks the oracle whose picture it is, once a second: a pause is a pause of the camera's. And something else now and then.
///
/// The state stays what it is. Pictures of answers that changed one are kept, up to a bound that is reached after hours: till then
/// memory would grow as it should, and hide what grows as it should not.
const PROMPTS: &str = r#"
[prompts.number]
ask = "camera reference"
answer = "choice"
choices = ["camera", "reference"]
every = "1s"
window = { frames = 1, span = "0s" }
publish = "always"
min_probability = 0.0
[prompts.count]
ask = "count reference"
answer = "choice"
choices = ["count", "reference"]
every = "5s"
window = { frames = 3, span = "2s" }
"#;

const USER: &str = "watcher";
const RIGHT: &str = "right";
/// The password that the configuration has when it should not.
pub(super) const WRONG: &str = "wrong";

/// The camera that comes and goes has the last number that a barcode has room for.
const EXTRA: u8 = 63;

/// A camera.
pub(super) struct Camera {
    pub(super) name: String,
    /// What its barcodes say.
    pub(super) number: u8,
    /// With the right password, if any.
    url: String,
    pub(super) network: Proxy,
    /// Kept, because it ends with its owner.
    _server: Box<dyn Any>,
}

/// 160x120, 5 frames a second, a key frame each second.
fn small(number: u8) -> scene::Spec {
    let size = Size { width: 160, height: 120 };
    scene::Spec { size, frames_per_second: 5, key_frame_distance: 5, kbit_per_second: 100, ..drawn(number) }
}

impl Camera {
    /// Plays a few seconds over and over: so that many cost nothing but their sending.
    async fn played(name: String, number: u8, seed: u64) -> Self {
        let recording = Recording::of(small(number), 40).await;
        let evil = Evil::start(Manners::Play(Arc::new(Play::of(vec![recording])))).await;
        let network = Proxy::to(evil.port(), seed).await;
        Self { url: network.url(&evil.url), name, number, network, _server: Box::new(evil) }
    }

    /// A scene that is drawn, encoded, and shown to those alone who know its password.
    async fn locked(name: String, number: u8, seed: u64) -> Self {
        let login = Some(Login::new(USER, RIGHT));
        let served = scene::serve(scene::Spec { login, ..small(number) }, 0).unwrap();
        let network = Proxy::to(served.port(), seed).await;
        Self { url: network.url(&served.url_with_login()), name, number, network, _server: Box::new(served) }
    }

    /// So many, the first of them behind a password, and one more to be added and taken away.
    pub(super) async fn some(count: usize, seed: u64) -> (Vec<Self>, Self) {
        let name = |number: usize| format!("c{number:02}");
        let mut all = vec![Self::locked(name(0), 0, seed).await];
        // Recording costs the most of all, and a recording with holes is made again.
        for part in (1..count).collect::<Vec<_>>().chunks(8) {
            let some = part.iter().map(|&number| {
                // The last of 64 shares its barcodes with the one that comes and goes.
                Self::played(name(number), u8::try_from(number).unwrap(), seed ^ number as u64)
            });
            all.extend(join_all(some).await);
        }
        (all, Self::played("extra".to_owned(), EXTRA, seed ^ 1 << 40).await)
    }
}

/// How the configuration is just now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) password: &'static str,
    /// Whether there is one camera more.
    pub(super) extra: bool,
    /// The camera with another setting than the others.
    pub(super) edited: Option<usize>,
    /// Whether there is a mistake in it.
    pub(super) mistake: bool,
}

impl Wanted {
    /// As it is while nothing goes wrong.
    pub(super) const WELL: Self = Self { password: RIGHT, extra: false, edited: None, mistake: false };

    /// The file.
    pub(super) fn text(self, broker_port: u16, cameras: &[Camera], extra: &Camera) -> String {
        let mut text = format!(
            "[mqtt]\nurl = \"mqtt://127.0.0.1:{broker_port}\"\n[log]\nformat = \"json\"\n[homeassistant]\ndiscovery = false\n\
             [model]\npath = \"{}\"\ndevice = \"cpu\"\nthreads = 1\n[defaults.camera]\nframes_per_second = 2\n",
            oracle_folder().display()
        );
        for (number, camera) in cameras.iter().chain(self.extra.then_some(extra)).enumerate() {
            let url = camera.url.replace(&format!(":{RIGHT}@"), &format!(":{}@", self.password));
            writeln!(text, "[cameras.{}]\nurl = \"{url}\"", camera.name).unwrap();
            if self.edited == Some(number) {
                text.push_str("silence = \"4500ms\"\n");
            }
        }
        text + &if self.mistake { PROMPTS.replace("ask = \"count", "aks = \"count") } else { PROMPTS.to_owned() }
    }
}
