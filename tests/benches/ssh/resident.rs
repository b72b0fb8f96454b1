//! Memory of processes, in MiB, and their time on processors, as the kernel counts them.
#![allow(dead_code, reason = "two benchmarks share it, and each uses a part")]

use std::fs;
use std::path::{Path, PathBuf};

/// A field of this process's own status.
pub(crate) fn own(field: &str) -> f64 {
    of(Path::new("/proc/self"), field).unwrap()
}

/// Lets the kernel count the peak of this process anew.
pub(crate) fn forget_peak() {
    fs::write("/proc/self/clear_refs", "5").unwrap();
}

/// A field of the status of the gate that serves this configuration.
pub(crate) fn of_gate(config: &Path, field: &str) -> f64 {
    gate(config).map_or(f64::NAN, |gate| of(&gate, field).unwrap())
}

/// The time that the gate which serves this configuration was on processors, in seconds.
pub(crate) fn processor_time_of_gate(config: &Path) -> f64 {
    /// Ticks of the kernel in a second, as it counts times for programs.
    const TICKS: f64 = 100.0;
    let stat = fs::read_to_string(gate(config).unwrap().join("stat")).unwrap();
    // The name may hold blanks; user and system time stand twelfth and thirteenth after it.
    let (_, rest) = stat.rsplit_once(')').unwrap();
    let fields = rest.split_whitespace().skip(11).take(2);
    fields
        .map(|ticks| ticks.parse::<f64>().unwrap())
        .sum::<f64>()
        / TICKS
}

/// The gate that serves this configuration.
fn gate(config: &Path) -> Option<PathBuf> {
    let config = config.display().to_string();
    let mut processes = fs::read_dir("/proc").unwrap().flatten();
    let gate = processes.find(|entry| {
        let words = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).into_owned();
        words.contains("portcullis\0serve") && words.contains(&config)
    });
    gate.map(|entry| entry.path())
}

fn of(process: &Path, field: &str) -> Option<f64> {
    let status = fs::read_to_string(process.join("status")).ok()?;
    let line = status.lines().find(|line| line.starts_with(field))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}
