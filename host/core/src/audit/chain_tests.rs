//! Attacks on the chain, each with the record that has to be named.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use super::*;
use crate::audit::Durability;
use crate::clock::Micros;
use serde_json::{Map, Value, json};

fn key(byte: u8) -> Key {
    Key::from_bytes(&[byte; KEY_BYTES]).unwrap()
}

fn draft(n: u64) -> Draft {
    let mut body = Map::new();
    body.insert(
        "command".to_owned(),
        json!(format!("echo \"{n}\" \u{1F600}\n")),
    );
    Draft {
        kind: "run_open",
        at: Micros(1_700_000_000_000_000 + n),
        body,
        durability: Durability::Synced,
    }
}

/// The journal of `count` records and the place after the last.
fn journal(key: &Key, count: u64) -> (Vec<u8>, Place) {
    let (mut out, mut place) = (Vec::new(), Place::START);
    for n in 1..=count {
        place = seal(key, &place, &draft(n), &mut out).unwrap();
    }
    (out, place)
}

fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes
        .split_inclusive(|b| *b == b'\n')
        .map(<[u8]>::to_vec)
        .collect()
}

fn first_bad(bytes: &[u8], head: Place) -> FirstBad {
    verify(bytes, &key(1), head, None).unwrap_err()
}

#[test]
fn a_chain_verifies_and_each_line_is_one_json_object() {
    let (bytes, head) = journal(&key(1), 5);
    let verified = verify(&bytes, &key(1), head, None).unwrap();
    assert_eq!(verified.newest, head);
    assert_eq!((head.seq, head.bytes), (5, bytes.len() as u64));
    for (index, line) in lines(&bytes).iter().enumerate() {
        let value: Value = serde_json::from_slice(line).unwrap();
        assert_eq!(value["seq"], json!(index as u64 + 1));
        assert_eq!(value["kind"], json!("run_open"));
        assert_eq!(value["mac"].as_str().unwrap().len(), 64);
    }
}

#[test]
fn every_changed_byte_is_found_in_its_own_record() {
    let (bytes, head) = journal(&key(1), 3);
    let mut record = 1;
    for at in 0..bytes.len() {
        for flip in [0x01_u8, 0x20, 0x80] {
            let mut changed = bytes.clone();
            changed[at] ^= flip;
            let bad = first_bad(&changed, head);
            assert_eq!(
                (bad.seq, bad.line),
                (record, record),
                "byte {at} ^ {flip:#x}: {bad}"
            );
        }
        if bytes[at] == b'\n' {
            record += 1;
        }
    }
}

#[test]
fn a_removed_record_is_found_where_it_stood() {
    let (bytes, head) = journal(&key(1), 4);
    for gone in 0..4 {
        let mut left = lines(&bytes);
        left.remove(gone);
        let bad = first_bad(&left.concat(), head);
        assert_eq!(bad.seq, gone as u64 + 1, "{bad}");
    }
}

#[test]
fn two_exchanged_records_are_found_at_the_first() {
    let (bytes, head) = journal(&key(1), 4);
    for first in 0..3 {
        let mut left = lines(&bytes);
        left.swap(first, first + 1);
        let bad = first_bad(&left.concat(), head);
        let expected = first as u64 + 1;
        assert_eq!(bad.seq, expected);
        assert_eq!(
            bad.reason,
            Reason::Sequence {
                expected,
                got: expected + 1
            }
        );
    }
}

#[test]
fn a_repeated_record_is_found() {
    let (bytes, head) = journal(&key(1), 3);
    let mut all = lines(&bytes);
    all.insert(1, all[0].clone());
    assert_eq!(first_bad(&all.concat(), head).seq, 2);
}

#[test]
fn a_cut_tail_is_found_by_the_head() {
    let (bytes, head) = journal(&key(1), 4);
    let left = lines(&bytes)[..3].concat();
    let bad = first_bad(&left, head);
    assert_eq!((bad.seq, bad.reason), (4, Reason::CutTail { head: 4 }));
    assert_eq!(first_bad(b"", head).seq, 1);
    let torn = &bytes[..bytes.len() - 1];
    assert_eq!(first_bad(torn, head).seq, 4);
}

#[test]
fn a_cut_tail_with_an_old_head_is_found_by_a_line_from_elsewhere() {
    let key = key(1);
    let (old, old_head) = journal(&key, 3);
    let (_, newest) = journal(&key, 4);
    let known = |place: Place| {
        Some(Known {
            seq: place.seq,
            mac: place.mac,
        })
    };
    assert!(verify(&old, &key, old_head, None).is_ok());
    assert_eq!(
        verify(&old, &key, old_head, known(newest))
            .unwrap_err()
            .reason,
        Reason::NotTheExpected
    );
    assert!(verify(&old, &key, old_head, known(old_head)).is_ok());
    let other = Known {
        seq: 2,
        mac: newest.mac,
    };
    assert_eq!(
        verify(&old, &key, old_head, Some(other)).unwrap_err().seq,
        2
    );
}

#[test]
fn a_record_written_without_the_key_is_found() {
    let (mut bytes, head) = journal(&key(1), 2);
    seal(&key(2), &head, &draft(3), &mut bytes).unwrap();
    let bad = first_bad(&bytes, head);
    assert_eq!((bad.seq, bad.reason), (3, Reason::Altered));
}

#[test]
fn a_whole_chain_of_another_key_is_found_at_its_first_record() {
    let (bytes, head) = journal(&key(2), 3);
    assert_eq!(first_bad(&bytes, head).seq, 1);
}

#[test]
fn a_chain_regrown_after_the_head_was_kept_is_found() {
    let key = key(1);
    let (_, head) = journal(&key, 3);
    let (mut bytes, place) = journal(&key, 2);
    let mut other = draft(9);
    other.kind = "refused";
    seal(&key, &place, &other, &mut bytes).unwrap();
    let bad = verify(&bytes, &key, head, None).unwrap_err();
    assert_eq!((bad.seq, bad.reason), (3, Reason::NotTheHeads));
}

#[test]
fn records_after_the_head_are_counted() {
    let key = key(1);
    let (bytes, _) = journal(&key, 5);
    let (_, head) = journal(&key, 2);
    assert_eq!(verify(&bytes, &key, head, None).unwrap().after_head, 3);
}

#[test]
fn a_body_cannot_bring_the_fields_of_the_chain() {
    for name in RESERVED {
        let mut draft = draft(1);
        draft.body.insert(name.to_owned(), json!(1));
        let mut out = Vec::new();
        let fault = seal(&key(1), &Place::START, &draft, &mut out).unwrap_err();
        assert_eq!(fault, SealFault::Reserved(name.to_owned()));
        assert!(out.is_empty());
    }
}

#[test]
fn the_longest_record_is_taken_and_one_byte_more_is_not() {
    let sized = |n: usize| {
        let mut draft = draft(1);
        draft.body = Map::from_iter([("x".to_owned(), json!("y".repeat(n)))]);
        let mut out = Vec::new();
        seal(&key(1), &Place::START, &draft, &mut out).map(|_| out)
    };
    let room = RECORD_BYTES_MAX - (sized(0).unwrap().len() - 1);
    let longest = sized(room).unwrap();
    assert_eq!(longest.len() - 1, RECORD_BYTES_MAX);
    let key = key(1);
    let mut verifier = Verifier::after(&key, Place::START);
    assert!(verifier.take(&longest[..RECORD_BYTES_MAX]).is_ok());
    assert_eq!(
        sized(room + 1).unwrap_err(),
        SealFault::TooLong(RECORD_BYTES_MAX + 1)
    );
}

#[test]
fn no_second_spelling_of_a_record_verifies() {
    let (bytes, _) = journal(&key(1), 1);
    let text = String::from_utf8(bytes).unwrap();
    let line = text.trim_end();
    let (body, mac) = line.split_once(",\"mac\":\"").unwrap();
    for other in [
        format!(" {line}"),
        format!("{line} "),
        format!("{line}\r"),
        line.replacen("\"seq\":1", "\"seq\":01", 1),
        line.replacen("\"seq\":1", "\"seq\": 1", 1),
        format!("{body},\"mac\":\"{}", mac.to_uppercase()),
        format!("{body},\"x\":1,\"mac\":\"{mac}"),
    ] {
        assert!(
            Verifier::after(&key(1), Place::START)
                .take(other.as_bytes())
                .is_err(),
            "{other}"
        );
    }
}

#[test]
fn a_head_that_was_changed_or_written_without_the_key_is_not_read() {
    let (_, place) = journal(&key(1), 3);
    let line = seal_head(&key(1), &place);
    assert_eq!(open_head(&key(1), line.as_bytes()), Some(place));
    assert_eq!(open_head(&key(2), line.as_bytes()), None);
    for at in 0..line.len() {
        let mut changed = line.clone().into_bytes();
        changed[at] ^= 1;
        assert_eq!(open_head(&key(1), &changed), None, "byte {at}");
    }
    // A record's MAC does not open a head and the other way round: the domains differ.
    let mut record = Vec::new();
    seal(&key(1), &Place::START, &draft(1), &mut record).unwrap();
    assert_eq!(open_head(&key(1), record.trim_ascii_end()), None);
}
