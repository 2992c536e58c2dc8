//! One more prompt, as somebody wrote it over MQTT: JSON that becomes the text of a file.

use serde_json::{Map, Value};

use crate::name::PromptName;

/// The text of a file that holds this prompt alone. The error is for whoever wrote it.
///
/// Refuses what would read files of this machine: whoever writes prompts from afar has no business there.
pub(in crate::config) fn prompt_text(name: &PromptName, json: &[u8]) -> Result<String, String> {
    let prompt: Map<String, Value> = serde_json::from_slice(json).map_err(|error| {
        format!(r#"is no JSON object such as {{"ask": "Is it dark?", "answer": "yes_no"}}: {error}"#)
    })?;
    if prompt.contains_key("examples") {
        return Err(
            "cannot have `examples`, which are files of this machine; say of its answers whether they are right"
                .to_owned(),
        );
    }
    if prompt.get("schema").and_then(Value::as_str).is_some_and(|text| !text.trim_start().starts_with('{')) {
        return Err("cannot have its `schema` in a file of this machine; write it here".to_owned());
    }
    let whole = Map::from_iter([("prompts".to_owned(), Map::from_iter([(name.to_string(), prompt.into())]).into())]);
    toml::to_string(&Value::from(whole)).map_err(|error| format!("is nothing that a prompt could be: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_of_others_is_one_table_and_reads_no_file() {
        let name = PromptName::new("dark").unwrap();
        let text = |json: &str| prompt_text(&name, json.as_bytes());
        let toml = text(r#"{"ask": "Is it \"dark\"?\n[mqtt]", "window": {"frames": 4}, "on": {"door": {"hold": 2}}}"#);
        let read: toml::Table = toml.unwrap().parse().unwrap();
        assert_eq!(read.keys().collect::<Vec<_>>(), ["prompts"], "nothing else can be written");
        assert_eq!(read["prompts"]["dark"]["on"]["door"]["hold"].as_integer(), Some(2));
        for (json, says) in [
            ("dark", "is no JSON object"),
            ("[]", "is no JSON object"),
            (r#"{"examples": []}"#, "cannot have `examples`"),
            (r#"{"schema": "/etc/passwd"}"#, "in a file of this machine"),
            (r#"{"ask": null}"#, "is nothing that a prompt could be"),
        ] {
            assert!(text(json).is_err_and(|error| error.contains(says)), "{json}: {:?}", text(json));
        }
        assert!(
            text(r#"{"schema": "{\"type\": \"object\"}"}"#).is_ok()
                && text(r#"{"schema": {"type": "object"}}"#).is_ok()
        );
    }
}
