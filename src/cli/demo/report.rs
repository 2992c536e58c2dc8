//! What the demo shows: a line an answer, and a summary.

use std::{collections::BTreeMap, io, time::Duration};

use serde_json::json;

use super::truth::Saw;
use crate::{
    answer::wire::AnswerMessage,
    cli::{self, line::plain},
};

/// The closed question that must change its answer when the picture does.
const FLIPPING: &str = "anybody";

/// One answer beside what a person saw.
pub(super) struct Row {
    time: String,
    prompt: String,
    ask: String,
    said: Option<String>,
    outcome: String,
    probability: Option<f64>,
    latency: Option<Duration>,
    is_text: bool,
    saw: Saw,
}

impl Row {
    pub(super) fn new(answer: &AnswerMessage, latency: Option<Duration>, saw: Saw) -> Self {
        Self {
            time: answer.answered.clone(),
            prompt: answer.prompt.clone(),
            ask: answer.ask.clone(),
            said: answer.answer.as_ref().map(|said| plain(&said.to_string())),
            outcome: answer.reason.clone().map_or(answer.outcome.clone(), |why| format!("{}: {why}", answer.outcome)),
            probability: answer.sure(),
            latency,
            is_text: answer.kind == "text",
            saw,
        }
    }

    /// Whether the answer is what the person saw; `None` where that cannot be said.
    fn is_right(&self) -> Option<bool> {
        match (&self.said, &self.saw) {
            (Some(said), Saw::Answer(saw)) => Some(said == saw),
            _ => None,
        }
    }

    fn print(&self) -> io::Result<()> {
        let clock = self.time.get(11..19).unwrap_or(&self.time);
        let said = self.said.as_deref().unwrap_or(&self.outcome);
        let sure = self.probability.map_or(String::new(), |p| format!("{p:.2}"));
        let latency = self.latency.map_or(String::new(), |l| format!("{} ms", l.as_millis()));
        let (mark, saw) = match (&self.saw, self.is_right()) {
            (Saw::Answer(saw), Some(true)) => ("✓", saw.as_str()),
            (Saw::Answer(saw), Some(false)) => ("✗", saw.as_str()),
            (Saw::Answer(saw), None) => (" ", saw.as_str()),
            (Saw::Facts(facts), _) => (" ", facts.as_str()),
            (Saw::Unclear, _) => (" ", "(unclear)"),
        };
        if self.is_text {
            cli::put(format_args!("{clock}  {:<33} {sure:>5} {latency:>8}", self.ask))?;
            cli::put(format_args!("          wader:  {said}"))?;
            cli::put(format_args!("          person: {saw}"))
        } else {
            cli::put(format_args!("{clock}  {:<33} {sure:>5} {latency:>8}  {said:<20} {mark} {saw}", self.ask))
        }
    }

    fn print_json(&self) -> io::Result<()> {
        let saw = match &self.saw {
            Saw::Answer(saw) | Saw::Facts(saw) => Some(saw),
            Saw::Unclear => None,
        };
        let latency_ms = self.latency.map(|l| l.as_secs_f64() * 1e3);
        cli::put(format_args!(
            "{}",
            json!({
                "time": self.time, "prompt": self.prompt, "ask": self.ask, "answer": self.said,
                "outcome": self.outcome, "probability": self.probability, "latency_ms": latency_ms,
                "person_saw": saw, "right": self.is_right(),
            })
        ))
    }
}

/// The score of one question.
#[derive(Default)]
struct Score {
    ask: String,
    answers: usize,
    compared: usize,
    right: usize,
    right_by_answer: BTreeMap<String, usize>,
}

/// All that was seen so far.
pub(super) struct Report {
    json: bool,
    answers: usize,
    latencies: Vec<Duration>,
    scores: BTreeMap<String, Score>,
}

impl Report {
    pub(super) const fn new(json: bool) -> Self {
        Self { json, answers: 0, latencies: Vec::new(), scores: BTreeMap::new() }
    }

    /// The head of the table.
    pub(super) fn begin(&self) -> io::Result<()> {
        if !self.json {
            cli::put(format_args!(
                "\n{:<8}  {:<33} {:>5} {:>8}  {:<20}   what a person saw",
                "time", "question", "sure", "latency", "answer"
            ))?;
        }
        Ok(())
    }

    pub(super) fn add(&mut self, row: Row) -> io::Result<()> {
        if self.json {
            row.print_json()?;
        } else {
            row.print()?;
        }
        self.answers += 1;
        self.latencies.extend(row.latency);
        let score = self.scores.entry(row.prompt.clone()).or_default();
        score.answers += 1;
        score.compared += usize::from(row.is_right().is_some());
        if row.is_right() == Some(true) {
            score.right += 1;
            *score.right_by_answer.entry(row.said.clone().unwrap_or_default()).or_default() += 1;
        }
        score.ask = row.ask;
        Ok(())
    }

    /// How many answers came.
    pub(super) const fn answers(&self) -> usize {
        self.answers
    }

    /// Whether the flipping question was answered rightly both ways.
    pub(super) fn flipped(&self) -> bool {
        self.scores.get(FLIPPING).is_some_and(|score| score.right_by_answer.len() > 1)
    }

    pub(super) fn summarise(&mut self) -> io::Result<()> {
        self.latencies.sort();
        let percentile = |p: usize| self.latencies.get(self.latencies.len().saturating_sub(1) * p / 100);
        let ms = |p| percentile(p).map(|l| l.as_millis() as u64);
        if self.json {
            let questions = self.scores.iter().map(|(prompt, s)| {
                json!({ "prompt": prompt, "ask": s.ask, "answers": s.answers, "compared": s.compared, "right": s.right })
            });
            let summary = json!({
                "answers": self.answers, "flipped": self.flipped(), "questions": questions.collect::<Vec<_>>(),
                "latency_ms": { "p50": ms(50), "p95": ms(95) },
            });
            return cli::put(format_args!("{}", json!({ "summary": summary })));
        }
        cli::put(format_args!("\n{:<33} {:>7} {:>8} {:>6}", "question", "answers", "compared", "right"))?;
        for score in self.scores.values() {
            let share = match score.compared {
                0 => "-".to_owned(),
                n => format!("{} %", 100 * score.right / n),
            };
            cli::put(format_args!("{:<33} {:>7} {:>8} {share:>6}", score.ask, score.answers, score.compared))?;
        }
        let shown = |p| ms(p).map_or("-".to_owned(), |ms| format!("{ms} ms"));
        cli::put(format_args!(
            "{} answers; from a picture's arrival to the client {} at the median, {} at the 95th percentile",
            self.answers,
            shown(50),
            shown(95)
        ))
    }
}
