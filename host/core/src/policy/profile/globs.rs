//! Globs as texts: whether one fits a name, and whether two have a name in common.
//!
//! Must not: know of paths. Work is at most the product of the lengths, which the caller bounds.

/// Whether a pattern of `*` and `?` is that of a name. Each step either passes a byte of the name or
/// begins again one byte later behind the last `*`, so the work is at most the product of the lengths.
pub(super) fn fits(own: &[u8], name: &[u8]) -> bool {
    let (mut i, mut j) = (0, 0);
    let mut again: Option<(usize, usize)> = None;
    while j < name.len() {
        match own.get(i) {
            Some(b'*') => {
                i += 1;
                again = Some((i, j));
            }
            Some(c) if *c == b'?' || Some(c) == name.get(j) => {
                i += 1;
                j += 1;
            }
            _ => {
                let Some((behind, from)) = again else {
                    return false;
                };
                again = Some((behind, from + 1));
                (i, j) = (behind, from + 1);
            }
        }
    }
    own.get(i..)
        .unwrap_or_default()
        .iter()
        .all(|byte| *byte == b'*')
}

/// A step of a glob: one character, any one, or any number of any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Char(char),
    One,
    Run,
}

impl Step {
    pub(super) fn of(c: char) -> Self {
        match c {
            '*' => Self::Run,
            '?' => Self::One,
            other => Self::Char(other),
        }
    }

    fn may_be(self, other: Self) -> bool {
        match (self, other) {
            (Self::Char(a), Self::Char(b)) => a == b,
            _ => true,
        }
    }
}

/// A shell's glob as steps.
pub(super) fn steps(part: &str) -> Vec<Step> {
    let mut steps = Vec::with_capacity(part.len());
    let mut chars = part.chars();
    while let Some(c) = chars.next() {
        let rest = chars.as_str();
        match rest.find(']').filter(|_| c == '[') {
            Some(close) => {
                steps.push(Step::One);
                chars = rest.get(close + 1..).unwrap_or_default().chars();
            }
            None => steps.push(Step::of(c)),
        }
    }
    steps
}

/// Whether two patterns have a text in common: a table of which ends of the one meet which of the other.
pub(super) fn meet(own: &[Step], part: &[Step]) -> bool {
    // `row[j]`: the rest of `own` from the row's step on meets `part[j..]`.
    let width = part.len() + 1;
    let mut below = vec![false; width];
    for i in (0..=own.len()).rev() {
        let mut row = vec![false; width];
        for j in (0..width).rev() {
            let a = own.get(i).copied();
            let b = part.get(j).copied();
            let at = |list: &[bool], index: usize| list.get(index).copied().unwrap_or(false);
            let found = match (a, b) {
                (None, None) => true,
                (Some(Step::Run), _) if at(&below, j) => true,
                (_, Some(Step::Run)) if at(&row, j + 1) => true,
                (Some(Step::Run), Some(_)) => at(&row, j + 1),
                (Some(_), Some(Step::Run)) => at(&below, j),
                (Some(a), Some(b)) => a.may_be(b) && at(&below, j + 1),
                (None, Some(_)) | (Some(_), None) => false,
            };
            if let Some(slot) = row.get_mut(j) {
                *slot = found;
            }
        }
        below = row;
    }
    below.first().copied().unwrap_or(false)
}
