//! How a run ended, in words that do not claim more than is known.

use portcullis_core::answer::RunFault;
use portcullis_core::audit::Spent;
use portcullis_core::output::Raw;
use std::net::IpAddr;

/// How far a run has come, for progress notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Socket, key exchange, authentication.
    Connecting,
    /// Logged in; the command is about to be sent.
    Connected,
    /// The command was sent.
    Running,
}

impl Phase {
    /// `connecting`, `connected` or `running`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Running => "running",
        }
    }
}

/// What ends a command on the far side when the gate says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// A watchdog beside it, which acts also when the gate has gone.
    Watchdog,
    /// Signals of the gate, on a connection that is known to pass them on.
    Signals,
}

impl Guard {
    /// `watchdog` or `signals`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Watchdog => "watchdog",
            Self::Signals => "signals",
        }
    }
}

/// What is known of the remote processes after the gate ended a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Termination {
    /// Nothing of the process group is left, or nothing was started.
    Confirmed,
    /// The command ended or its processes were signalled; that all of them are gone is not proved.
    SignalledUnconfirmed,
    /// Nothing showed that the command ended: it may still run.
    LeftRunning,
}

impl Termination {
    /// `confirmed`, `signalled_unconfirmed` or `left_running`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::SignalledUnconfirmed => "signalled_unconfirmed",
            Self::LeftRunning => "left_running",
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The command exited with a status.
    Exited(u32),
    /// A signal ended the command; its name without `SIG`.
    Signalled(String),
    /// The time limit ended the run.
    TimedOut(Termination),
    /// The caller ended the run.
    Cancelled(Termination),
    /// The command wrote more than it may, and the gate ended the run.
    OutputHardStop(Termination),
    /// Nothing was started.
    Unreachable,
    /// The command may have been started, and how it ended is not known. Never success.
    Unknown,
}

impl End {
    /// The exit status, or -1 where there is none.
    #[must_use]
    pub fn exit_code(&self) -> i64 {
        match self {
            Self::Exited(status) => i64::from(*status),
            Self::Signalled(_)
            | Self::TimedOut(_)
            | Self::Cancelled(_)
            | Self::OutputHardStop(_)
            | Self::Unreachable
            | Self::Unknown => -1,
        }
    }

    /// The state as records and answers carry it.
    #[must_use]
    pub fn state(&self) -> &'static str {
        match self {
            Self::Exited(0) => "completed",
            Self::Exited(_) | Self::OutputHardStop(_) => "failed",
            Self::Signalled(_) => "signalled",
            Self::TimedOut(_) => "timed_out",
            Self::Cancelled(_) => "cancelled",
            Self::Unreachable => "unreachable",
            Self::Unknown => "unknown",
        }
    }

    /// What is known of the remote processes, where the gate ended the run.
    #[must_use]
    pub fn termination(&self) -> Option<&'static str> {
        match self {
            Self::TimedOut(how) | Self::Cancelled(how) | Self::OutputHardStop(how) => {
                Some(how.as_str())
            }
            Self::Exited(_) | Self::Signalled(_) | Self::Unreachable | Self::Unknown => None,
        }
    }

    /// The signal that ended the command, without `SIG`, where one did.
    #[must_use]
    pub fn signal(&self) -> Option<String> {
        match self {
            Self::Signalled(name) => Some(name.clone()),
            Self::Exited(_)
            | Self::TimedOut(_)
            | Self::Cancelled(_)
            | Self::OutputHardStop(_)
            | Self::Unreachable
            | Self::Unknown => None,
        }
    }
}

/// Where the time of a run went, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    /// Socket and key exchange, or the wait for a connection that is there already.
    pub connect_us: u64,
    /// The login; 0 on a connection that was open already.
    pub authenticate_us: u64,
    /// Opening the channel and sending the command.
    pub channel_us: u64,
    /// From then to the end of the command.
    pub remote_us: u64,
}

/// A run that is over.
#[derive(Debug)]
#[must_use]
pub struct Ended {
    /// What the closing record needs.
    pub spent: Spent,
    /// What the command printed, as it came.
    pub raw: Raw,
    /// How it ended.
    pub end: End,
    /// The peer of the socket; `None` where no connection was made.
    pub peer: Option<IpAddr>,
    /// Where the time went.
    pub times: Times,
    /// What was to end the command; `None` where nothing was sent.
    pub guard: Option<Guard>,
    /// Whether the gate asked the host beside this run whether signals work there.
    pub asked: bool,
    /// What went wrong, where something did.
    pub fault: Option<RunFault>,
}
