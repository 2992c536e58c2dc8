//! Questions in the model's tokens: what is known of each before any picture, and how they are asked about windows.

use crate::{
    model::{self, Gates, Language, Model, Row, Writing},
    prompt::{Pictures, Plan, Reply, Worded, Wording, blind_log_odds, closed_reply, combined_reply, written_reply},
    window::Spec,
};

/// A question in the model's tokens, and its answer with the gates shut.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) plan: Plan,
    /// The answer with the gates shut; where a window's frames are written into the text, for each form of window.
    blind: Vec<(Option<Spec>, Vec<f64>)>,
}

impl Question {
    /// A question of which no answer is known yet.
    pub(super) const fn new(plan: Plan) -> Self {
        Self { plan, blind: Vec::new() }
    }

    /// The form of window that its answer with the gates shut hangs on. Shut gates hide the pictures, not the text: it
    /// tells how many frames there are, and when they were taken.
    fn form(&self, window: Spec) -> Option<Spec> {
        self.plan.close.is_some().then_some(window)
    }

    /// The answer with the gates shut about windows of this form, if it is known.
    fn known(&self, window: Spec) -> Option<&[f64]> {
        let form = self.form(window);
        self.blind.iter().find(|(known, _)| *known == form).map(|(_, blind)| blind.as_slice())
    }

    /// The same, where it was made known.
    pub(super) fn blind(&self, window: Spec) -> &[f64] {
        self.known(window).unwrap_or_default()
    }

    /// Whether its answer with the gates shut about windows of this form is still to be found out.
    pub(super) fn lacks_blind(&self, window: Spec) -> bool {
        self.known(window).is_none()
    }

    /// Takes the answer over from the same question about another camera.
    pub(super) fn learn_blind(&mut self, window: Spec, other: &Self) {
        if let Some(known) = other.known(window).filter(|_| self.plan.asks_like(&other.plan)) {
            self.blind.push((self.form(window), known.to_vec()));
        }
    }

    /// Finds the answer with the gates shut out, about windows of this form whose frames all came at their time.
    pub(super) fn find_blind<M: Model>(
        &mut self,
        model: &mut M,
        prefix: &M::Prefix,
        window: Spec,
    ) -> Result<(), model::Error> {
        let mut blind = Vec::new();
        if !self.plan.candidates.is_empty() {
            let text = match &self.plan.close {
                Some(close) => [model.language().frames(&even_times(window)).as_slice(), close].concat(),
                None => Vec::new(),
            };
            let rows = self.plan.rows(&Pictures { media: Vec::new(), text });
            blind = blind_log_odds(&self.plan, &model.score(prefix, None, &rows, Gates::Shut)?);
        }
        self.blind.push((self.form(window), blind));
        Ok(())
    }
}

/// When the frames of a window of this form are due, in seconds from the newest.
fn even_times(window: Spec) -> Vec<f32> {
    let step = window.step().as_secs_f32();
    (0..window.frames).rev().map(|steps| -(step * steps as f32)).map(|time| time + 0.0).collect()
}

/// A question about a window, and where its reply belongs.
pub(super) struct Ask<'a> {
    pub(super) place: usize,
    /// Of the windows of the batch.
    pub(super) window: usize,
    pub(super) spec: Spec,
    pub(super) question: &'a Question,
}

/// Asks all these questions, which go on from the same text, about the windows of one call. Where several are asked about a
/// window whose frames are written into the text, that text is run once for all of them.
pub(super) fn ask_all<M: Model>(
    model: &mut M,
    prefix: &M::Prefix,
    media: &M::VisualTokens,
    asks: &[(&Ask<'_>, &Pictures)],
    answered: &mut [Option<Reply>],
) -> Result<(), model::Error> {
    let mut alone: Vec<(&Ask<'_>, Pictures)> = Vec::new();
    for of_window in asks.chunk_by(|(one, _), (other, _)| one.window == other.window) {
        let Some((first, pictures)) = of_window.first() else { continue };
        let whole =
            |close: &Vec<_>| Pictures { text: [&pictures.text, close.as_slice()].concat(), ..(*pictures).clone() };
        let Some(whole) = first.question.plan.close.as_ref().map(whole) else {
            alone.extend(of_window.iter().map(|(ask, pictures)| (*ask, (*pictures).clone())));
            continue;
        };
        let rows: usize = of_window.iter().map(|(ask, _)| ask.question.plan.rows(&Pictures::default()).len()).sum();
        let goes_on = of_window.iter().all(|(ask, _)| !ask.question.plan.suffix.is_empty());
        if rows < 2 || !goes_on || whole.text.is_empty() {
            alone.extend(of_window.iter().map(|(ask, _)| (*ask, whole.clone())));
            continue;
        }
        let row = Row { media: whole.media, ids: whole.text, read: Vec::new() };
        let own = model.extend(prefix, media, &row)?;
        let rest: Vec<_> = of_window.iter().map(|(ask, _)| (*ask, Pictures::default())).collect();
        ask_rows(model, &own, media, &rest, answered)?;
    }
    ask_rows(model, prefix, media, &alone, answered)
}

/// One batch of closed and one of open questions.
fn ask_rows<M: Model>(
    model: &mut M,
    prefix: &M::Prefix,
    media: &M::VisualTokens,
    asks: &[(&Ask<'_>, Pictures)],
    answered: &mut [Option<Reply>],
) -> Result<(), model::Error> {
    let is_open = |(ask, _): &&(&Ask<'_>, Pictures)| ask.question.plan.candidates.is_empty();
    let (open, closed): (Vec<_>, Vec<_>) = asks.iter().partition(is_open);
    score_all(model, prefix, media, &closed, answered)?;
    write_all(model, prefix, media, &open, answered)
}

fn score_all<M: Model>(
    model: &mut M,
    prefix: &M::Prefix,
    media: &M::VisualTokens,
    asks: &[&(&Ask<'_>, Pictures)],
    answered: &mut [Option<Reply>],
) -> Result<(), model::Error> {
    if asks.is_empty() {
        return Ok(());
    }
    let rows: Vec<Vec<Row>> = asks.iter().map(|(ask, pictures)| ask.question.plan.rows(pictures)).collect();
    let flat: Vec<Row> = rows.iter().flatten().cloned().collect();
    let scores = model.score(prefix, Some(media), &flat, Gates::Open)?;
    let mut rest = scores.as_slice();
    for ((ask, _), rows) in asks.iter().zip(&rows) {
        let (own, later) = rest.split_at(rows.len());
        rest = later;
        answered[ask.place] = Some(closed_reply(&ask.question.plan, own, ask.question.blind(ask.spec)));
    }
    Ok(())
}

fn write_all<M: Model>(
    model: &mut M,
    prefix: &M::Prefix,
    media: &M::VisualTokens,
    asks: &[&(&Ask<'_>, Pictures)],
    answered: &mut [Option<Reply>],
) -> Result<(), model::Error> {
    let texts: Vec<Writing> = asks.iter().filter_map(|(ask, pictures)| ask.question.plan.writing(pictures)).collect();
    if texts.is_empty() {
        return Ok(());
    }
    for ((ask, _), text) in asks.iter().zip(model.generate(prefix, media, &texts)?) {
        let said = model.language().text(&text.ids);
        answered[ask.place] = Some(written_reply(&ask.question.plan, said, &text));
    }
    Ok(())
}

/// One reply of those to all wordings of a question.
pub(super) fn combine(questions: &[Question], wordings: &[Wording], replies: &[Reply], window: Spec) -> Option<Reply> {
    let each = questions.iter().zip(wordings).zip(replies);
    let worded = each.map(|((question, wording), reply)| Worded { wording, reply, blind: question.blind(window) });
    combined_reply(&worded.collect::<Vec<_>>())
}
