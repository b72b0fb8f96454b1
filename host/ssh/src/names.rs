//! Names to addresses, within limits: a name is asked for ten times a second at most and by one run at a time, an
//! answer is kept for a minute, and nobody waits longer than five seconds.
//!
//! That a name has no address is kept too, for five seconds only: a server that fails for a moment must not close a
//! host for a minute.
//!
//! Must not: judge addresses. What an answer may be used for is decided by the lists, each time.

use crate::dns::{Answered, Asker, DnsSettings};
use portcullis_core::limits::{
    DNS_LOOKUPS_PER_SECOND_MAX, DNS_NEGATIVE_CACHE_SECONDS, RESOLVE_SECONDS_MAX,
};
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

/// Most names that are remembered. Those that say nothing any more are forgotten first.
const NAMES_MAX: usize = 16_384;
/// Most look-ups under way at once.
const LOOKUPS_MAX: usize = 64;
/// The time in which look-ups are counted.
const WINDOW: Duration = Duration::from_secs(1);

/// The addresses of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// In the order in which they were answered; none refuses.
    pub addresses: Vec<IpAddr>,
    /// Why there are none, where that is not the name's own state.
    pub trouble: Option<DnsTrouble>,
}

/// Why a name was not resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DnsTrouble {
    /// It was asked for too often; nobody was asked this time.
    RateLimited,
    /// Nobody answered in time.
    TimedOut,
}

impl From<Answered> for Resolved {
    fn from(answered: Answered) -> Self {
        match answered {
            Answered::Addresses(addresses) => Self {
                addresses,
                trouble: None,
            },
            Answered::TimedOut => Self {
                addresses: Vec::new(),
                trouble: Some(DnsTrouble::TimedOut),
            },
        }
    }
}

/// An answer that is there, or will be.
type Waiting = watch::Receiver<Option<Resolved>>;

/// What is known of one name.
#[derive(Default)]
struct Name {
    /// When it was asked for, as far as that still counts.
    asked: VecDeque<Instant>,
    /// The answer, and until when it holds.
    answer: Option<(Instant, Resolved)>,
    /// The look-up under way.
    flight: Option<Waiting>,
}

impl Name {
    fn says_nothing(&self, now: Instant) -> bool {
        let over = self.answer.as_ref().is_none_or(|(until, _)| *until <= now);
        let counted = self.asked.back().is_some_and(|last| *last + WINDOW > now);
        over && !counted && self.flight.is_none()
    }

    /// Whether one more look-up may be made. Counts it where it may.
    fn admit(&mut self, now: Instant) -> bool {
        while self.asked.front().is_some_and(|at| *at + WINDOW <= now) {
            self.asked.pop_front();
        }
        if self.asked.len() >= DNS_LOOKUPS_PER_SECOND_MAX {
            return false;
        }
        self.asked.push_back(now);
        true
    }
}

/// All names, under one reading of the settings.
#[derive(Default)]
struct Book {
    by_name: HashMap<String, Name>,
    /// Counts the readings, so that an answer of an older one is not kept.
    reading: u64,
}

/// What to do about a name.
enum Step {
    Known(Resolved),
    Wait(Waiting),
    Ask(watch::Sender<Option<Resolved>>, Waiting, u64),
    Limited,
}

impl Book {
    fn look(&mut self, name: &str, now: Instant) -> Step {
        let reading = self.reading;
        let Some(known) = self.entry(name, now) else {
            return Step::Limited;
        };
        if let Some((until, answer)) = &known.answer
            && *until > now
        {
            return Step::Known(answer.clone());
        }
        // A sender that is gone without an answer was a look-up that came to nothing.
        if let Some(waiting) = known.flight.as_ref().filter(|w| w.has_changed().is_ok()) {
            return Step::Wait(waiting.clone());
        }
        if !known.admit(now) {
            return Step::Limited;
        }
        let (sender, waiting) = watch::channel(None);
        known.flight = Some(waiting.clone());
        Step::Ask(sender, waiting, reading)
    }

    /// The entry of a name; `None` where there is no room for another.
    fn entry(&mut self, name: &str, now: Instant) -> Option<&mut Name> {
        if self.by_name.len() >= NAMES_MAX && !self.by_name.contains_key(name) {
            self.by_name.retain(|_, known| !known.says_nothing(now));
            if self.by_name.len() >= NAMES_MAX {
                return None;
            }
        }
        Some(self.by_name.entry(name.to_owned()).or_default())
    }

    fn keep(&mut self, name: &str, resolved: &Resolved, reading: u64, cache: Duration) {
        if reading != self.reading {
            return;
        }
        let Some(known) = self.by_name.get_mut(name) else {
            return;
        };
        known.flight = None;
        let negative = Duration::from_secs(DNS_NEGATIVE_CACHE_SECONDS);
        let kept = if resolved.addresses.is_empty() {
            cache.min(negative)
        } else {
            cache
        };
        known.answer = (!kept.is_zero()).then(|| (Instant::now() + kept, resolved.clone()));
    }

    /// Forgets the answers. What was asked for within the second still counts.
    fn begin_anew(&mut self) {
        self.reading += 1;
        for known in self.by_name.values_mut() {
            known.answer = None;
            known.flight = None;
        }
    }
}

/// The names, and who is asked for them.
pub(crate) struct Names {
    book: Mutex<Book>,
    asking: Mutex<(Arc<Asker>, Duration)>,
    /// The fault that was told last.
    told: Mutex<Option<String>>,
    lookups: Semaphore,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Names {
    pub(crate) fn new() -> Self {
        let settings = DnsSettings::default();
        let (asker, _) = Asker::new(&settings.resolver);
        Self {
            book: Mutex::default(),
            asking: Mutex::new((Arc::new(asker), settings.cache)),
            told: Mutex::default(),
            lookups: Semaphore::new(LOOKUPS_MAX),
        }
    }

    /// Asks in another way from now on, and forgets what was answered before. A fault is told once, not with each
    /// reload: whoever may ask for a reload must not fill a log with it.
    pub(crate) fn set(&self, settings: &DnsSettings) -> Option<String> {
        let (asker, fault) = Asker::new(&settings.resolver);
        *lock(&self.asking) = (Arc::new(asker), settings.cache);
        lock(&self.book).begin_anew();
        let before = std::mem::replace(&mut *lock(&self.told), fault.clone());
        fault.filter(|fault| before.as_ref() != Some(fault))
    }

    /// The addresses of a name that is no address.
    pub(crate) async fn resolve(self: &Arc<Self>, host: &str) -> Resolved {
        let name = host.to_ascii_lowercase();
        if name.is_empty() {
            return Answered::Addresses(Vec::new()).into();
        }
        let step = lock(&self.book).look(&name, Instant::now());
        let mut waiting = match step {
            Step::Known(resolved) => return resolved,
            Step::Limited => {
                return Resolved {
                    addresses: Vec::new(),
                    trouble: Some(DnsTrouble::RateLimited),
                };
            }
            Step::Wait(waiting) => waiting,
            Step::Ask(sender, waiting, reading) => {
                // A task of its own: whoever asked first may go away, and others wait for the answer.
                let names = Arc::clone(self);
                tokio::spawn(async move {
                    let (asker, cache) = lock(&names.asking).clone();
                    let resolved = names.ask(&asker, &name).await;
                    lock(&names.book).keep(&name, &resolved, reading, cache);
                    sender.send_replace(Some(resolved));
                });
                waiting
            }
        };
        let answer = waiting.wait_for(Option::is_some).await;
        let answer = answer.ok().and_then(|answer| answer.clone());
        answer.unwrap_or_else(|| Answered::TimedOut.into())
    }

    async fn ask(&self, asker: &Asker, name: &str) -> Resolved {
        let asking = async {
            match self.lookups.acquire().await {
                Ok(_place) => asker.ask(name).await,
                Err(_) => Answered::Addresses(Vec::new()),
            }
        };
        let limit = Duration::from_secs(RESOLVE_SECONDS_MAX);
        let answered = tokio::time::timeout(limit, asking).await;
        answered.unwrap_or(Answered::TimedOut).into()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;

    const CACHE: Duration = Duration::from_secs(60);

    fn answered(addresses: &[&str]) -> Resolved {
        let read = addresses.iter().map(|text| text.parse().unwrap());
        Answered::Addresses(read.collect()).into()
    }

    /// Asks where it must, and says whether it had to.
    fn asks(book: &mut Book, name: &str, now: Instant) -> bool {
        match book.look(name, now) {
            Step::Ask(sender, _, reading) => {
                // Kept for no time, so that the next look has to ask again.
                book.keep(name, &answered(&[]), reading, Duration::ZERO);
                drop(sender);
                true
            }
            Step::Limited => false,
            Step::Known(_) | Step::Wait(_) => panic!("nothing is kept"),
        }
    }

    #[test]
    fn a_name_is_asked_for_ten_times_within_any_second_and_each_name_by_itself() {
        let (mut book, start) = (Book::default(), Instant::now());
        let at = |ms: u64| start + Duration::from_millis(ms);
        for n in 0..10 {
            assert!(asks(&mut book, "a", at(n * 50)), "{n}");
        }
        assert!(!asks(&mut book, "a", at(500)));
        assert!(!asks(&mut book, "a", at(999)));
        assert!(asks(&mut book, "b", at(500)));
        // The window slides: one look-up is over, so one may be made.
        assert!(asks(&mut book, "a", at(1_000)));
        assert!(!asks(&mut book, "a", at(1_001)));
        // What was forgotten of answers does not give new look-ups.
        book.begin_anew();
        assert!(!asks(&mut book, "a", at(1_002)));
    }

    #[test]
    fn an_answer_is_kept_and_that_there_is_none_is_kept_for_less() {
        let mut book = Book::default();
        for (name, answer, seconds) in [
            ("some", answered(&["192.0.2.1"]), 60),
            ("none", answered(&[]), DNS_NEGATIVE_CACHE_SECONDS),
            (
                "late",
                Answered::TimedOut.into(),
                DNS_NEGATIVE_CACHE_SECONDS,
            ),
        ] {
            let now = Instant::now();
            let Step::Ask(_, _, reading) = book.look(name, now) else {
                panic!("{name}");
            };
            book.keep(name, &answer, reading, CACHE);
            let almost = now + Duration::from_secs(seconds) - Duration::from_millis(1);
            let Step::Known(kept) = book.look(name, almost) else {
                panic!("{name}");
            };
            assert_eq!(kept, answer);
            let over = Instant::now() + Duration::from_secs(seconds);
            assert!(matches!(book.look(name, over), Step::Ask(..)), "{name}");
        }
    }

    #[test]
    fn whoever_comes_while_a_name_is_asked_for_waits_for_that_answer() {
        let (mut book, now) = (Book::default(), Instant::now());
        let Step::Ask(sender, _, _) = book.look("a", now) else {
            panic!("nobody asks yet");
        };
        for _ in 0..100 {
            assert!(matches!(book.look("a", now), Step::Wait(_)));
        }
        // A look-up that came to nothing is made again.
        drop(sender);
        assert!(matches!(book.look("a", now), Step::Ask(..)));
    }

    #[test]
    fn an_answer_of_an_older_reading_is_not_kept() {
        let (mut book, now) = (Book::default(), Instant::now());
        let Step::Ask(_, _, reading) = book.look("a", now) else {
            panic!("nobody asks yet");
        };
        book.begin_anew();
        book.keep("a", &answered(&["192.0.2.1"]), reading, CACHE);
        assert!(matches!(book.look("a", now), Step::Ask(..)));
    }

    #[test]
    fn names_without_bound_are_not_remembered_without_bound() {
        let (mut book, now) = (Book::default(), Instant::now());
        for n in 0..NAMES_MAX {
            assert!(matches!(book.look(&n.to_string(), now), Step::Ask(..)));
        }
        assert!(matches!(book.look("one more", now), Step::Limited));
        book.begin_anew();
        let later = now + WINDOW;
        assert!(matches!(book.look("one more", later), Step::Ask(..)));
        assert_eq!(book.by_name.len(), 1);
    }

    #[tokio::test]
    async fn an_empty_name_has_no_address_and_nobody_is_asked() {
        let names = Arc::new(Names::new());
        assert_eq!(names.resolve("").await, answered(&[]));
        assert!(lock(&names.book).by_name.is_empty());
    }
}
