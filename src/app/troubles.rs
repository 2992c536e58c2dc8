//! Tells of trouble with the accelerator, and of what the engine did about it.

use tokio::sync::watch;

use super::{complain::complain, status::Status};
use crate::{
    engine::{Remedy, Trouble},
    mqtt::{Code, Complaint, Handle, Topics},
    supervise::Stop,
};

/// Where trouble is told of.
pub(super) struct Troubles {
    pub(super) outbox: Handle,
    pub(super) topics: Topics,
    pub(super) status: Status,
}

impl Troubles {
    /// Tells until `stop` is given.
    pub(super) async fn run(self, mut troubles: watch::Receiver<Vec<Trouble>>, stop: Stop) {
        loop {
            tokio::select! {
                // what made the engine end is told before the end
                biased;
                changed = troubles.changed() => if changed.is_err() {
                    break; // the engine has ended, and others see to that
                },
                () = stop.given() => return,
            }
            let all = troubles.borrow_and_update().clone();
            all.iter().for_each(|trouble| self.tell(trouble));
        }
        stop.given().await;
    }

    fn tell(&self, trouble: &Trouble) {
        let done = done(trouble.remedy);
        if trouble.remedy == Remedy::Processor {
            self.status.degraded(&done);
        }
        complain(
            &self.outbox,
            &self.topics,
            &Complaint::new(Code::ModelTrouble, format!("{done} ({})", trouble.reason)),
        );
    }
}

/// What was done, and what that costs.
fn done(remedy: Remedy) -> String {
    match remedy {
        Remedy::SmallerBatches(1) => {
            "the model ran out of memory; windows are asked about one by one from now on".into()
        }
        Remedy::SmallerBatches(most) => {
            format!("the model ran out of memory; at most {most} windows are asked about together from now on")
        }
        Remedy::OpenedAnew => "the model ran out of memory; it was opened anew".into(),
        Remedy::Processor => {
            "the model ran out of memory again and again; it runs on the processor from now on, slower, \
                              until wader is started anew"
                .into()
        }
        Remedy::NewProcess => "the model cannot be run by this process any more; wader ends, to be started anew".into(),
    }
}
