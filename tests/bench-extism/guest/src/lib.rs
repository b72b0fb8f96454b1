//! The rule of `path-guard` as a plugin of Extism: the very same code, with a question and a verdict in JSON.

use extism_pdk::{FnResult, plugin_fn};
use path_guard::PathGuard;
use portcullis_plugin_sdk::{Context, Leaf, Validator, Verdict};

#[derive(serde::Deserialize)]
struct Question {
    alias: String,
    tags: Vec<String>,
    principal: String,
    command: String,
    leaves: Vec<Part>,
    dry_run: bool,
    settings: String,
    facts: Vec<(String, String)>,
}

#[derive(serde::Deserialize)]
struct Part {
    argv: Vec<String>,
    canonical: String,
    capabilities: Vec<String>,
    open_words: Vec<u32>,
}

#[plugin_fn]
pub fn validate(input: String) -> FnResult<String> {
    let question: Question = serde_json::from_str(&input)?;
    let leaf = |part: Part| Leaf {
        argv: part.argv,
        canonical: part.canonical,
        capabilities: part.capabilities,
        open_words: part.open_words,
    };
    let context = Context {
        alias: question.alias,
        tags: question.tags,
        principal: question.principal,
        command: question.command,
        leaves: question.leaves.into_iter().map(leaf).collect(),
        dry_run: question.dry_run,
        settings: question.settings,
        facts: question.facts,
    };
    let verdict = PathGuard::validate(&context).map_err(extism_pdk::Error::msg)?;
    let answer = match verdict {
        Verdict::NoObjection => serde_json::json!({"verdict": "no-objection"}),
        Verdict::Objection(it) => {
            serde_json::json!({"verdict": "objection", "code": it.code, "reason": it.reason})
        }
        Verdict::RequireApproval(reason) => {
            serde_json::json!({"verdict": "require-approval", "reason": reason})
        }
    };
    Ok(answer.to_string())
}
