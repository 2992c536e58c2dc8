//! What is done when a batch fails: less at a time; and for the accelerator's sake the model opened anew, the processor, and
//! last a new process.

use std::time::Duration;

use super::{Replied, Waiting, Worker};
use crate::{
    frame::Stamp,
    model::{self, Fault, Model, Reopen},
    name::PromptName,
    window::Window,
};

/// A model that was opened anew and fails again within this time is not opened a second time where it was.
const OPENED_FOR_NOTHING: Duration = Duration::from_secs(600);

/// Trouble with the accelerator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What it said.
    pub reason: String,
    /// What was done about it.
    pub remedy: Remedy,
}

/// What was done about trouble with the accelerator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// So many windows at most go through the graphs together from now on.
    SmallerBatches(usize),
    /// The model was opened anew where it was.
    OpenedAnew,
    /// The model runs on the processor from now on.
    Processor,
    /// None: only a new process can use the accelerator again.
    NewProcess,
}

/// What a worker has gone through.
#[derive(Debug, Default)]
pub(super) struct Mending {
    /// The gravest fault of the batch in hand, and what it said.
    fault: Option<(Fault, String)>,
    /// When the model was opened anew.
    opened: Option<Stamp>,
    on_processor: bool,
    troubles: Vec<Trouble>,
}

impl Mending {
    /// The batch in hand met this; of two faults in one batch the graver says what is to be done.
    pub(super) fn failed(&mut self, error: &model::Error) {
        let fault = error.fault();
        if self.fault.as_ref().is_none_or(|(before, _)| *before < fault) {
            self.fault = Some((fault, error.to_string()));
        }
    }
}

impl<M: Model> Worker<M> {
    /// Answers all prompts of these windows. A fault of the model is the failure of every prompt that it
    /// concerns, never an answer; one that can be mended here is mended, and the windows are asked about again.
    pub fn answer(&mut self, waiting: &[Waiting]) -> Vec<Replied> {
        loop {
            let replied = self.answer_once(waiting);
            let Some((fault, reason)) = self.mending.fault.take() else { return replied };
            match fault {
                Fault::Other => return replied,
                // which of them it was is found by halves; alone, it fails alone
                Fault::OneOfMany => match halves(waiting) {
                    Some([first, second]) => return [self.answer(&first), self.answer(&second)].concat(),
                    None => return replied,
                },
                Fault::Memory => {
                    if let Some([first, second]) = halves(waiting) {
                        self.note(&reason, Remedy::SmallerBatches(first.len()));
                        return [self.answer(&first), self.answer(&second)].concat();
                    }
                    let remedy = self.reopen();
                    self.note(&reason, remedy);
                    if remedy == Remedy::NewProcess {
                        return replied;
                    }
                }
                Fault::Device => {
                    self.note(&reason, Remedy::NewProcess);
                    return replied;
                }
            }
        }
    }

    /// The troubles since they were last taken.
    pub(super) fn take_troubles(&mut self) -> Vec<Trouble> {
        std::mem::take(&mut self.mending.troubles)
    }

    /// Opens the model anew where it was, or, if that was of no use, on the processor.
    fn reopen(&mut self) -> Remedy {
        if self.mending.on_processor {
            return Remedy::NewProcess;
        }
        let now = Stamp::now();
        let in_vain = self.mending.opened.is_some_and(|opened| now.since(opened) < OPENED_FOR_NOTHING);
        self.mending.opened = Some(now);
        if !in_vain && self.model.reopen(Reopen::There).is_ok() {
            return Remedy::OpenedAnew;
        }
        self.mending.on_processor = true;
        match self.model.reopen(Reopen::OnProcessor) {
            Ok(()) => Remedy::Processor,
            Err(_) => Remedy::NewProcess,
        }
    }

    fn note(&mut self, reason: &str, remedy: Remedy) {
        self.mending.troubles.push(Trouble { reason: reason.to_owned(), remedy });
    }
}

/// Half of the windows each, or half of the prompts about one; `None` where there is but one.
fn halves(waiting: &[Waiting]) -> Option<[Vec<Waiting>; 2]> {
    if let [Waiting { window, since }] = waiting {
        let (first, second) = window.prompts.split_at(window.prompts.len() / 2);
        let part = |prompts: &[PromptName]| {
            vec![Waiting { window: Window { prompts: prompts.to_vec(), ..window.clone() }, since: *since }]
        };
        return (!first.is_empty()).then(|| [part(first), part(second)]);
    }
    let (first, second) = waiting.split_at(waiting.len() / 2);
    (!first.is_empty()).then(|| [first.to_vec(), second.to_vec()])
}

#[cfg(test)]
#[path = "mend/tests.rs"]
mod tests;
