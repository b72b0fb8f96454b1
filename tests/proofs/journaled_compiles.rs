//! A journaled run comes out of the journal.
use portcullis_core::audit::{self, Stamp, Journaled, Sink};
pub async fn open(
    sink: &dyn Sink,
    stamp: &Stamp<'_>,
    redactor: &portcullis_core::redact::Redactor,
    admitted: portcullis_core::policy::Admitted,
    task: portcullis_core::request::TaskId,
) -> Option<Journaled> {
    let now = portcullis_core::clock::Micros(0);
    audit::open(sink, redactor, stamp, admitted, task, now).await.ok()
}
