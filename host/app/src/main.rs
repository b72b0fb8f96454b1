//! .
#[cfg_attr(
    not(test),
    expect(
        dead_code,
        reason = "the verbs that use it are wired up by the pipeline"
    )
)]
mod journal;
fn main() {}
