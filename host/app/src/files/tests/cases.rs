//! The acceptance rows about files: secrets, key paths and sizes.

use super::*;
use serde_json::json;

fn rows(kind: &str) -> Vec<Value> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/cases/orchestrator.json"
    );
    let file: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let all = file["cases"].as_array().unwrap();
    let rows: Vec<Value> = all
        .iter()
        .filter(|row| row["kind"] == kind)
        .cloned()
        .collect();
    assert!(!rows.is_empty(), "no rows of {kind}");
    rows
}

/// Answers every row of a kind; a row of level `note` may differ.
fn check(kind: &str, answer: impl Fn(&Value) -> Value) {
    let mut wrong = Vec::new();
    for row in rows(kind) {
        let got = answer(&row);
        if got != row["expect"] && row["level"] != "note" {
            wrong.push(format!("{}: got {got}: {row}", row["id"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A row's text, which may be a repetition.
fn text_of(row: &Value, key: &str) -> String {
    let Some(repeat) = row.get("repeat") else {
        return row[key].as_str().unwrap().to_owned();
    };
    let count = usize::try_from(repeat["count"].as_u64().unwrap()).unwrap();
    let end = |key: &str| {
        let end = repeat[key].as_str().or(row[key].as_str());
        end.unwrap_or_default().to_owned()
    };
    let middle = repeat["text"].as_str().unwrap().repeat(count);
    format!("{}{middle}{}", end("prefix"), end("suffix"))
}

/// Makes the files, folders and links that a row names beneath a directory.
fn planted(dir: &Path, tree: &Value) {
    for (name, what) in tree.as_object().into_iter().flatten() {
        let path = dir.join(name);
        if what["dir"] == true {
            fs::create_dir_all(&path).unwrap();
            continue;
        }
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match (what.as_str(), what["symlink"].as_str()) {
            (Some(text), _) => private(&path, text),
            (None, Some(to)) => symlink(to, &path).unwrap(),
            (None, None) => panic!("{what}"),
        }
    }
}

#[test]
fn every_secret_is_found_where_it_should_be() {
    check("secret_resolution", |row| {
        let stage = Stage::new();
        planted(&stage.path("secrets"), &row["files"]);
        if let Some(text) = row["dotenv"].as_str() {
            private(&stage.path("secrets/.env"), text);
        }
        let variables: Vec<(&str, &str)> = row["env"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
            .collect();
        match stage.secret(&text_of(row, "name"), &variables) {
            Ok(secret) => json!(String::from_utf8(secret.expose().to_vec()).unwrap()),
            // Where the seed system goes on with an empty secret, here is a fault.
            Err(_) => json!(""),
        }
    });
}

#[test]
fn every_key_path_is_taken_or_refused_as_it_should() {
    check("key_path", |row| {
        let stage = Stage::new();
        let keys = row["keys_dir"].as_str().unwrap();
        let (dir, outside) = (stage.path("keys"), stage.path("elsewhere"));
        fs::remove_dir_all(&dir).unwrap();
        fs::create_dir_all(&dir).unwrap();
        fs::create_dir_all(&outside).unwrap();
        planted(&dir, &row["tree"]);
        let asked = text_of(row, "path");
        // The row's directory is this stage's.
        let path = match asked.strip_prefix(keys) {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                format!("{}{rest}", dir.display())
            }
            _ => asked.clone(),
        };
        match stage.dirs().key(&path) {
            Ok(_) => resolved(keys, &asked),
            // A key that does not exist is taken and becomes a fault when it is used; here both is one step.
            Err(fault) if fault.is_missing() => resolved(keys, &asked),
            Err(_) => json!("reject"),
        }
    });
}

/// Where a path that was taken leads.
fn resolved(keys: &str, asked: &str) -> Value {
    let full = Path::new(keys).join(asked);
    json!(full.components().collect::<PathBuf>())
}

#[test]
fn every_size_is_taken_or_refused_as_it_should() {
    check("file_size", |row| {
        let stage = Stage::new();
        let name = row["file"].as_str().unwrap();
        let size = row["size"].as_u64().unwrap();
        let sized = |path: PathBuf| {
            private(&path, "");
            let file = fs::OpenOptions::new().write(true).open(path).unwrap();
            file.set_len(size).unwrap();
        };
        let read = if name == ".env" {
            sized(stage.path("secrets/.env"));
            stage.secret("password", &[]).map(drop)
        } else {
            sized(stage.path("config").join(name));
            let known = ["servers.yml", "credentials.yml", "policy.yml"];
            let name = known.into_iter().find(|known| *known == name).unwrap();
            stage.dirs().config_file(name).map(drop)
        };
        match read {
            Ok(()) => json!("accept"),
            Err(fault) => {
                assert_eq!(event(&fault).0, "file_size_limit_exceeded");
                json!("reject")
            }
        }
    });
}

#[test]
fn the_variable_that_an_entry_names_comes_before_every_other_source() {
    let stage = Stage::new();
    private(&stage.path("secrets/db"), "of the file");
    let variables = [("OWN", "of its own"), ("MCP_SSH_SECRET_DB", "of the name")];
    let value = |variable, variables: &[(&str, &str)]| {
        let found = stage.named_secret(("db", variable), variables);
        found.map(|secret| secret.expose().to_vec())
    };
    assert_eq!(value(Some("OWN"), &variables).unwrap(), b"of its own");
    assert_eq!(value(None, &variables).unwrap(), b"of the name");
    // One that is not set asks the others, one that is set and empty is a fault.
    assert_eq!(value(Some("ELSE"), &variables).unwrap(), b"of the name");
    assert_eq!(value(Some("ELSE"), &[]).unwrap(), b"of the file");
    assert!(value(Some("OWN"), &[("OWN", " ")]).is_err());
}
