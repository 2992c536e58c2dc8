//! Questions that are asked once, of the running service: who may ask what, about which window, and the answer.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::sync::mpsc;

use super::{
    ask::{self, LONGEST_TEXT, json_of, kind_of},
    complain::{complain, not_retained},
    rations::{MOST_A_MINUTE, Rations},
    roster::{Roster, View},
    switches::Switches,
};
use crate::{
    answer::{FailedReason, Ids, ModelLabel, Outcome, Reading, read},
    config::{LONGEST_ASK, LONGEST_LABEL},
    engine::{Engine, Replied},
    frame::Stamp,
    mqtt::{
        Arrival, Code, Complaint, Handle, LONGEST_TOPIC, MOST_LEVELS, Message, Topics, covers, in_a_line,
        wire::{AskMessage, id_of_ask, read_ask},
    },
    name::{CameraName, PromptName},
    prompt::{AnswerKind, MOST_ANSWERS, Prompt},
    supervise::Stop,
    telemetry::Event,
};

/// Questions that wait to be understood.
pub(super) const QUESTIONS: usize = 32;
/// How long an asker waits who does not say so, and at most.
const PATIENCE: Duration = Duration::from_secs(10);
const LONGEST_PATIENCE: Duration = Duration::from_secs(60);

/// A question, understood.
struct Question {
    camera: CameraName,
    prompt: Prompt,
    patience: Duration,
    id: Option<String>,
    respond_to: String,
    correlation: Option<Bytes>,
}

/// A question and what became of it.
struct Done {
    question: Question,
    reading: Reading,
    /// The window's frames, and where the time went, where the model was asked.
    replied: Option<Replied>,
}

/// Everything the task knows that answers questions.
pub(super) struct Asks {
    pub(super) engine: Arc<Engine>,
    /// The cameras, and what they show.
    pub(super) roster: Roster,
    pub(super) switches: Switches,
    pub(super) topics: Topics,
    /// Topic filters that an asker's response topic must match one of.
    pub(super) allowed: Vec<String>,
    pub(super) model: ModelLabel,
    pub(super) min_mass: f64,
    pub(super) ids: Ids,
    pub(super) outbox: Handle,
    pub(super) rations: Rations,
}

impl Asks {
    /// Answers until `stop` is given; who waits then hears nothing more.
    pub(super) async fn run(mut self, mut questions: mpsc::Receiver<Arrival>, stop: Stop) {
        let mut waiting: FuturesUnordered<BoxFuture<'static, Done>> = FuturesUnordered::new();
        loop {
            tokio::select! {
                () = stop.given() => return,
                Some(arrival) = questions.recv() => match self.understand(&arrival) {
                    Ok(question) => waiting.push(self.ask(question)),
                    Err((code, message)) => {
                        let camera = self.topics.ask_of(&arrival.topic).map(str::to_owned);
                        let id = id_of_ask(&arrival.payload);
                        let complaint = Complaint { camera, id, ..Complaint::new(code, message) };
                        complain(&self.outbox, &self.topics, &complaint);
                    }
                },
                Some(done) = waiting.next() => self.respond(done),
            }
        }
    }

    /// Whether, what and how somebody asks.
    fn understand(&mut self, arrival: &Arrival) -> Result<Question, (Code, String)> {
        let topic = &arrival.topic;
        not_retained(arrival, "the question")?;
        let name = self.topics.ask_of(topic).unwrap_or_default();
        let Some(camera) = self.roster.find(name) else {
            return Err((Code::UnknownCamera, format!("no camera `{}` is watched", name.escape_debug())));
        };
        let respond_to = match &arrival.response_topic {
            None => self.topics.ask_answer(&camera),
            Some(wanted) if self.allowed.iter().any(|filter| covers(filter, wanted)) => wanted.clone(),
            Some(wanted) => {
                let shown: String = wanted.chars().take(LONGEST_LABEL).collect();
                let message = format!(
                    "an answer on `{}` is not allowed: take a topic below `{}`, or name it in `response_topics` below \
                     `[mqtt]`; it has up to {MOST_LEVELS} levels and {LONGEST_TOPIC} bytes",
                    shown.escape_debug(),
                    self.topics.responses()
                );
                return Err((Code::BadResponseTopic, message));
            }
        };
        if !self.rations.allow(&camera, Stamp::now()) {
            let message = format!("`{camera}` is asked about more than {MOST_A_MINUTE} times a minute; ask later");
            return Err((Code::TooMany, message));
        }
        let asked = read_ask(&arrival.payload).map_err(|message| (Code::BadPayload, message))?;
        let kind = kind(&asked).map_err(|message| (Code::BadPayload, message))?;
        let prompt =
            Prompt { name: PromptName::asked(), ask: asked.question.trim().to_owned(), also: Vec::new(), kind };
        let patience = asked.timeout.map_or(Some(PATIENCE), |seconds| Duration::try_from_secs_f64(seconds).ok());
        let Some(patience) = patience.filter(|patience| !patience.is_zero()) else {
            return Err((Code::BadPayload, "`timeout` is a number of seconds above 0".to_owned()));
        };
        let correlation = arrival.correlation.clone();
        let patience = patience.min(LONGEST_PATIENCE);
        Ok(Question { camera, prompt, patience, id: asked.id, respond_to, correlation })
    }

    /// Asks, and waits no longer than the asker does.
    fn ask(&self, question: Question) -> BoxFuture<'static, Done> {
        let view = self.roster.view(&question.camera);
        let until = Stamp::now().later_by(question.patience);
        let asked = match view {
            View { window: None, .. } => Err(Outcome::Stale(self.switches.why_away(&question.camera))),
            View { blind: Some(reason), .. } => Err(Outcome::Blind(reason)),
            View { window: Some(window), .. } => {
                let asked = self.engine.ask(window, question.prompt.clone(), until);
                asked.map_err(|_| Outcome::Failed(FailedReason::Busy))
            }
        };
        let thresholds = ask::thresholds(self.min_mass);
        Box::pin(async move {
            let without = |outcome| (Reading { outcome, scores: None }, None);
            let (reading, replied) = match asked {
                Err(outcome) => without(outcome),
                Ok(reply) => match tokio::time::timeout(question.patience, reply).await {
                    Err(_) | Ok(Err(_)) => without(Outcome::Failed(FailedReason::TimedOut)),
                    Ok(Ok(Err(why))) => without(Outcome::Failed(FailedReason::Unaskable(why))),
                    Ok(Ok(Ok(replied))) => match &replied.reply {
                        Ok(reply) => (read(reply, &question.prompt.kind, &thresholds, None), Some(replied)),
                        Err(why) => without(Outcome::Failed(FailedReason::ModelError(why.clone()))),
                    },
                },
            };
            Done { question, reading, replied }
        })
    }

    fn respond(&mut self, Done { question, reading, replied }: Done) {
        let Question { camera, prompt, id, respond_to, correlation, .. } = question;
        let answer = ask::answer(&mut self.ids, camera, prompt, reading, replied.as_ref(), self.model.clone());
        Event::Asked { camera: &answer.camera, outcome: answer.outcome.word() }.emit();
        self.outbox.offer(Message::reply(respond_to, &answer, id.as_deref(), correlation));
    }
}

/// The kind of answer that somebody wants. The error is for whoever asked.
pub(super) fn kind(asked: &AskMessage) -> Result<AnswerKind, String> {
    let question = asked.question.trim();
    if question.is_empty() || question.chars().count() > LONGEST_ASK {
        return Err(format!("a question has 1 to {LONGEST_ASK} characters"));
    }
    if question.chars().any(char::is_control) {
        return Err("a question is one line, without control characters".to_owned());
    }
    let bounded = asked.min.is_some() || asked.max.is_some();
    if let Some(schema) = &asked.schema {
        if asked.choices.is_some() || bounded || asked.answer.as_deref().is_some_and(|answer| answer != "json") {
            return Err("a `schema` stands alone: its answer is JSON".to_owned());
        }
        return json_of(&schema.to_string()).map_err(|error| in_a_line(&format!("`schema`: {error}")));
    }
    match (asked.answer.as_deref(), &asked.choices) {
        (None | Some("choice"), Some(choices)) => {
            let choices: Vec<String> = choices.iter().map(|choice| choice.trim().to_owned()).collect();
            let fits = |choice: &String| {
                (1..=LONGEST_LABEL).contains(&choice.chars().count()) && !choice.chars().any(char::is_control)
            };
            let distinct = choices.iter().enumerate().all(|(place, choice)| !choices[..place].contains(choice));
            if (2..=MOST_ANSWERS).contains(&choices.len()) && choices.iter().all(fits) && distinct {
                return Ok(AnswerKind::Choice(choices));
            }
            Err(format!(
                "`choices` are 2 to {MOST_ANSWERS} different texts of 1 to {LONGEST_LABEL} printable characters"
            ))
        }
        (Some("choice"), None) => Err("`answer` is `choice`, and `choices` is missing".to_owned()),
        (Some("number"), None) | (None, None) if asked.answer.is_some() || bounded => {
            let (min, max) = (asked.min.unwrap_or(0), asked.max.unwrap_or(10));
            if min < max && ((max - min) as usize) < MOST_ANSWERS {
                return Ok(AnswerKind::Number { min, max });
            }
            Err(format!("`min` is below `max`, and from one to the other are at most {MOST_ANSWERS} numbers"))
        }
        (Some("json"), None) => Err("`answer` is `json`, and `schema` is missing".to_owned()),
        (Some("yes_no"), None) => Ok(AnswerKind::YesNo),
        (Some("text"), None) => Ok(AnswerKind::Text { max_tokens: LONGEST_TEXT }),
        (None, None) => Ok(kind_of(question)),
        (Some("yes_no" | "number" | "text" | "json"), Some(_)) => {
            Err("`choices` belong to `answer` = `choice`".to_owned())
        }
        (Some(other), _) => Err(format!(
            "`answer` is `{}`; it may be `yes_no`, `choice`, `number`, `text` or `json`",
            other.chars().take(LONGEST_LABEL).collect::<String>().escape_debug()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_answer_is_what_is_said_or_what_the_words_want() {
        let ask = |text: &str| kind(&read_ask(text.as_bytes())?);
        let choice = |labels: [&str; 2]| Ok(AnswerKind::Choice(labels.map(str::to_owned).to_vec()));
        for (text, expected) in [
            ("Is anybody there?", Ok(AnswerKind::YesNo)),
            ("what happens?", Ok(AnswerKind::Text { max_tokens: LONGEST_TEXT })),
            (r#"{"question": "Is it so?", "answer": "text"}"#, Ok(AnswerKind::Text { max_tokens: LONGEST_TEXT })),
            (r#"{"question": "The gate?", "choices": ["open", " shut"]}"#, choice(["open", "shut"])),
            (r#"{"question": "How many?", "answer": "number"}"#, Ok(AnswerKind::Number { min: 0, max: 10 })),
            (r#"{"question": "How many?", "max": 3}"#, Ok(AnswerKind::Number { min: 0, max: 3 })),
        ] {
            assert_eq!(ask(text), expected, "{text}");
        }
        let asked =
            r#"{"question": "Say.", "schema": {"type": "object", "properties": {"dark": {"type": "boolean"}}}}"#;
        assert!(matches!(ask(asked), Ok(AnswerKind::Json { .. })), "{:?}", ask(asked));
        for (text, wrong) in [
            ("  ", "a question has 1 to"),
            ("x\n\u{1b}[2J", "a question is one line"),
            (r#"{"question": "x", "choices": ["a", "b\u0007"]}"#, "`choices` are 2 to"),
            (r#"{"question": "x", "choices": ["open"]}"#, "`choices` are 2 to"),
            (r#"{"question": "x", "choices": ["a", "a"]}"#, "`choices` are 2 to"),
            (r#"{"question": "x", "answer": "choice"}"#, "`choices` is missing"),
            (r#"{"question": "x", "answer": "number", "min": 4, "max": 4}"#, "`min` is below"),
            (r#"{"question": "x", "answer": "poem"}"#, "`answer` is `poem`"),
            (r#"{"question": "x", "answer": "text", "choices": ["a", "b"]}"#, "`choices` belong"),
            (r#"{"question": "x", "answer": "json"}"#, "`schema` is missing"),
            (r#"{"question": "x", "schema": {"type": "object"}, "min": 1}"#, "a `schema` stands alone"),
            (r#"{"question": "x", "schema": {"typ": "object"}}"#, "`schema`: "),
            (r#"{"question": "x", "colour": 1}"#, "unknown field `colour`"),
            ("{", "not as it should be"),
        ] {
            assert!(ask(text).is_err_and(|error| error.contains(wrong)), "{text}: {:?}", ask(text));
        }
        assert!(read_ask(b"\xff").is_err());
    }
}
