//! One command on all hosts of a tag: each host is decided, run, recorded and ended by itself, so that a slow or
//! dead one costs only itself.
//!
//! Must not: know what a run is. Each is `run`'s, with its own decision, its own records and its own limits.

use super::notes::fields;
use super::{House, run};
use portcullis_core::answer::{Fault, Fleet, Member, MemberEnd, Rolling, Run};
use portcullis_core::audit::{Durability, Stamp};
use portcullis_core::limits::{FLEET_OUTPUT_BYTES_MAX, FLEET_OUTPUT_SHARE_BYTES_MIN};
use portcullis_core::request::{Alias, CommandLine, Tag};
use portcullis_mcp::gate::Caller;
use serde_json::json;
use std::sync::Arc;
use std::time::Instant;
use tokio::task::JoinSet;

/// Most aliases that a record lists; the others are counted.
const LISTED_MAX: usize = 100;

/// The end of a run that nobody reported.
const LOST: Fault = Fault::Setup {
    code: "internal",
    message: "the run was not completed",
};

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Begin with the host at this place.
    Start(usize),
    /// Wait until one has ended.
    Wait,
    /// Nothing is under way and nothing more will be.
    Over,
}

/// Who may begin when. Pure, so that each bound of it can be tried.
#[derive(Debug)]
struct Rollout {
    rolling: Rolling,
    hosts: usize,
    started: usize,
    under_way: usize,
    failures: usize,
    /// The first place that has to wait until those before it have ended.
    stage: usize,
    stopped: bool,
}

impl Rollout {
    fn new(hosts: usize, rolling: Rolling) -> Self {
        let mut rollout = Self {
            rolling,
            hosts,
            started: 0,
            under_way: 0,
            failures: 0,
            stage: 0,
            stopped: false,
        };
        rollout.stage = match rolling.canary {
            0 => rollout.batch_from(0),
            canary => canary.min(hosts),
        };
        rollout
    }

    fn batch_from(&self, place: usize) -> usize {
        match self.rolling.batch {
            0 => self.hosts,
            batch => place.saturating_add(batch).min(self.hosts),
        }
    }

    fn next(&mut self) -> Next {
        if self.under_way == 0 && self.started == self.stage && self.started < self.hosts {
            self.stage = self.batch_from(self.started);
        }
        if self.stopped || self.started == self.hosts {
            return if self.under_way == 0 {
                Next::Over
            } else {
                Next::Wait
            };
        }
        if self.started == self.stage || self.under_way >= self.rolling.at_once.max(1) {
            return Next::Wait;
        }
        self.started += 1;
        self.under_way += 1;
        Next::Start(self.started - 1)
    }

    fn ended(&mut self, place: usize, well: bool) {
        self.under_way = self.under_way.saturating_sub(1);
        if well {
            return;
        }
        self.failures += 1;
        let bound = self.rolling.stop_after_failures;
        self.stopped |= place < self.rolling.canary || (bound > 0 && self.failures >= bound);
    }

    fn stop(&mut self) {
        self.stopped = true;
    }
}

impl House {
    /// Runs a command on every host that has a tag. `told` hears of each host that has ended; it must return at
    /// once.
    ///
    /// # Cancel
    /// `caller.stop` ends the commands that run, and lets no other begin. Dropped, it does the same, and nobody
    /// learns how that went.
    pub(super) async fn run_on_tag(
        self: Arc<Self>,
        mut caller: Caller,
        tag: &str,
        command: &str,
        rolling: Rolling,
        told: &(dyn Fn(&Member, usize) + Send + Sync),
    ) -> Result<Fleet, Fault> {
        let began = Instant::now();
        let (live, origin) = (self.live(), self.origin(&caller));
        let stamp = Stamp {
            origin: &origin,
            under: &live.under,
        };
        let inputs = (|| Ok((Tag::parse(tag)?, CommandLine::parse(command)?)))();
        let (tag, line) = match inputs {
            Ok(inputs) => inputs,
            Err(fault) => {
                let fault = Fault::Input(fault);
                self.note_input(&fault, stamp).await;
                return Err(fault);
            }
        };
        let all = live.snapshot.inventory.hosts().iter();
        let chosen = all.filter(|host| host.tags.iter().any(|of| of == tag.as_str()));
        let aliases: Vec<Alias> = chosen.map(|host| host.alias.clone()).collect();
        let common = || {
            let listed = aliases.iter().take(LISTED_MAX);
            let listed: Vec<&str> = listed.map(Alias::as_str).collect();
            fields([
                ("tag", json!(tag.as_str())),
                ("hash", json!(line.hash16())),
                ("hosts", json!(aliases.len())),
                ("aliases", json!(listed)),
            ])
        };
        let mut body = common();
        body.extend(fields([
            ("at_once", json!(rolling.at_once)),
            ("canary", json!(rolling.canary)),
            ("batch", json!(rolling.batch)),
            ("stop_after_failures", json!(rolling.stop_after_failures)),
        ]));
        // Written, not synced: each run is synced by itself before it is made.
        self.note("fleet_open", Durability::Written, stamp, body)
            .await;
        // What the runs have in common where no client has named the call.
        let call = || origin.call_id.clone();
        caller.request_id = caller.request_id.take().or_else(|| Some(call()));

        let share = FLEET_OUTPUT_BYTES_MAX / aliases.len().max(1);
        let share = share.max(FLEET_OUTPUT_SHARE_BYTES_MIN);
        let members = self.roll(&caller, &aliases, command, rolling, share, told);
        let fleet = Fleet {
            tag: tag.as_str().to_owned(),
            hash: line.hash16(),
            members: members.await,
            duration_ms: run::micros(began) / 1_000,
        };
        let mut body = common();
        body.insert("states".to_owned(), json!(fleet.states()));
        body.insert("duration_ms".to_owned(), json!(fleet.duration_ms));
        self.note("fleet_close", Durability::Written, stamp, body)
            .await;
        Ok(fleet)
    }

    async fn roll(
        self: &Arc<Self>,
        caller: &Caller,
        aliases: &[Alias],
        command: &str,
        rolling: Rolling,
        share: usize,
        told: &(dyn Fn(&Member, usize) + Send + Sync),
    ) -> Vec<Member> {
        let mut ends: Vec<Option<Member>> = aliases.iter().map(|_| None).collect();
        let mut rollout = Rollout::new(aliases.len(), rolling);
        let mut under_way = JoinSet::new();
        let mut over = 0;
        loop {
            if caller.stop.is_cancelled() {
                rollout.stop();
            }
            match rollout.next() {
                Next::Start(place) => {
                    let Some(alias) = aliases.get(place).cloned() else {
                        break;
                    };
                    let (house, caller) = (Arc::clone(self), caller.clone());
                    let command = command.to_owned();
                    under_way.spawn(async move {
                        let run = house.run_request(caller, alias.as_str().to_owned(), command);
                        let end = match run.await {
                            Ok(Run::Ran(ran)) => MemberEnd::Ran(ran),
                            Ok(Run::Denied(denied)) => MemberEnd::Denied(denied),
                            Err(fault) => MemberEnd::Fault(fault),
                        };
                        (place, Member { alias, end })
                    });
                }
                Next::Over => break,
                Next::Wait => {
                    // One that panicked is our bug; its run is not known to have ended well, so nothing more begins.
                    let Some(Ok((place, mut member))) = under_way.join_next().await else {
                        rollout.stop();
                        rollout.ended(usize::MAX, false);
                        continue;
                    };
                    rollout.ended(place, member.is_well());
                    member.clip(share);
                    over += 1;
                    told(&member, over);
                    if let Some(slot) = ends.get_mut(place) {
                        *slot = Some(member);
                    }
                }
            }
        }
        let endless = |place: usize, alias: &Alias| Member {
            alias: alias.clone(),
            end: if place < rollout.started {
                MemberEnd::Fault(LOST)
            } else {
                MemberEnd::NotStarted
            },
        };
        let ends = aliases.iter().zip(ends).enumerate();
        ends.map(|(place, (alias, end))| end.unwrap_or_else(|| endless(place, alias)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rolling(at_once: usize, canary: usize, batch: usize, stop: usize) -> Rolling {
        Rolling {
            at_once,
            canary,
            batch,
            stop_after_failures: stop,
        }
    }

    /// Plays a roll-out in which the hosts end in the order in which they began; gives who was begun with, and the
    /// most at once.
    fn play(hosts: usize, rolling: Rolling, fails: &[usize]) -> (Vec<usize>, usize) {
        let mut rollout = Rollout::new(hosts, rolling);
        let (mut begun, mut under_way, mut most) = (Vec::new(), Vec::new(), 0);
        loop {
            match rollout.next() {
                Next::Start(place) => {
                    begun.push(place);
                    under_way.push(place);
                    most = most.max(under_way.len());
                }
                Next::Wait => {
                    let place = under_way.remove(0);
                    rollout.ended(place, !fails.contains(&place));
                }
                Next::Over => {
                    assert!(under_way.is_empty());
                    return (begun, most);
                }
            }
        }
    }

    fn all(hosts: usize) -> Vec<usize> {
        (0..hosts).collect()
    }

    #[test]
    fn every_host_begins_once_and_no_more_are_under_way_than_may_be() {
        for at_once in 1..6 {
            for canary in 0..5 {
                for batch in 0..5 {
                    let (begun, most) = play(11, rolling(at_once, canary, batch, 0), &[]);
                    assert_eq!(begun, all(11), "{at_once} {canary} {batch}");
                    assert!(most <= at_once, "{at_once} {canary} {batch}");
                }
            }
        }
        assert_eq!(play(0, rolling(4, 2, 2, 1), &[]), (vec![], 0));
    }

    #[test]
    fn a_canary_that_does_not_end_well_lets_no_other_host_begin() {
        assert_eq!(play(9, rolling(8, 2, 0, 0), &[1]).0, [0, 1]);
        assert_eq!(play(9, rolling(8, 2, 0, 0), &[2]).0, all(9));
        assert_eq!(play(2, rolling(8, 5, 0, 0), &[0]).0, [0, 1]);
        // One at a time, the second canary does not begin after the first has failed.
        assert_eq!(play(9, rolling(1, 2, 0, 0), &[0]).0, [0]);
    }

    #[test]
    fn a_batch_begins_when_the_one_before_it_has_ended() {
        let mut rollout = Rollout::new(5, rolling(8, 1, 2, 0));
        assert_eq!(rollout.next(), Next::Start(0));
        assert_eq!(rollout.next(), Next::Wait);
        rollout.ended(0, true);
        assert_eq!(rollout.next(), Next::Start(1));
        assert_eq!(rollout.next(), Next::Start(2));
        assert_eq!(rollout.next(), Next::Wait);
        rollout.ended(2, true);
        assert_eq!(rollout.next(), Next::Wait);
        rollout.ended(1, true);
        assert_eq!(rollout.next(), Next::Start(3));
        assert_eq!(rollout.next(), Next::Start(4));
        assert_eq!(rollout.next(), Next::Wait);
    }

    #[test]
    fn after_so_many_failures_no_host_begins_and_those_under_way_end() {
        // Two at once: when the second failure is seen, one more is under way.
        assert_eq!(play(9, rolling(2, 0, 0, 2), &[0, 1]).0, [0, 1, 2]);
        assert_eq!(play(9, rolling(1, 0, 0, 1), &[3]).0, all(4));
        assert_eq!(play(9, rolling(2, 0, 0, 0), &[0, 1, 2, 3]).0, all(9));
        assert_eq!(play(9, rolling(2, 0, 3, 3), &[0, 4, 8]).0, all(9));
    }
}
