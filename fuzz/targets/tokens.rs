//! What a user wrote, as tokens: none of it becomes a token that only the template may place, for a vocabulary of words, one
//! that spells every byte, and the shipped model's.

#![no_main]

use std::{collections::BTreeSet, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use wader::model::{Manifest, Template};
use wader_fuzz::repository;

/// A template, and the numbers of its special tokens.
struct Vocabulary {
    template: Template,
    special: BTreeSet<u32>,
}

static VOCABULARIES: LazyLock<Vec<Vocabulary>> = LazyLock::new(|| {
    let folders = ["tests/models/oracle", "tests/models/speller", "models/wader-small"];
    let read = |folder| {
        let folder = repository(folder);
        let manifest = Manifest::read(&folder).expect("a manifest");
        let template = Template::load(&folder, &manifest).expect("a tokenizer");
        let json = std::fs::read(folder.join("tokenizer.json")).expect("a file");
        let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
        let added = json["added_tokens"].as_array().expect("a list");
        let special = added.iter().filter(|token| token["special"] == true).filter_map(|token| token["id"].as_u64());
        let mut special: BTreeSet<u32> = special.map(|id| u32::try_from(id).expect("a token")).collect();
        // what stands for a word that the vocabulary lacks is no sign of anything
        if let Some(unknown) = manifest.tokens.unknown {
            special.remove(&unknown);
        }
        assert!(special.contains(&manifest.tokens.image), "the picture is a special token");
        Vocabulary { template, special }
    };
    folders.into_iter().map(read).collect()
});

fuzz_target!(|text: &str| {
    for Vocabulary { template, special } in VOCABULARIES.iter() {
        let marks = |text: &str| {
            let prompt = template.question(text);
            let ids = prompt.prefix.into_iter().chain(prompt.suffix);
            ids.filter(|id| special.contains(id)).collect::<Vec<_>>()
        };
        assert_eq!(marks(text), marks(""), "a user's text places a special token: {text:?}");
        for spelling in template.label(text) {
            assert!(spelling.iter().all(|id| !special.contains(id)), "a label is a special token: {text:?}");
            _ = template.decode(&spelling);
        }
        _ = template.unknown_words(text);
    }
});
