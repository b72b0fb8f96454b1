//! What was measured, and whether it holds what was set as its goal.

use serde_json::json;

/// Which way a figure is good.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    /// At least so much.
    AtLeast(f64),
    /// At most so much.
    AtMost(f64),
    /// Nothing is asked of it: a part, or a figure beside another.
    None,
}

impl Goal {
    fn held(self, value: f64) -> &'static str {
        match self {
            Self::AtLeast(least) if value >= least => "yes",
            Self::AtMost(most) if value <= most => "yes",
            Self::AtLeast(_) | Self::AtMost(_) => "NO",
            Self::None => "",
        }
    }

    fn shown(self) -> String {
        match self {
            Self::AtLeast(least) => format!(">= {least}"),
            Self::AtMost(most) => format!("<= {most}"),
            Self::None => String::new(),
        }
    }
}

/// The rows so far.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<String>,
    missed: usize,
}

impl Report {
    /// One figure; printed at once as a line of JSON.
    pub(crate) fn add(&mut self, name: &str, value: f64, unit: &str, goal: Goal) {
        let held = goal.held(value);
        self.missed += usize::from(held == "NO");
        println!(
            "{}",
            json!({"name": name, "goal": goal.shown(), "measured": value, "unit": unit, "held": held})
        );
        let goal = goal.shown();
        self.rows.push(format!(
            "{name:<70} {goal:>10} {value:>12.3} {unit:<6} {held}"
        ));
    }

    /// A row that could not be measured, and why.
    pub(crate) fn lacks(&mut self, name: &str, why: &str) {
        println!("{}", json!({"name": name, "measured": null, "why": why}));
        self.rows.push(format!("{name:<70} {:>10} {why}", ""));
    }

    /// The table under a heading.
    pub(crate) fn table(&self, heading: &str) {
        println!(
            "\n{heading:<70} {:>10} {:>12} {:<6} held",
            "goal", "measured", ""
        );
        for row in &self.rows {
            println!("{row}");
        }
        println!("{} of the goals are missed", self.missed);
    }
}

/// Times of one thing, in nanoseconds.
#[derive(Debug, Default, Clone)]
pub(crate) struct Times(pub(crate) Vec<u64>);

impl Times {
    /// Takes some in.
    pub(crate) fn extend(&mut self, times: impl IntoIterator<Item = u64>) {
        self.0.extend(times);
    }

    /// The time that so many of a thousand stay within, in microseconds.
    pub(crate) fn at(&self, of_thousand: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = sorted.len().saturating_sub(1) * of_thousand / 1_000;
        sorted.get(at).map_or(f64::NAN, |ns| *ns as f64 / 1e3)
    }

    /// The middle one, in microseconds.
    pub(crate) fn p50(&self) -> f64 {
        self.at(500)
    }
}
