//! Claims about the reader of profiles.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use super::*;

fn read(text: &str) -> Result<(std::sync::Arc<Profiles>, Vec<String>), Vec<ConfigFault>> {
    let raw: RawFile = from_yaml("policy.yml", text).map_err(|fault| vec![fault])?;
    with_profiles("policy.yml", raw.profiles, raw.secret_paths)
}

#[test]
fn the_shipped_data_have_no_fault() {
    let faults = shipped_profiles().err().unwrap_or_default();
    let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "{}", lines.join("\n"));
}

#[test]
fn what_is_misspelled_is_a_fault() {
    for text in [
        "profiles: {x: {unkown: harmless}}",
        "profiles: {x: {operands: contents}}",
        "profiles: {x: {options: {wriet: -o=}}}",
        "profiles: {x: {options: {write: o=}}}",
        "profiles: {x: {options: {write: -ab=}}}",
        "profiles: {x: {options: {write: --=}}}",
        "profiles: {x: {patterns: ['*=*']}}",
        "profiles: {x: {default: read}}",
        "profiles: {x: {when: [{has: -x, then: {}}]}}",
        "profiles: {x y: {}, y: {}}",
        "profiles: {x: {verbs: {read: a, write: a}}}",
        "profiles: {' ': {}}",
        "secret_paths: ['/']",
        "secret_paths: ['/a/**/b']",
    ] {
        assert!(read(text).is_err(), "{text}");
    }
}

#[test]
fn an_entry_of_the_operator_replaces_the_shipped_one_and_is_named() {
    let (profiles, replaced) = read("profiles: {sort own: {need: write}}").unwrap();
    assert_eq!(replaced, ["sort"]);
    assert!(profiles.knows("own") && profiles.knows("uniq"));
    assert!(!shipped_profiles().unwrap().knows("own"));
}

#[test]
fn the_entry_of_each_program_is_found_as_it_is_written() {
    let profiles = shipped_profiles().unwrap();
    let mut programs: Vec<&str> = profiles.programs().collect();
    programs.sort_unstable();
    for program in &programs {
        let found = shipped_entry(program);
        assert!(
            found.is_some_and(|(file, entry)| file.ends_with(".yml") && entry.contains(program)),
            "{program}"
        );
    }
    assert!(programs.len() >= 120, "{}", programs.len());
    assert!(shipped_entry("no-such-program").is_none());
    let (file, entry) = shipped_entry("tar").unwrap();
    assert!(file == "files.yml" && entry.contains("--to-command") && !entry.contains("zcat"));
    assert!(
        shipped_data()
            .iter()
            .any(|(name, text)| *name == "standard.yml" && text.contains("root-destruction"))
    );
}
