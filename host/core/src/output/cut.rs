//! The last cut: two streams share a number of bytes, and each shows its head and its tail around a
//! line that says exactly how many raw bytes are missing.

use super::part::Part;

/// Room for the line that stands for what was left out, with its line ends.
const MARKER_BYTES_MAX: usize = 64;

/// One redacted stream.
#[derive(Debug)]
pub(super) enum Body {
    /// All of it.
    Whole(Part),
    /// Both ends around a gap, and how many raw bytes of each may be shown.
    Ends {
        head: Part,
        head_raw_max: u64,
        tail: Part,
        tail_raw_max: u64,
    },
    /// A line that stands for bytes that are no text.
    Binary(String),
}

/// Divides the budget: each stream gets what the other does not need, and half if both want more.
pub(super) fn share(budget: usize, stdout: usize, stderr: usize) -> (usize, usize) {
    // A line end will stand between the two.
    let budget = budget.saturating_sub(usize::from(stdout > 0 && stderr > 0));
    let half = budget.div_ceil(2);
    let for_stderr = stderr.min((budget - half).max(budget.saturating_sub(stdout)));
    (budget - for_stderr, for_stderr)
}

impl Body {
    /// The texts that redaction works on.
    pub(super) fn parts(&mut self) -> Vec<&mut Part> {
        match self {
            Self::Whole(part) => vec![part],
            Self::Ends { head, tail, .. } => vec![head, tail],
            Self::Binary(_) => Vec::new(),
        }
    }

    /// How many bytes it would show if it could.
    pub(super) fn wants(&self) -> usize {
        match self {
            Self::Whole(part) => part.text().len(),
            Self::Ends { head, tail, .. } => head
                .text()
                .len()
                .saturating_add(tail.text().len())
                .saturating_add(MARKER_BYTES_MAX),
            Self::Binary(line) => line.len(),
        }
    }

    /// As [`Self::render`], for the last time.
    pub(super) fn into_rendered(self, budget: usize, total: u64) -> (String, bool) {
        match self {
            Self::Whole(part) if part.text().len() <= budget => (part.into_text(), false),
            body => body.render(budget, total),
        }
    }

    /// The text for the client within `budget` bytes, and whether anything was left out.
    pub(super) fn render(&self, budget: usize, total: u64) -> (String, bool) {
        match self {
            Self::Whole(part) if part.text().len() <= budget => (part.text().to_owned(), false),
            Self::Whole(part) => (ends(part, part, (u64::MAX, u64::MAX), budget, total), true),
            Self::Ends {
                head,
                head_raw_max,
                tail,
                tail_raw_max,
            } => (
                ends(head, tail, (*head_raw_max, *tail_raw_max), budget, total),
                true,
            ),
            Self::Binary(line) => {
                let shown = line
                    .get(..line.floor_char_boundary(budget))
                    .unwrap_or_default();
                (shown.to_owned(), shown.len() < line.len())
            }
        }
    }
}

fn ends(head: &Part, tail: &Part, raw_max: (u64, u64), budget: usize, total: u64) -> String {
    let Some(room) = budget
        .checked_sub(MARKER_BYTES_MAX)
        .filter(|room| *room >= MARKER_BYTES_MAX)
    else {
        // Too little for two ends and a line between them; `truncated` says that something is missing.
        let end = head.head(budget, raw_max.0);
        return head.text().get(..end.at).unwrap_or_default().to_owned();
    };
    let first = head.head(room.div_ceil(2), raw_max.0);
    let last = tail.tail(room / 2, raw_max.1);
    let omitted = total.saturating_sub(first.raw).saturating_sub(last.raw);
    let start = head.text().get(..first.at).unwrap_or_default();
    let line_end = if start.is_empty() || start.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    let end = tail.text().get(last.at..).unwrap_or_default();
    format!("{start}{line_end}[… {omitted} bytes omitted …]\n{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stream_gets_what_the_other_does_not_need() {
        assert_eq!(share(100, 500, 0), (100, 0));
        assert_eq!(share(100, 0, 500), (0, 100));
        assert_eq!(share(101, 500, 500), (50, 50));
        assert_eq!(share(101, 500, 10), (90, 10));
        assert_eq!(share(101, 10, 500), (10, 90));
        assert_eq!(share(101, 10, 20), (80, 20));
        assert_eq!(share(0, 5, 5), (0, 0));
        assert_eq!(share(1, 5, 5), (0, 0));
    }
}
