//! The arithmetic of the journal: one record is one line of JSON with a sequence number, the MAC of the
//! record before, and its own MAC over both and its body.
