//! Time as a port: the core never asks for it, callers bring it.

/// Microseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Micros(pub u64);

impl Micros {
    /// The same instant as seconds with a fraction, as the records carry it.
    #[must_use]
    pub fn as_seconds(self) -> f64 {
        // Precision: a f64 holds microseconds exactly for the next two centuries.
        self.0 as f64 / 1_000_000.0
    }
}

/// Where the time comes from. Implemented over the system's clock by the binary, and by a settable
/// clock in tests.
pub trait Clock: Send + Sync {
    /// The present instant.
    fn now(&self) -> Micros;
}
