//! Loops over words that are known: the commands in them as they run, once for each word. Must not:
//! put in a value that anything else in the script may have changed.

use super::characters::is_declaring;
use super::grammar::{Grammar, Read};
use super::names::{self, Reach};
use super::tree::{Assignment, Hole, Leaf, Loop, Redirection, Splitting, Word};
use super::{JUDGED_WORDS_MAX, Unanalysable, reason};
use crate::limits::SHELL_LEAVES_MAX;

/// Most bytes of text, and of what marks parts of it, that may be added to a source of this length by values
/// and by commands in words.
pub(super) fn text_bytes_max(source_bytes: usize) -> usize {
    const FACTOR: usize = 4;
    const SLACK: usize = 4_096;
    source_bytes.saturating_mul(FACTOR).saturating_add(SLACK)
}

/// The commands as they are judged, where they differ from those that were written.
pub(super) fn judged(grammar: &Grammar<'_>) -> Read<Option<Vec<Leaf>>> {
    let (leaves, loops) = (&grammar.leaves, &grammar.loops);
    if loops.is_empty() {
        return Ok(None);
    }
    let stable = stable(leaves, loops);
    for (stable, completed) in stable.iter().zip(&grammar.completed) {
        // The variable was read as one word because of its values, and these do not hold.
        if let (false, Some(offset)) = (stable, completed) {
            return Err(Unanalysable::new(*offset, reason::LOOP_VARIABLE_CHANGES));
        }
    }
    let mut used: Vec<Vec<usize>> = Vec::with_capacity(leaves.len());
    for (index, leaf) in leaves.iter().enumerate() {
        let stands_for = |over: &usize| {
            let stable = stable.get(*over).copied().unwrap_or_default();
            let own = loops.get(*over).filter(|_| stable);
            own.is_some_and(|own| own.body.contains(&index) && uses(leaf, &own.name))
        };
        used.push((0..loops.len()).filter(stands_for).collect());
    }
    if used.iter().all(Vec::is_empty) {
        return Ok(None);
    }
    let mut all = Vec::with_capacity(leaves.len());
    let mut budget = Budget {
        words: JUDGED_WORDS_MAX,
        text: text_bytes_max(grammar.cursor.source().len()),
    };
    for (leaf, used) in leaves.iter().zip(&used) {
        let over: Vec<&Loop> = used.iter().filter_map(|over| loops.get(*over)).collect();
        multiply(leaf, &over, &mut budget, &mut all)?;
    }
    Ok(Some(all))
}

/// What is left for the commands as they are judged.
struct Budget {
    words: usize,
    text: usize,
}

impl Budget {
    /// Pays for a leaf; fails where there is too little.
    fn pay(&mut self, leaf: &Leaf) -> Option<()> {
        let values = leaf.assignments.iter().map(|assignment| &assignment.value);
        let words = leaf.words.iter().chain(values).map(|word| {
            let marks =
                size_of_val(word.holes.as_ref()).saturating_add(size_of_val(word.glob_offsets()));
            word.text.len().saturating_add(marks)
        });
        let redirections = || leaf.redirections.iter().chain(&leaf.inherited);
        let text: usize = words
            .chain(redirections().map(Redirection::text_bytes))
            .sum();
        let count = leaf.words.len().checked_add(leaf.assignments.len())?;
        let count = count.checked_add(redirections().count())?;
        self.words = self.words.checked_sub(count)?;
        self.text = self.text.checked_sub(text)?;
        Some(())
    }
}

/// For each loop, whether its variable stands for its words: these are known or globs, and nothing else in
/// the script may give the variable a value.
fn stable(leaves: &[Leaf], loops: &[Loop]) -> Vec<bool> {
    let mut names: Vec<&str> = loops.iter().map(|own| own.name.as_str()).collect();
    names.sort_unstable();
    let twice: Vec<&str> = names
        .iter()
        .zip(names.iter().skip(1))
        .filter(|(one, next)| one == next)
        .map(|(one, _)| *one)
        .collect();
    let mut changed = Vec::new();
    let mut relied = Vec::new();
    for (index, leaf) in leaves.iter().enumerate() {
        let assigned = leaf.assignments.iter().map(|it| it.name.as_str());
        changed.extend(assigned.filter(|name| names.binary_search(name).is_ok()));
        match names::reach(leaf) {
            Reach::None => {}
            // In the body, up to a first change, the variable is one of the words.
            Reach::Unless(name) => {
                let own = |own: &&Loop| own.name == name && own.body.contains(&index);
                match loops.iter().find(own) {
                    Some(own) if own.values.iter().all(is_no_option) => relied.push(name),
                    Some(_) | None => return vec![false; loops.len()],
                }
            }
            Reach::Any => return vec![false; loops.len()],
            Reach::Named => {
                let named = leaf.words.iter().flat_map(|word| names::named(&word.text));
                changed.extend(named.filter(|name| names.binary_search(name).is_ok()));
            }
        }
    }
    changed.sort_unstable();
    let is_stable = |own: &Loop| {
        let name = own.name.as_str();
        changed.binary_search(&name).is_err()
            && twice.binary_search(&name).is_err()
            && own
                .values
                .iter()
                .all(|value| !value.dynamic && !value.tilde)
    };
    let stable: Vec<bool> = loops.iter().map(is_stable).collect();
    let mut pairs = loops.iter().zip(&stable);
    if pairs.any(|(own, stable)| !stable && relied.contains(&own.name.as_str())) {
        return vec![false; loops.len()];
    }
    stable
}

/// Whether no program takes a loop's value for an option.
fn is_no_option(value: &Word) -> bool {
    value
        .known()
        .is_some_and(|text| !text.is_empty() && !text.starts_with('-'))
}

/// Whether a leaf has the variable as a part of a word.
fn uses(leaf: &Leaf, name: &str) -> bool {
    let values = leaf.assignments.iter().map(|assignment| &assignment.value);
    let mut words = leaf.words.iter().chain(values);
    words.any(|word| word.holes.iter().any(|hole| stands_for(word, hole, name)))
}

/// Whether an expansion is that of a variable, as one word.
fn stands_for(word: &Word, hole: &Hole, name: &str) -> bool {
    hole.splitting == Splitting::Whole && word.variable(hole) == Some(name)
}

/// A leaf once for each choice of values, the last loop's varying first.
fn multiply(leaf: &Leaf, over: &[&Loop], budget: &mut Budget, all: &mut Vec<Leaf>) -> Read<()> {
    let refused = |reason| Unanalysable::new(leaf.span.start, reason);
    let mut chosen = vec![0_usize; over.len()];
    // `SHELL_LEAVES_MAX` bounds the loop.
    loop {
        if all.len() >= SHELL_LEAVES_MAX {
            return Err(refused(reason::TOO_MANY_VALUES));
        }
        let values: Vec<(&str, &Word)> = over
            .iter()
            .zip(&chosen)
            .filter_map(|(own, chosen)| Some((own.name.as_str(), own.values.get(*chosen)?)))
            .collect();
        let leaf = with_values(leaf, &values, budget.text).ok_or(refused(reason::TOO_MUCH_TEXT))?;
        budget.pay(&leaf).ok_or(refused(reason::TOO_MUCH_TEXT))?;
        all.push(leaf);
        // The next choice: the last place that has one goes on, and those behind it start again.
        let places = chosen.iter_mut().zip(over).rev();
        let mut carried = true;
        for (place, own) in places {
            *place = place.saturating_add(1);
            if *place < own.values.len() {
                carried = false;
                break;
            }
            *place = 0;
        }
        if carried {
            return Ok(());
        }
    }
}

/// A leaf with values in the places of their variables; `None` where a word grows beyond a bound.
fn with_values(leaf: &Leaf, values: &[(&str, &Word)], bytes_max: usize) -> Option<Leaf> {
    // What is assigned is never a glob, neither here nor where a builtin declares it.
    let known: Vec<(&str, &Word)> = values
        .iter()
        .filter(|(_, value)| !value.glob)
        .copied()
        .collect();
    let declares = leaf.words.iter().any(|word| is_declaring(&word.text));
    let in_words = if declares { known.as_slice() } else { values };
    let put = |word: &Word| with_value(word, in_words, bytes_max);
    let assigned = |assignment: &Assignment| {
        Some(Assignment {
            name: assignment.name.clone(),
            value: with_value(&assignment.value, &known, bytes_max)?,
        })
    };
    Some(Leaf {
        words: leaf.words.iter().map(put).collect::<Option<_>>()?,
        span: leaf.span.clone(),
        redirections: leaf.redirections.clone(),
        inherited: leaf.inherited.clone(),
        assignments: leaf
            .assignments
            .iter()
            .map(assigned)
            .collect::<Option<_>>()?,
        role: leaf.role,
    })
}

/// A word under construction from a written one.
struct Filled<'w> {
    word: &'w Word,
    text: String,
    active: Vec<u32>,
    holes: Vec<Hole>,
    /// How much of the written text was taken.
    taken: usize,
    /// How many of the written glob characters were taken.
    taken_active: usize,
}

fn with_value(word: &Word, values: &[(&str, &Word)], bytes_max: usize) -> Option<Word> {
    if word.holes.is_empty() || values.is_empty() {
        return Some(word.clone());
    }
    let mut filled = Filled {
        word,
        text: String::with_capacity(word.text.len()),
        active: Vec::with_capacity(word.active.len()),
        holes: Vec::new(),
        taken: 0,
        taken_active: 0,
    };
    for hole in &word.holes {
        filled.take_until(hole.range().start)?;
        let named = word
            .variable(hole)
            .filter(|_| hole.splitting == Splitting::Whole);
        match named.and_then(|name| values.iter().find(|(own, _)| *own == name)) {
            Some((_, value)) => filled.put(value, hole)?,
            None => filled.keep(hole)?,
        }
        if filled.text.len() > bytes_max {
            return None;
        }
    }
    filled.take_until(word.text.len())?;
    Some(Word {
        text: filled.text,
        span: word.span.clone(),
        quoted: word.quoted,
        glob: !filled.active.is_empty(),
        dynamic: !filled.holes.is_empty(),
        tilde: word.tilde,
        active: filled.active.into_boxed_slice(),
        holes: filled.holes.into_boxed_slice(),
    })
}

impl Filled<'_> {
    /// Takes the written text up to a place. No expansion stands in it.
    fn take_until(&mut self, end: usize) -> Option<()> {
        let shift = self.text.len();
        let active = self.word.active.iter().skip(self.taken_active);
        for offset in active {
            let offset = usize::try_from(*offset).ok()?;
            if offset >= end {
                break;
            }
            let offset = offset.checked_sub(self.taken)?.checked_add(shift)?;
            self.active.push(u32::try_from(offset).ok()?);
            self.taken_active = self.taken_active.checked_add(1)?;
        }
        self.text.push_str(self.word.text.get(self.taken..end)?);
        self.taken = end;
        Some(())
    }

    /// Puts a value in the place of an expansion.
    fn put(&mut self, value: &Word, hole: &Hole) -> Option<()> {
        let shift = u32::try_from(self.text.len()).ok()?;
        for offset in &value.active {
            self.active.push(offset.checked_add(shift)?);
        }
        self.text.push_str(&value.text);
        self.taken = hole.range().end;
        Some(())
    }

    /// Keeps an expansion.
    fn keep(&mut self, hole: &Hole) -> Option<()> {
        let start = u32::try_from(self.text.len()).ok()?;
        self.text.push_str(self.word.text.get(hole.range())?);
        self.holes.push(Hole {
            start,
            end: u32::try_from(self.text.len()).ok()?,
            ..*hole
        });
        self.taken = hole.range().end;
        Some(())
    }
}
