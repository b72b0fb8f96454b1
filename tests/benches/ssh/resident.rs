//! Memory of processes, in MiB, as the kernel counts it.
#![allow(dead_code, reason = "two benchmarks share it, and each uses a part")]

use std::fs;
use std::path::Path;

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
    let config = config.display().to_string();
    let gates = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let path = entry.ok()?.path();
        let words = fs::read(path.join("cmdline")).ok()?;
        let words = String::from_utf8_lossy(&words).into_owned();
        let is_it = words.contains("portcullis\0serve") && words.contains(&config);
        is_it.then(|| of(&path, field))?
    });
    gates.fold(f64::NAN, f64::max)
}

fn of(process: &Path, field: &str) -> Option<f64> {
    let status = fs::read_to_string(process.join("status")).ok()?;
    let line = status.lines().find(|line| line.starts_with(field))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}
