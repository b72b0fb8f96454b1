//! What is sent for a script is read as the same script, and holds nothing bare that a shell might read in
//! another way.

use portcullis_core::shell::parse;

pub(super) fn hold(source: &str) {
    let Ok(script) = parse(source) else {
        return;
    };
    let rendered = script.render();
    let again =
        parse(&rendered).unwrap_or_else(|refusal| panic!("{rendered:?} of {source:?}: {refusal}"));
    assert!(
        script.means_the_same(&again),
        "{source:?} is sent as {rendered:?}"
    );
    assert_eq!(again.render(), rendered, "of {source:?}");
    assert_eq!(again.is_single(), script.is_single(), "{source:?}");
    assert!(!rendered.starts_with(['-', '+']), "{rendered:?}");
    hold_bytes(source, &rendered);
}

/// Outside quotes there is nothing but plain characters, operators, globs and expansions; in double quotes
/// each special character but an expansion's is escaped.
fn hold_bytes(source: &str, rendered: &str) {
    // The texts of here-documents are read by no shell, and where they begin is the recogniser's to know.
    if rendered.contains("<<'") {
        return;
    }
    const BARE: &[u8] = b"_@%+=:,./- \n;&|<>{}!?*[]~";
    let bytes = rendered.as_bytes();
    // For each open parenthesis, whether double quotes go on behind it.
    let mut around = Vec::new();
    let (mut single, mut double) = (false, false);
    let mut at = 0;
    while let Some(byte) = bytes.get(at).copied() {
        at += 1;
        let next = bytes.get(at).copied();
        match (single, double, byte) {
            (true, _, b'\'') => single = false,
            (true, ..) => {}
            (_, _, b'$') => match next {
                Some(b'(') => {
                    at += 1;
                    around.push(double);
                    double = false;
                }
                Some(b'{') => {
                    let name = rendered[at + 1..].split('}').next().unwrap();
                    assert!(is_name(name), "{rendered:?} of {source:?}");
                    at += name.len() + 2;
                }
                Some(c) => assert!(
                    c.is_ascii_alphabetic() || c == b'_',
                    "a bare $ in {rendered:?} of {source:?}"
                ),
                None => panic!("a bare $ in {rendered:?} of {source:?}"),
            },
            (_, true, b'"') => double = false,
            (_, true, b'\\') => {
                assert!(
                    matches!(next, Some(b'$' | b'`' | b'"' | b'\\')),
                    "{rendered:?} of {source:?}"
                );
                at += 1;
            }
            (_, true, b'`') => panic!("a backtick in {rendered:?} of {source:?}"),
            (_, true, _) => {}
            (.., b'\'') => single = true,
            (.., b'"') => double = true,
            // How a single quote is written between single quotes.
            (.., b'\\') => {
                assert_eq!(next, Some(b'\''), "{rendered:?} of {source:?}");
                at += 1;
            }
            (.., b'(') => around.push(false),
            (.., b')') => {
                double = around.pop().unwrap_or_else(|| {
                    panic!("an open parenthesis is missing in {rendered:?} of {source:?}")
                });
            }
            _ => assert!(
                byte.is_ascii_alphanumeric() || BARE.contains(&byte),
                "a bare {:?} in {rendered:?} of {source:?}",
                char::from(byte)
            ),
        }
    }
    assert!(
        !single && !double && around.is_empty(),
        "{rendered:?} of {source:?}"
    );
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
