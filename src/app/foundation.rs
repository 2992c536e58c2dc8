//! What all else stands on: the ways to broker and page, and the model with all that it is asked.

use std::{collections::BTreeSet, pin::pin};

use super::{
    Error, STOP_WITHIN,
    assemble::{self, Watched},
    lessons, newcomers,
    prepare::{self, Prepared},
    served,
    shown::Digests,
    windows,
};
use crate::{
    answer::ModelLabel,
    config::{BrokerConfig, Config, PromptConfig},
    engine::Worker,
    model::{Flamingo, Manifest},
    mqtt::{Access, broker::Embedded},
    name::{CameraName, PromptName},
    supervise::Stop,
    systemd::Notify,
    telemetry::Event,
    web::Server,
};

/// Nothing of it is at work yet.
pub(super) struct Foundation {
    /// The configuration without what this model cannot be asked.
    pub(super) config: Config,
    /// The broker inside wader, where it is to be one.
    pub(super) broker: Option<Embedded>,
    pub(super) access: Access,
    pub(super) web: Option<Server>,
    pub(super) label: ModelLabel,
    pub(super) manifest: Manifest,
    /// What the model runs on, for people.
    pub(super) runs_on: String,
    pub(super) watched: Vec<Watched>,
    pub(super) digests: Digests,
    pub(super) learnt: Digests,
    pub(super) worker: Worker<Flamingo>,
}

impl Foundation {
    /// As [`Self::lay`]; nothing where `stop` is given meanwhile.
    pub(super) async fn lay_unless(
        stop: &Stop,
        config: Config,
        own: &BTreeSet<PromptName>,
        notify: Notify,
    ) -> Result<Option<Self>, Error> {
        if stop.is_given() {
            return Ok(None); // nothing is begun only to be left
        }
        let mut laying = pin!(Self::lay(config, own, notify));
        tokio::select! {
            biased;
            () = stop.given() => {
                notify.stopping();
                Event::Stopping { reason: "asked to, before all had begun" }.emit();
                // ONNX Runtime does not bear that the process ends under a model that it opens; one that takes long is left
                // behind all the same
                tokio::time::timeout(STOP_WITHIN * 3 / 4, laying).await.ok();
                Ok(None)
            }
            laid = &mut laying => laid.map(Some),
        }
    }

    /// Opens the ports that are wanted, loads the model, and gives it all prompts; `own` stand in the configuration, the others
    /// are no reason not to start.
    async fn lay(config: Config, own: &BTreeSet<PromptName>, notify: Notify) -> Result<Self, Error> {
        let (broker, access) = match &config.mqtt.broker {
            BrokerConfig::Embedded { listen } => {
                let embedded = Embedded::start(*listen).await?;
                let access = embedded.access()?;
                (Some(embedded), access)
            }
            BrokerConfig::Remote { host, port, tls, login } => {
                (None, assemble::access(host, *port, tls.as_ref(), login.as_ref())?)
            }
        };
        match Self::above(config, own, notify, access).await {
            Ok(laid) => Ok(Self { broker, ..laid }),
            Err(error) => {
                // whoever tries the configuration before this one wants its port
                if let Some(embedded) = broker {
                    embedded.stop().await.ok();
                }
                Err(error)
            }
        }
    }

    /// All but the broker inside wader.
    async fn above(
        mut config: Config,
        own: &BTreeSet<PromptName>,
        notify: Notify,
        access: Access,
    ) -> Result<Self, Error> {
        let web = match config.web.listen {
            Some(listen) => Some(Server::listen(listen).await.map_err(|error| Error::Web { listen, error })?),
            None => None,
        };
        notify.status("loading the model");
        let (model, label) = served::model(&config).await?;
        let runs_on = match &model.provider().reason {
            Some(reason) => format!("{} ({reason})", model.provider()),
            None => model.provider().to_string(),
        };
        let manifest = model.manifest().clone();
        newcomers::drop_too_long(&mut config, own, &manifest);
        let mut watched = assemble::watched(&config, &manifest)?;
        windows::tell_untrained(watched.iter().flat_map(Watched::prompts), &manifest);
        let is_own = |(_, prompt): &(CameraName, PromptConfig)| own.contains(&prompt.prompt.name);
        let (asked, added): (Vec<_>, Vec<_>) = watched.iter().flat_map(Watched::asked).partition(is_own);
        let said = lessons::said_or_told(&config);
        let preparing = tokio::task::spawn_blocking(move || prepare::worker(model, &asked, &added, &said));
        let Prepared { worker, digests, learnt, lessons, refused } =
            preparing.await.map_err(|_| Error::EngineBroke)??;
        let refused = newcomers::tell_refused(refused);
        watched.iter_mut().for_each(|camera| camera.forget(&refused));
        config.prompts.retain(|prompt| !refused.contains(&prompt.prompt.name));
        for lesson in &lessons {
            match lesson {
                Ok(lesson) => lessons::tell(lesson),
                Err(problem) => Event::FeedbackProblem { problem }.emit(),
            }
        }
        Ok(Self { config, broker: None, access, web, label, manifest, runs_on, watched, digests, learnt, worker })
    }
}
