//! What an operator may choose and add, and what is refused.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;

fn build(options: &RedactionOptions) -> Redactor {
    Redactor::build(options).unwrap().0
}

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn classes_kinds_and_rules_are_switched_and_the_closer_name_wins() {
    let text = "password=q9sUujZcL9 pan 4111111111111111 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";
    let kinds = |enable: &[&str], disable: &[&str]| {
        let redactor = build(&RedactionOptions {
            enable: names(enable),
            disable: names(disable),
            rules: Vec::new(),
        });
        redactor
            .mask(text)
            .1
            .into_keys()
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(kinds(&[], &[]), "github-token password");
    assert_eq!(kinds(&["pii"], &[]), "card github-token password");
    assert_eq!(kinds(&["pii"], &["card"]), "github-token password");
    assert_eq!(kinds(&["card"], &["pii", "secret"]), "card");
    assert_eq!(kinds(&["github-token"], &["secret"]), "github-token");
    assert_eq!(kinds(&[], &["password"]), "github-token");
    assert_eq!(kinds(&[], &["setting"]), "github-token");
    assert_eq!(kinds(&["password"], &["setting"]), "github-token");
    let fault = |enable: &[&str], disable: &[&str]| {
        let options = RedactionOptions {
            enable: names(enable),
            disable: names(disable),
            rules: Vec::new(),
        };
        Redactor::build(&options).unwrap_err().remove(0).path
    };
    assert_eq!(fault(&["pii", "nonsense"], &[]), "enable[1]");
    assert_eq!(fault(&["pii"], &["pii"]), "disable[0]");
    let without = build(&RedactionOptions {
        disable: names(&["secret"]),
        ..RedactionOptions::default()
    });
    assert_eq!(
        without.knowing(["hunter22zz"]).mask("x hunter22zz").0,
        "x [REDACTED:known-secret]"
    );
}

fn own(name: &str, pattern: Pattern) -> RuleSpec {
    RuleSpec {
        name: name.to_owned(),
        kind: name.to_owned(),
        class: Class::Secret,
        pattern,
    }
}

fn regex(pattern: &str) -> Pattern {
    Pattern::Regex {
        pattern: pattern.to_owned(),
    }
}

#[test]
fn rules_of_the_operators_own_find_what_they_say() {
    let text = |text: &str| text.to_owned();
    let rules = vec![
        own(
            "acme-token",
            Pattern::Token {
                prefix: text("acme~"),
                body: Body::Alnum,
                least: 8,
                border: true,
                checksum: None,
            },
        ),
        own(
            "acme-setting",
            Pattern::Setting {
                words: names(&["door_code"]),
            },
        ),
        own(
            "acme-header",
            Pattern::Header {
                names: names(&["X-Acme-Proof:"]),
            },
        ),
        own(
            "acme-flag",
            Pattern::Flag {
                programs: names(&["acmectl"]),
                flag: text("-z"),
            },
        ),
        own(
            "acme-word",
            Pattern::Word {
                text: text("acme unlock"),
            },
        ),
        own(
            "acme-block",
            Pattern::Block {
                begin: text("<<ACME"),
                end: text("ACME>>"),
            },
        ),
        own("acme-regex", regex("(?i)ticket-(?P<secret>[0-9]{4,8})\\b")),
    ];
    let options = RedactionOptions {
        rules,
        ..RedactionOptions::default()
    };
    let (redactor, warnings) = Redactor::build(&options).unwrap();
    assert_eq!(warnings, []);
    for (text, masked) in [
        ("see acme~a1b2c3d4e5.", "see [REDACTED:acme-token]."),
        ("see xacme~a1b2c3d4e5.", "see xacme~a1b2c3d4e5."),
        ("doorCode: 12345678", "doorCode: [REDACTED:acme-setting]"),
        (
            "\"DOOR_CODE\":\"12345678\"",
            "\"DOOR_CODE\":\"[REDACTED:acme-setting]\"",
        ),
        (
            "X-Acme-Proof: two words",
            "X-Acme-Proof: [REDACTED:acme-header]",
        ),
        (
            "/opt/acmectl open -z 4711abc",
            "/opt/acmectl open -z [REDACTED:acme-flag]",
        ),
        ("other open -z 4711abc", "other open -z 4711abc"),
        (
            "then acme unlock 4711abc now",
            "then acme unlock [REDACTED:acme-word] now",
        ),
        ("a <<ACME\nx\nACME>> b", "a [REDACTED:acme-block] b"),
        (
            "TICKET-123456 and ticket-12",
            "TICKET-[REDACTED:acme-regex] and ticket-12",
        ),
    ] {
        assert_eq!(redactor.mask(text).0, masked);
    }
    assert!(
        redactor
            .find("acme~a1b2c3d4e5")
            .iter()
            .all(|span| span.rule == "acme-token")
    );
    assert!(
        redactor
            .rules()
            .iter()
            .any(|(rule, on)| rule.name == "acme-regex" && *on)
    );
}

#[test]
fn rules_that_cannot_hold_are_refused_and_slow_ones_named() {
    let build = |rule: RuleSpec| {
        Redactor::build(&RedactionOptions {
            rules: vec![rule],
            ..RedactionOptions::default()
        })
    };
    let warned = build(own("digits", regex("[0-9]{12}"))).unwrap();
    assert_eq!(warned.1.len(), 1);
    assert_eq!(warned.0.mask("a 123456789012").0, "a [REDACTED:digits]");
    for pattern in [
        "a*",
        "(x|)",
        "(",
        "\\p{Greek}abc",
        "(?:[a-z]{1,400}){1,400}abc",
        &"a".repeat(2_000),
    ] {
        let faults = build(own("bad", regex(pattern))).unwrap_err();
        assert_eq!(faults[0].path, "rules[0].pattern", "{pattern}");
    }
    let paths = |rule: RuleSpec| build(rule).unwrap_err().remove(0).path;
    assert_eq!(paths(own("Bad Name", regex("abc"))), "rules[0].name");
    assert_eq!(paths(own("web-token", regex("abc"))), "rules[0].name");
    assert_eq!(
        paths(own("w", Pattern::Setting { words: Vec::new() })),
        "rules[0].words"
    );
    assert_eq!(
        paths(own(
            "w",
            Pattern::Word {
                text: "x".to_owned()
            }
        )),
        "rules[0].text"
    );
}

#[test]
fn a_tag_tells_equal_values_from_others() {
    let redactor = Redactor::default().tagged(b"key");
    let masked = redactor
        .mask("password=q9sUujZcL9 password=q9sUujZcL9 password=other9sUu")
        .0;
    let tags: Vec<&str> = masked.split("password=").skip(1).map(str::trim).collect();
    assert_eq!(tags[0], tags[1]);
    assert_ne!(tags[0], tags[2]);
    assert_eq!(tags[0].len(), "[REDACTED:password#a1b2c3]".len());
    let other = Redactor::default()
        .tagged(b"other")
        .mask("password=q9sUujZcL9")
        .0;
    assert!(!other.contains(tags[0]));
    assert_eq!(redactor.mask(&masked).0, masked);
}

#[test]
fn a_checksum_tells_a_real_token_from_a_specimen() {
    assert!(Checksum::Crc32Base62.agrees(b"zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"));
    assert!(!Checksum::Crc32Base62.agrees(b"zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq18"));
}
