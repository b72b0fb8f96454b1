//! One question to validators: fresh instances, chains, interpreters, threads, and their peers.

use crate::peers::{Extism, Hook, ns, spawned};
use crate::report::{Goal, Report, Times};
use crate::reused::Reused;
use crate::{SETTINGS, asked, entry, guest, loaded, native, on_processor, question, question_json};
use portcullis_core::config::{PluginKind, PluginRuntime};
use portcullis_core::policy::Verdict;
use portcullis_plugin::{Plugins, Question};
use std::sync::Barrier;
use std::time::{Duration, Instant};

/// Rounds in which everything takes its turn.
const ROUNDS: usize = 40;
/// Calls of a plugin in one round.
const CALLS: usize = 250;
/// Questions to an interpreter, and fresh calls of Extism, in one round.
const SLOW_CALLS: usize = 20;
/// Programs started in one round.
const SPAWNED: usize = 5;
/// How long calls are made for a rate, and how often.
const RATE: Duration = Duration::from_millis(250);
const RATE_RUNS: usize = 12;

pub(crate) fn measure(report: &mut Report) {
    let question = question();
    let bytes = guest("path-guard");
    let one = loaded(vec![(native("path-guard", SETTINGS), bytes.clone())]);
    let five = (0..5).map(|at| (native(&format!("path-guard-{at}"), SETTINGS), bytes.clone()));
    let five = loaded(five.collect());
    let js = interpreter("path-guard-js", SETTINGS);
    let python = interpreter("path-guard-py", SETTINGS);
    let mut reused = Reused::new(&bytes, &question, SETTINGS);
    let json = question_json(&question);
    let hook = Hook::new();
    let mut extism = Extism::start(&json);

    let mut fresh = Times::default();
    let [mut chain, mut kept, mut in_js, mut in_python] = [const { Times(Vec::new()) }; 4];
    let [mut started, mut hooked, mut extism_fresh, mut extism_kept] =
        [const { Times(Vec::new()) }; 4];
    for round in 0..asked("PORTCULLIS_BENCH_ROUNDS", ROUNDS) + 1 {
        let turn = |times: &mut Times, count: usize, act: &mut dyn FnMut() -> u64| {
            let new: Vec<u64> = (0..count).map(|_| act()).collect();
            // The first round warms everything up.
            if round > 0 {
                times.extend(new);
            }
        };
        turn(&mut fresh, CALLS, &mut || ask(&one, &question));
        turn(&mut started, SPAWNED, &mut spawned);
        turn(&mut chain, CALLS, &mut || ask(&five, &question));
        turn(&mut hooked, SPAWNED, &mut || {
            hook.ask(&json, "path_forbidden")
        });
        turn(&mut kept, CALLS, &mut || timed(|| reused.ask()));
        turn(&mut in_js, SLOW_CALLS, &mut || ask(&js, &question));
        turn(&mut in_python, SLOW_CALLS, &mut || ask(&python, &question));
        if let Ok(extism) = &mut extism {
            let (a, b) = (
                extism.calls("fresh", SLOW_CALLS),
                extism.calls("reused", CALLS),
            );
            if round > 0 {
                extism_fresh.extend(a);
                extism_kept.extend(b);
            }
        }
    }
    let call = fresh.p50();
    let us = |report: &mut Report, name: &str, times: &Times| {
        report.add(name, times.p50(), "us", Goal::None)
    };
    us(report, "a fresh call of a validator in Rust, p50", &fresh);
    report.add(
        "a fresh call of a validator in Rust, p99",
        fresh.at(990),
        "us",
        Goal::None,
    );
    us(report, "a call of a kept instance, p50", &kept);
    us(report, "five validators in a chain, p50", &chain);
    us(
        report,
        "a fresh call of a validator in JavaScript, p50",
        &in_js,
    );
    us(
        report,
        "a fresh call of a validator in Python, p50",
        &in_python,
    );
    us(report, "/bin/true, started and waited for, p50", &started);
    us(report, "a python3 hook, JSON in and out, p50", &hooked);
    let row =
        |report: &mut Report, name: &str, value: f64, goal| report.add(name, value, "x", goal);
    row(
        report,
        "/bin/true over a fresh call",
        started.p50() / call,
        Goal::AtLeast(30.0),
    );
    row(
        report,
        "the python3 hook over a fresh call",
        hooked.p50() / call,
        Goal::AtLeast(800.0),
    );
    row(
        report,
        "a fresh call over one of a kept instance",
        call / kept.p50(),
        Goal::AtMost(18.0),
    );
    row(
        report,
        "five in a chain over one",
        chain.p50() / call,
        Goal::AtMost(6.0),
    );
    row(
        report,
        "the python3 hook over JavaScript",
        hooked.p50() / in_js.p50(),
        Goal::AtLeast(50.0),
    );
    row(
        report,
        "the python3 hook over Python",
        hooked.p50() / in_python.p50(),
        Goal::AtLeast(18.0),
    );
    match extism {
        Ok(_) => {
            us(report, "a fresh call of Extism, p50", &extism_fresh);
            us(
                report,
                "a call of a kept plugin of Extism, p50",
                &extism_kept,
            );
            row(
                report,
                "a fresh call of Extism over a fresh call",
                extism_fresh.p50() / call,
                Goal::AtLeast(8.0),
            );
        }
        Err(why) => report.lacks("a fresh call of Extism over a fresh call", why),
    }
}

fn interpreter(name: &str, settings: &str) -> Plugins {
    let entry = entry(
        name,
        PluginKind::Validator,
        PluginRuntime::Interpreter,
        settings,
    );
    loaded(vec![(entry, guest(name))])
}

fn timed(act: impl FnOnce()) -> u64 {
    let began = Instant::now();
    act();
    ns(began)
}

fn ask(plugins: &Plugins, question: &Question) -> u64 {
    let began = Instant::now();
    let opinions = plugins.ask(question);
    let ns = ns(began);
    for opinion in opinions {
        assert!(
            matches!(
                opinion.verdict,
                Verdict::Objection { .. } | Verdict::NoObjection
            ),
            "{opinion:?}"
        );
    }
    ns
}

/// Calls for a second of one thread and of two. The runs take turns.
pub(crate) fn threads(report: &mut Report) {
    let question = &question();
    let plugins = &loaded(vec![(native("path-guard", SETTINGS), guest("path-guard"))]);
    let (mut one, mut two, mut busy) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RATE_RUNS {
        one.push(together(plugins, question, 1));
        busy.push(on_one_processor(plugins, question));
        two.push(together(plugins, question, 2));
    }
    let best = |rates: &[f64]| rates.iter().copied().fold(0.0, f64::max);
    let middle = |rates: &mut Vec<f64>| {
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    };
    report.add(
        "fresh calls of one thread, best run",
        best(&one),
        "/s",
        Goal::None,
    );
    report.add(
        "fresh calls of one thread for a second on the processor",
        middle(&mut busy),
        "/s",
        Goal::AtLeast(60_000.0),
    );
    report.add(
        "fresh calls of two threads, best run",
        best(&two),
        "/s",
        Goal::None,
    );
    report.add(
        "two threads over one, best runs",
        best(&two) / best(&one),
        "x",
        Goal::AtLeast(1.3),
    );
}

fn on_one_processor(plugins: &Plugins, question: &Question) -> f64 {
    let (began, busy, mut calls) = (Instant::now(), on_processor(), 0_u32);
    while began.elapsed() < RATE {
        ask(plugins, question);
        calls += 1;
    }
    f64::from(calls) / (on_processor() - busy)
}

fn together(plugins: &Plugins, question: &Question, threads: usize) -> f64 {
    let start = Barrier::new(threads);
    let work = || {
        start.wait();
        let (began, mut calls) = (Instant::now(), 0_u32);
        while began.elapsed() < RATE {
            ask(plugins, question);
            calls += 1;
        }
        f64::from(calls) / began.elapsed().as_secs_f64()
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running.into_iter().map(|it| it.join().unwrap()).sum()
    })
}
