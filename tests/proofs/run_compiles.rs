//! The engine runs what is journaled.
use portcullis_core::audit::Journaled;
use portcullis_ssh::{Access, Ended, Engine};
pub async fn run(engine: &Engine, run: Journaled, access: &Access<'_>) -> Ended {
    engine.run(run, access, Default::default(), None).await
}
