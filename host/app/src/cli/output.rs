//! `portcullis output TASK_ID`: the redacted output of an earlier run, where the policy keeps it.

use super::{Exit, Format, Places, console, session};
use clap::{Args, ValueEnum};
use portcullis_core::answer::{Page, PageRequest};
use portcullis_core::output;
use portcullis_mcp::gate::{Caller, Gate};
use serde_json::json;

/// Bytes of a page when everything is shown.
const PAGE_BYTES: u64 = 1_048_576;

/// Shows the output of an earlier run of yours from an offset on: sanitised, redacted, without the cap. The
/// policy says how much is kept (`output_spill_bytes`) and for how long (`task_result_ttl`).
#[derive(Debug, Args)]
pub(super) struct Output {
    /// The run's task id.
    task: String,
    /// Which stream.
    #[arg(long, value_enum, default_value = "stdout")]
    stream: Stream,
    /// Where to begin, in bytes of the stream's redacted text.
    #[arg(long, value_name = "N", default_value_t = 0)]
    offset: u64,
    /// Show at most so many bytes. Default: all that follows.
    #[arg(long, value_name = "N")]
    bytes: Option<u64>,
    /// How to print.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Stream {
    Stdout,
    Stderr,
}

impl From<Stream> for output::Stream {
    fn from(stream: Stream) -> Self {
        match stream {
            Stream::Stdout => Self::Stdout,
            Stream::Stderr => Self::Stderr,
        }
    }
}

pub(super) fn main(places: &Places, verb: &Output) -> Exit {
    session::with_gate(places, async move |gate, caller| {
        let (mut offset, mut left) = (verb.offset, verb.bytes.unwrap_or(u64::MAX));
        loop {
            let request = PageRequest {
                task: verb.task.clone(),
                stream: verb.stream.into(),
                offset,
                bytes: left.min(PAGE_BYTES),
            };
            let caller = Caller::clone(&caller);
            let page = match gate.page(caller, request).await {
                Ok(page) => page,
                Err(fault) => return session::answer_fault(&fault, verb.format),
            };
            let printed = match verb.format {
                Format::Json => console::line(&record(verb, &page)),
                Format::Human => console::text(&page.text),
            };
            if printed.is_err() {
                return console::written(printed, Exit::Ok);
            }
            left = left.saturating_sub(page.next.saturating_sub(offset));
            if page.next >= page.total || page.next <= offset || left == 0 {
                if !page.complete {
                    console::say(
                        "the output was longer than what is kept; a line in it counts what is missing",
                    );
                }
                return Exit::Ok;
            }
            offset = page.next;
        }
    })
}

fn record(verb: &Output, page: &Page) -> String {
    json!({
        "task_id": verb.task,
        "stream": output::Stream::from(verb.stream).name(),
        "text": page.text,
        "offset": page.offset,
        "next_offset": page.next,
        "total_bytes": page.total,
        "complete": page.complete,
    })
    .to_string()
}
