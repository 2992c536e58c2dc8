//! The oracle with something in its way: what it is asked passes a hook first, which may take its time or fail.

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use wader::{
    frame::{Frame, Stamp},
    model::{
        Error, Features, Flamingo, Gates, Generation, Model, Moments, Prefix, Reopen, Row, Template, TokenId,
        VisualTokens, Work, Writing,
    },
};

use super::model::oracle;

/// What a model is about to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// To encode so many frames.
    Encode(usize),
    /// To resample so many windows.
    Resample(usize),
    /// To be opened anew.
    Reopen(Reopen),
}

type Hook = Box<dyn FnMut(Call) -> Result<(), Error> + Send>;

/// The oracle behind a hook.
pub(crate) struct Wrapped {
    inner: Flamingo,
    hook: Hook,
}

impl Wrapped {
    /// The oracle behind this hook.
    pub(crate) fn new(hook: impl FnMut(Call) -> Result<(), Error> + Send + 'static) -> Self {
        Self { inner: oracle(), hook: Box::new(hook) }
    }

    /// The oracle that needs so long for each window.
    pub(crate) fn slow(each: Duration) -> Self {
        Self::new(move |call| {
            if let Call::Resample(windows) = call {
                rest(each * u32::try_from(windows).unwrap());
            }
            Ok(())
        })
    }
}

/// As a device that computes: nothing for the processor to do, and nobody to wake who waits.
pub(crate) fn rest(time: Duration) {
    let end = Stamp::now().later_by(time);
    while Stamp::now() < end {
        std::thread::park_timeout(end.since(Stamp::now()));
    }
}

impl Model for Wrapped {
    type Language = Template;
    type VisualTokens = VisualTokens;
    type Prefix = Prefix;

    fn language(&self) -> &Template {
        self.inner.language()
    }
    fn encode(&mut self, frames: &[Arc<Frame>]) -> Result<Vec<Features>, Error> {
        (self.hook)(Call::Encode(frames.len()))?;
        self.inner.encode(frames)
    }
    fn resample(&mut self, windows: &[Moments]) -> Result<VisualTokens, Error> {
        (self.hook)(Call::Resample(windows.len()))?;
        self.inner.resample(windows)
    }
    fn prefix(&mut self, ids: &[TokenId]) -> Result<Prefix, Error> {
        self.inner.prefix(ids)
    }
    fn score(
        &mut self,
        prefix: &Prefix,
        media: Option<&VisualTokens>,
        rows: &[Row],
        gates: Gates,
    ) -> Result<Vec<Vec<Vec<f32>>>, Error> {
        self.inner.score(prefix, media, rows, gates)
    }
    fn generate(&mut self, prefix: &Prefix, media: &VisualTokens, texts: &[Writing]) -> Result<Vec<Generation>, Error> {
        self.inner.generate(prefix, media, texts)
    }
    /// The processor stands for the device: the oracle is really opened anew, whatever the hook lets pass.
    fn reopen(&mut self, place: Reopen) -> Result<(), Error> {
        (self.hook)(Call::Reopen(place))?;
        self.inner.reopen(Reopen::There)
    }
    fn runs(&self) -> Arc<AtomicU64> {
        self.inner.runs()
    }
    fn work(&self) -> Work {
        self.inner.work()
    }
}
