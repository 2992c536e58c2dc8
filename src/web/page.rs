//! The page: cameras, what is asked about each, and what stands.

use askama::Template;

/// All that the page shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Template)]
#[template(path = "page.html", config = "src/web/askama.toml")]
pub struct Page {
    /// The beginning of each topic.
    pub prefix: String,
    /// wader's version.
    pub version: String,
    /// The model, and its version.
    pub model: String,
    /// What the model makes of several frames (`timed`, `single`, …); empty until the first answer.
    pub frame_mode: String,
    /// What is wrong with all of it: the broker is away, messages wait, the configuration is refused.
    pub troubles: Vec<String>,
    /// By name.
    pub cameras: Vec<Camera>,
}

/// A camera.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Camera {
    /// Its name.
    pub name: String,
    /// `online`, `offline` or `disabled`.
    pub status: String,
    /// By name.
    pub prompts: Vec<Prompt>,
}

/// A standing prompt about a camera.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prompt {
    /// Its name.
    pub name: String,
    /// The question; empty until the first answer.
    pub ask: String,
    /// `answer`, `unsure`, `blind`, `stale` or `failed`; `late` where the last answer does not hold any more, `off` where it is
    /// switched off, `waiting` before the first answer.
    pub outcome: String,
    /// The answer, or why there is none.
    pub says: String,
    /// How sure the model is, as in `87 %`.
    pub probability: String,
    /// When it was answered, as in `3 s ago`.
    pub answered: String,
}

impl Page {
    /// As HTML.
    pub(super) fn html(&self) -> Result<String, askama::Error> {
        self.render()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(says: &str) -> String {
        let prompt = Prompt { name: "scene".into(), outcome: "answer".into(), says: says.into(), ..Prompt::default() };
        let camera = Camera { name: "door".into(), status: "online".into(), prompts: vec![prompt] };
        Page { prefix: "wader".into(), cameras: vec![camera], ..Page::default() }.html().unwrap()
    }

    #[test]
    fn what_a_model_writes_is_text_and_nothing_else() {
        let html = page("<script>alert(1)</script><img src=x onerror='a'>\" & more");
        assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
        assert!(html.contains("&#60;script&#62;"), "{html}");
    }

    #[test]
    fn a_service_without_cameras_says_so() {
        let html = Page::default().html().unwrap();
        assert!(html.contains("No camera is watched"), "{html}");
    }
}
