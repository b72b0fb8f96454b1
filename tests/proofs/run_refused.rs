//! error: E0308
//! The engine does not run what is only admitted.
use portcullis_core::policy::Admitted;
use portcullis_ssh::{Access, Ended, Engine};
pub async fn run(engine: &Engine, run: Admitted, access: &Access<'_>) -> Ended {
    engine.run(run, access, Default::default(), None).await
}
