//! Verbs that are for many hosts: which hosts, and how many of them at once.
//!
//! Must not: know what is done with a host.

use super::{Exit, Format, session};
use clap::Args;
use portcullis_core::answer::Fault;
use portcullis_core::inventory::Host;
use portcullis_core::limits::{HOSTS_AT_ONCE_DEFAULT, HOSTS_AT_ONCE_MAX};
use portcullis_core::request::{Alias, Tag};
use portcullis_mcp::gate::{Caller, Gate};
use std::future::Future;
use tokio::task::JoinSet;

/// Which hosts.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Choice {
    /// The hosts.
    #[arg(value_name = "ALIAS")]
    aliases: Vec<String>,
    /// All hosts that have this tag.
    #[arg(long)]
    tag: Option<String>,
}

/// How many hosts at once.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct AtOnce {
    /// Work with so many hosts at once.
    #[arg(long, value_name = "N", default_value_t = HOSTS_AT_ONCE_DEFAULT, value_parser = hosts_at_once)]
    pub(super) concurrency: usize,
}

/// A number of hosts at once.
pub(super) fn hosts_at_once(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if (1..=HOSTS_AT_ONCE_MAX).contains(&number) => Ok(number),
        _ => Err(format!("expected 1 to {HOSTS_AT_ONCE_MAX}")),
    }
}

impl Choice {
    /// The hosts in file order, or as they were named. What is wrong is said, and nothing is begun.
    pub(super) async fn hosts(
        &self,
        gate: &impl Gate,
        caller: &Caller,
        format: Format,
    ) -> Result<Vec<Host>, Exit> {
        let all = gate.hosts(caller.clone()).await;
        let chosen = match &self.tag {
            Some(tag) => of_tag(all, tag),
            None => self.named(&all),
        };
        chosen.map_err(|fault| session::answer_fault(&fault, format))
    }

    fn named(&self, all: &[Host]) -> Result<Vec<Host>, Fault> {
        let mut hosts: Vec<Host> = Vec::new();
        for alias in &self.aliases {
            let alias = Alias::parse(alias).map_err(Fault::Input)?;
            let host = all.iter().find(|host| host.alias == alias);
            let host = host.ok_or(Fault::UnknownAlias(alias))?;
            // A host that is named twice is one host.
            if !hosts.iter().any(|chosen| chosen.alias == host.alias) {
                hosts.push(host.clone());
            }
        }
        Ok(hosts)
    }
}

/// The hosts that have a tag, in file order.
pub(super) fn of_tag(all: Vec<Host>, tag: &str) -> Result<Vec<Host>, Fault> {
    let tag = Tag::parse(tag).map_err(Fault::Input)?;
    let has = |host: &Host| host.tags.iter().any(|of| of == tag.as_str());
    let hosts: Vec<Host> = all.into_iter().filter(has).collect();
    if hosts.is_empty() {
        return Err(Fault::Setup {
            code: "no_hosts",
            message: "No hosts matched.",
        });
    }
    Ok(hosts)
}

/// Does something for each item, at most `at_once` at a time, and gives the results in the order of the items. One
/// that panics is our bug and leaves its place out.
pub(super) async fn each<Item, Done, Doing>(
    items: Vec<Item>,
    at_once: usize,
    mut act: impl FnMut(Item) -> Doing,
) -> Vec<Done>
where
    Done: Send + 'static,
    Doing: Future<Output = Done> + Send + 'static,
{
    let mut done: Vec<(usize, Done)> = Vec::with_capacity(items.len());
    let mut waiting = items.into_iter().enumerate();
    let mut under_way = JoinSet::new();
    loop {
        while under_way.len() < at_once.max(1) {
            let Some((place, item)) = waiting.next() else {
                break;
            };
            let doing = act(item);
            under_way.spawn(async move { (place, doing.await) });
        }
        match under_way.join_next().await {
            Some(Ok(one)) => done.push(one),
            Some(Err(_)) => {}
            None => break,
        }
    }
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, one)| one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn results_keep_their_order_and_no_more_are_under_way_than_may_be() {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let items: Vec<u32> = (0..40).collect();
        let done = each(items.clone(), 4, |item| {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                // The later ones end first.
                for _ in item..40 {
                    tokio::task::yield_now().await;
                }
                now.fetch_sub(1, Ordering::SeqCst);
                item
            }
        });
        assert_eq!(done.await, items);
        assert_eq!(most.load(Ordering::SeqCst), 4);
    }

    #[test]
    fn a_number_of_hosts_at_once_has_both_bounds() {
        assert_eq!(hosts_at_once("1"), Ok(1));
        assert_eq!(hosts_at_once("256"), Ok(256));
        for text in ["0", "257", "-1", "x", ""] {
            assert!(hosts_at_once(text).is_err(), "{text}");
        }
    }
}
