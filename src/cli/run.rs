//! `wader run`: the service itself.

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    app::{self, App},
    cli,
    mqtt::broker,
    supervise::Stop,
    systemd::Notify,
    telemetry,
};

pub(super) fn run(options: &cli::ConfigArguments) -> anyhow::Result<u8> {
    let Some(loaded) = options.load() else { return Ok(cli::exit::CONFIG) };
    if let Err(error) = telemetry::install(loaded.config.log) {
        cli::say(format_args!("wader: {}", telemetry::chain(&error)));
        return Ok(cli::exit::CONFIG); // only `format` below `[log]` asks for what may not be there
    }
    // what it keeps tells who was at home: of nobody else on this machine
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2) // cameras decode on GStreamer's threads, the model runs on its own
        .enable_all()
        .build()
        .context("cannot start the asynchronous runtime")?;
    let ended = runtime.block_on(async {
        let stop = Stop::new();
        let app = App::new(loaded, Notify).run(stop.clone());
        tokio::pin!(app);
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        loop {
            tokio::select! {
                ended = &mut app => return anyhow::Ok(ended),
                _ = terminate.recv() => ask_to_end(&stop),
                _ = interrupt.recv() => ask_to_end(&stop),
            }
        }
    })?;
    // a thread that hangs in a camera's teardown must not hold the process
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    Ok(match ended {
        Ok(()) => cli::exit::OK,
        Err(error) => {
            cli::say(format_args!("wader: {}", telemetry::chain(&error)));
            if let app::Error::Broker(broker::Error::Start { address, .. }) = &error {
                cli::say(format_args!("{}", cli::elsewhere(address.port())));
            }
            code(&error)
        }
    })
}

/// The first signal asks; the second ends the process at once.
fn ask_to_end(stop: &Stop) {
    if stop.is_given() {
        std::process::exit(i32::from(cli::exit::FAILURE));
    }
    stop.give();
}

fn code(error: &app::Error) -> u8 {
    match error {
        app::Error::Config(_) | app::Error::Prompt(_) | app::Error::Access(_) => cli::exit::CONFIG,
        app::Error::Model(_)
        | app::Error::Taken { .. }
        | app::Error::Broker(_)
        | app::Error::Mqtt(_)
        | app::Error::Web { .. } => cli::exit::UNAVAILABLE,
        app::Error::Thread(_) | app::Error::EngineBroke | app::Error::TaskEnded { .. } => cli::exit::SOFTWARE,
        app::Error::Hangs(_) => cli::exit::HANGS,
        app::Error::File(_) | app::Error::Question(_) | app::Error::Feedback(_) => cli::exit::FAILURE,
    }
}
