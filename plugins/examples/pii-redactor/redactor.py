"""A redactor that masks e-mail addresses and, where settings name them, other things of people.

Settings: {} for e-mail addresses, or {"find": ["email", "iban", "phone"]}.

Limit: it looks at one line at a time; a line of more than 64 KiB is looked at in parts.
"""

import json
import re

from componentize_py_types import Err
from wit_world.exports import redactor

PATTERNS = {
    "email": re.compile(rb"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+"),
    "iban": re.compile(rb"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"),
    "phone": re.compile(rb"(?<![\w+])\+\d{1,3}(?:[ ./-]?\(?\d{2,5}\)?){2,5}(?!\w)"),
}
# The host withholds the stream of a plugin that holds back more than 64 KiB.
HELD_BYTES_MAX = 65536


def wanted(settings: str) -> list[str]:
    values = json.loads(settings)
    names = values.pop("find", ["email"])
    if values or not names or not all(name in PATTERNS for name in names):
        raise ValueError('settings: expected {"find": [email, iban, phone]}')
    return names


class Stream(redactor.Stream):
    def __init__(self, context: redactor.StreamContext) -> None:
        self.held = b""  # bytes of a line that has not ended
        self.start = 0  # where in the stream they begin
        self.fault = None
        try:
            self.names = wanted(context.settings)
        except (ValueError, AttributeError, TypeError) as fault:
            # A constructor cannot fail; the first push or finish says it.
            self.fault = str(fault)

    def push(self, chunk: bytes) -> redactor.Found:
        held = self.held + chunk
        return self.look(held, max(held.rfind(b"\n") + 1, len(held) - HELD_BYTES_MAX))

    def finish(self) -> redactor.Found:
        return self.look(self.held, len(self.held))

    def look(self, held: bytes, end: int) -> redactor.Found:
        if self.fault is not None:
            raise Err(self.fault)
        spans = [
            redactor.Span(
                self.start + match.start(), len(match[0]), name, redactor.Style.LABELLED
            )
            for name in self.names
            for match in PATTERNS[name].finditer(held, 0, end)
        ]
        self.held = held[end:]
        self.start += end
        return redactor.Found(spans, self.start)
