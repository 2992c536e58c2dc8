//! Serves a scene over RTSP on this machine, as a camera would: one picture after the other at its true time, the same
//! for all viewers. Faults of cameras can be played, too.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{Builder, JoinHandle},
    time::Duration,
};

use gstreamer::{self as gst, glib, prelude::*};
use gstreamer_app::AppSrc;
use gstreamer_rtsp_server::{
    RTSPAuth, RTSPFilterResult, RTSPMediaFactory, RTSPServer, RTSPToken, gst_rtsp::RTSPAuthMethod, prelude::*,
};

use super::{Error, Login, Player, Showing, Spec, Spoilt, encode, spoilt::Spoiler};
use crate::frame::{Size, Stamp};

const HOST: &str = "127.0.0.1";
const PATH: &str = "/scene";

/// A scene that is being served until this is dropped.
#[derive(Debug)]
pub struct Served {
    url: String,
    port: u16,
    began: Stamp,
    spec: Spec,
    stage: Arc<Stage>,
    context: glib::MainContext,
    main_loop: glib::MainLoop,
    server: RTSPServer,
    threads: Vec<JoinHandle<()>>,
}

/// What the feeding thread, GStreamer's threads and the owner share.
#[derive(Debug)]
struct Stage {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// Where pictures go while somebody watches.
    sink: Option<AppSrc>,
    /// The running time of the sink's pipeline at the scene's time zero, once known.
    origin: Option<i128>,
    size: Size,
    spoilt: Option<Spoilt>,
    is_silent: bool,
    is_over: bool,
    failure: Option<String>,
}

impl Stage {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }
}

/// Serves a scene on a port of the loopback interface; port 0 takes a free one.
pub fn serve(spec: Spec, port: u16) -> Result<Served, Error> {
    spec.check()?;
    gst::init().map_err(|error| Error::Pipeline(error.message().to_owned()))?;
    let player = Player::new(&spec)?;
    let state = State {
        sink: None,
        origin: None,
        size: spec.size,
        spoilt: None,
        is_silent: false,
        is_over: false,
        failure: None,
    };
    let stage = Arc::new(Stage { state: Mutex::new(state), changed: Condvar::new() });
    let server = make_server(&spec, port, &stage)?;
    let context = glib::MainContext::new();
    let main_loop = glib::MainLoop::new(Some(&context), false);
    server.attach(Some(&context)).map_err(|error| Error::Port { port, reason: error.to_string() })?;
    let bound = server.bound_port();
    let port = u16::try_from(bound)
        .ok()
        .filter(|port| *port != 0)
        .ok_or(Error::Port { port, reason: "it is taken".to_owned() })?;
    let began = Stamp::now();
    let mut served = Served {
        url: format!("rtsp://{HOST}:{port}{PATH}"),
        port,
        began,
        spec: spec.clone(),
        stage: Arc::clone(&stage),
        context: context.clone(),
        main_loop: main_loop.clone(),
        server,
        threads: Vec::new(),
    };
    let failed = |error: std::io::Error| Error::Pipeline(error.to_string());
    let serving = move || {
        // Fails only where another thread owns the context; none does.
        context.with_thread_default(|| main_loop.run()).ok();
    };
    served.threads.push(Builder::new().name("scene-rtsp".to_owned()).spawn(serving).map_err(failed)?);
    let feeding = move || feed(&spec, player, began, &stage);
    served.threads.push(Builder::new().name("scene-feed".to_owned()).spawn(feeding).map_err(failed)?);
    Ok(served)
}

impl Served {
    /// The address, without user and password.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address as the viewer needs it, with user and password where there are some.
    pub fn url_with_login(&self) -> String {
        let Some(Login { user, password, .. }) = &self.spec.login else { return self.url.clone() };
        let Ok(mut url) = url::Url::parse(&self.url) else { return self.url.clone() };
        // An rtsp URL with a host takes both.
        url.set_username(user).and_then(|()| url.set_password(Some(password))).ok();
        url.into()
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// When the scene began.
    pub const fn began(&self) -> Stamp {
        self.began
    }

    /// What is sent at a moment. A frame received later shows what was sent when it was taken.
    pub fn showing(&self, at: Stamp) -> Showing {
        self.spec.showing(at.since(self.began))
    }

    /// The second of the recording that is sent at a moment, or of the drawn scene; `None` for the background.
    pub fn source_time(&self, at: Stamp) -> Option<f64> {
        match self.showing(at) {
            Showing::Footage { at_s } | Showing::Drawn { at_s, .. } => Some(at_s),
            Showing::Background => None,
        }
    }

    /// Whether anybody watches.
    pub fn is_watched(&self) -> bool {
        self.stage.lock().sink.is_some()
    }

    /// Why no pictures come any more, if so.
    pub fn failure(&self) -> Option<String> {
        self.stage.lock().failure.clone()
    }

    /// Sends nothing more, but keeps all connections.
    pub fn go_silent(&self) {
        self.stage.change(|state| state.is_silent = true);
    }

    /// Sends again.
    pub fn speak(&self) {
        self.stage.change(|state| state.is_silent = false);
    }

    /// Sends what a camera sends that does not see, or again what there is; without interrupting the stream.
    pub fn spoil(&self, how: Option<Spoilt>) {
        self.stage.change(|state| state.spoilt = how);
    }

    /// Goes on in another size, without interrupting the stream.
    pub fn change_size(&self, size: Size) -> Result<(), Error> {
        Spec { size, ..self.spec.clone() }.check()?;
        self.stage.change(|state| state.size = size);
        Ok(())
    }

    /// Closes all connections and the port, as a camera without power. Serve again on [`port`](Self::port) to have it
    /// back.
    pub fn kill(self) {
        drop(self);
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stage.change(|state| state.is_over = true);
        let (server, main_loop) = (self.server.clone(), self.main_loop.clone());
        // On the loop's own thread, once it runs: a loop told to quit before that would never end.
        let quit = glib::idle_source_new(None, glib::Priority::HIGH, move || {
            server.client_filter(Some(&mut |_, _| RTSPFilterResult::Remove));
            if let Some(sessions) = server.session_pool() {
                sessions.filter(Some(&mut |_, _| RTSPFilterResult::Remove));
            }
            main_loop.quit();
            glib::ControlFlow::Break
        });
        quit.attach(Some(&self.context));
        for thread in self.threads.drain(..) {
            // A panic there was reported there.
            thread.join().ok();
        }
    }
}

fn make_server(spec: &Spec, port: u16, stage: &Arc<Stage>) -> Result<RTSPServer, Error> {
    let server = RTSPServer::new();
    server.set_address(HOST);
    server.set_service(&port.to_string());
    // Clients are served by the loop's own thread, which closes them at the end: closed by another one than reads from them, they
    // are read from once more, and the process with them is lost.
    if let Some(pool) = server.thread_pool() {
        pool.set_max_threads(0);
    }
    let factory = RTSPMediaFactory::new();
    factory.set_launch(&encode::for_rtsp(spec));
    factory.set_shared(true);
    let (on_configure, rate) = (Arc::clone(stage), spec.frames_per_second);
    factory.connect_media_configure(move |_, media| {
        let bin = media.element().downcast::<gst::Bin>().ok();
        let sink = bin.and_then(|bin| bin.by_name("pictures")?.downcast::<AppSrc>().ok());
        let Some(sink) = sink else { return };
        let (on_unprepared, this) = (Arc::clone(&on_configure), sink.clone());
        media.connect_unprepared(move |_| {
            on_unprepared.change(|state| {
                // A new viewer may have brought a new sink already.
                if state.sink.as_ref() == Some(&this) {
                    state.sink = None;
                }
            });
        });
        on_configure.change(|state| {
            sink.set_caps(Some(&caps(state.size, rate)));
            (state.sink, state.origin) = (Some(sink), None);
        });
    });
    if let Some(login) = &spec.login {
        demand(&server, &factory, login);
    }
    let mounts = server.mount_points().ok_or_else(|| Error::Pipeline("the server has no mount points".to_owned()))?;
    mounts.add_factory(PATH, factory);
    Ok(server)
}

/// Lets only this user in.
fn demand(server: &RTSPServer, factory: &RTSPMediaFactory, login: &Login) {
    const ROLE: &str = "viewer";
    let auth = RTSPAuth::new();
    let token = RTSPToken::builder().field("media.factory.role", ROLE).build();
    if login.digest {
        auth.set_supported_methods(RTSPAuthMethod::Digest);
        auth.add_digest(&login.user, &login.password, &token);
    } else {
        auth.set_supported_methods(RTSPAuthMethod::Basic);
        auth.add_basic(&RTSPAuth::make_basic(&login.user, &login.password), &token);
    }
    server.set_auth(Some(&auth));
    let role = gst::Structure::builder(ROLE)
        .field("media.factory.access", true)
        .field("media.factory.construct", true)
        .build();
    factory.add_role_from_structure(&role);
}

pub(super) fn caps(size: Size, rate: u32) -> gst::Caps {
    let as_i32 = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    gst::Caps::builder("video/x-raw")
        .field("format", "RGBx")
        .field("width", as_i32(size.width))
        .field("height", as_i32(size.height))
        .field("framerate", gst::Fraction::new(as_i32(rate), 1))
        .build()
}

/// Makes each picture when its time has come, while anybody watches; ends when the scene is over.
fn feed(spec: &Spec, mut player: Player, began: Stamp, stage: &Stage) {
    let period = Duration::from_secs(1) / spec.frames_per_second;
    let mut spoiler = Spoiler::default();
    loop {
        let Some(Beat { sink, size, spoilt }) = next_beat(stage, began, period) else { return };
        let since_began = Stamp::now().since(began);
        // The frame of this moment: those missed on a busy machine are not caught up.
        let number = (since_began.as_nanos() / period.as_nanos().max(1)) as u32;
        let due = period * number;
        let showing = spec.showing(due + Duration::from_micros(1));
        let picture = match player.picture(showing, size) {
            Ok(picture) => spoiler.picture(picture, spoilt),
            Err(error) => return stage.change(|state| state.failure = Some(error.to_string())),
        };
        let caps = caps(size, spec.frames_per_second);
        if sink.caps().as_ref() != Some(&caps) {
            sink.set_caps(Some(&caps));
        }
        let Some(pts) = presentation_time(stage, &sink, since_began, due) else { continue };
        let mut buffer = gst::Buffer::from_mut_slice(picture.rgba);
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(pts);
        }
        // A viewer that leaves at this moment is no fault of the scene.
        sink.push_buffer(buffer).ok();
    }
}

/// Where to send the next frame, and what is to be made of it.
struct Beat {
    sink: AppSrc,
    size: Size,
    spoilt: Option<Spoilt>,
}

/// Waits for the next frame's time; `None` when the scene is over.
fn next_beat(stage: &Stage, began: Stamp, period: Duration) -> Option<Beat> {
    let beat = |now: Stamp| now.since(began).as_nanos() / period.as_nanos().max(1);
    let first = beat(Stamp::now());
    let mut state = stage.lock();
    loop {
        if state.is_over {
            return None;
        }
        let now = Stamp::now();
        let is_due = beat(now) > first;
        if let Some(sink) = state.sink.clone().filter(|_| is_due && !state.is_silent) {
            return Some(Beat { sink, size: state.size, spoilt: state.spoilt });
        }
        let next = period * (u32::try_from(beat(now)).unwrap_or(u32::MAX).saturating_add(1));
        let waited = stage.changed.wait_timeout(state, next.saturating_sub(now.since(began)));
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
}

/// The running time of the sink's pipeline at which a frame was due: even, whenever it was made. `None` while the
/// pipeline does not run, or is no longer the one that is watched.
fn presentation_time(stage: &Stage, sink: &AppSrc, since_began: Duration, due: Duration) -> Option<gst::ClockTime> {
    // On its way to playing it has a clock already, but counts from that clock's zero.
    if sink.current_state() != gst::State::Playing {
        return None;
    }
    let running = i128::from(sink.current_running_time()?.nseconds());
    let mut state = stage.lock();
    if state.sink.as_ref() != Some(sink) {
        return None;
    }
    let origin = *state.origin.get_or_insert(running - i128::try_from(since_began.as_nanos()).ok()?);
    let at = origin + i128::try_from(due.as_nanos()).ok()?;
    Some(gst::ClockTime::from_nseconds(u64::try_from(at.max(0)).ok()?))
}
