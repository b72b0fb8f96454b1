//! The texts of what can go wrong on the way to a host. All of them stand here; none holds an address, a
//! path, a secret or a byte that a host sent.

use portcullis_core::answer::RunFault;

const fn fault(code: &'static str, message: &'static str) -> RunFault {
    RunFault {
        code,
        message,
        at: None,
    }
}

/// The host took no key of ours.
pub(crate) const AUTHENTICATION_FAILED: RunFault = fault(
    "authentication_failed",
    "SSH authentication failed: Invalid credentials",
);
/// The agent does not answer, belongs to somebody else, or does not sign.
pub(crate) const AGENT_UNAVAILABLE: RunFault = fault(
    "agent_unavailable",
    "SSH agent cannot be used: Check SSH_AUTH_SOCK and whether the agent confirms each use",
);
/// The agent does not hold the key that is named.
pub(crate) const AGENT_KEY_MISSING: RunFault = fault(
    "agent_key_missing",
    "SSH agent does not hold the key: Check agent_key and ssh-add -l",
);
/// The password is no text.
pub(crate) const PASSWORD_UNUSABLE: RunFault = fault(
    "password_unusable",
    "SSH password cannot be used: It is not UTF-8",
);
/// The host asked for something else than one password.
pub(crate) const QUESTION_UNEXPECTED: RunFault = fault(
    "question_unexpected",
    "SSH authentication failed: The host asks for more than a password",
);
/// The host's entry names no credential.
pub(crate) const CREDENTIAL_MISSING: RunFault = fault(
    "credential_missing",
    "SSH permission denied: Check username and credentials",
);
/// The host showed another key than the recorded ones, or has none of the recorded types.
pub(crate) const HOST_KEY_MISMATCH: RunFault = fault(
    "host_key_mismatch",
    "SSH host key verification failed: Host key mismatch",
);
/// No usable key is recorded for the host.
pub(crate) const HOST_KEY_UNKNOWN: RunFault = fault(
    "host_key_unknown",
    "SSH host key not found: Add host to known_hosts",
);
/// The host showed a revoked key.
pub(crate) const HOST_KEY_REVOKED: RunFault =
    fault("host_key_revoked", "SSH host key verification failed");
/// The host showed a certificate that is not valid yet, or no longer.
pub(crate) const HOST_CERTIFICATE_TIME: RunFault = fault(
    "host_certificate_time",
    "SSH host key verification failed: The host's certificate is not valid at this time",
);
/// The host showed a certificate for other names.
pub(crate) const HOST_CERTIFICATE_NAME: RunFault = fault(
    "host_certificate_name",
    "SSH host key verification failed: The host's certificate is for other names",
);
/// The host showed a certificate of another kind, with options that nobody knows, or with a bad signature.
pub(crate) const HOST_CERTIFICATE_UNUSABLE: RunFault = fault(
    "host_certificate_unusable",
    "SSH host key verification failed: The host's certificate cannot be used",
);
/// The host showed an RSA key of less than 2048 bits.
pub(crate) const HOST_KEY_SHORT: RunFault = fault(
    "host_key_short",
    "SSH host key verification failed: The host's RSA key is too short",
);
/// No answer in time, from the socket to the login.
pub(crate) const CONNECTION_TIMEOUT: RunFault = fault(
    "connection_timeout",
    "SSH connection timeout: Host did not respond",
);
/// A host on the way forwards nothing.
pub(crate) const JUMP_PROHIBITED: RunFault = fault(
    "jump_prohibited",
    "SSH jump host does not forward: Check AllowTcpForwarding and PermitOpen there",
);
/// A host on the way is gone, or says nothing.
pub(crate) const JUMP_LOST: RunFault = fault(
    "jump_lost",
    "SSH jump host does not answer: The connection to it is lost",
);
/// The port refused the connection.
pub(crate) const CONNECTION_REFUSED: RunFault = fault(
    "connection_refused",
    "SSH connection refused: Port may be closed or firewall blocking",
);
/// No way leads to the host.
pub(crate) const NETWORK_UNREACHABLE: RunFault = fault(
    "network_unreachable",
    "SSH network unreachable: Cannot reach host",
);
/// Anything else before the login was done.
pub(crate) const CONNECTION_FAILED: RunFault = fault(
    "connection_failed",
    "SSH connection failed: Check host, port, and network connectivity",
);
/// Host and gate have no algorithm in common.
pub(crate) const NO_COMMON_ALGORITHM: RunFault = fault(
    "no_common_algorithm",
    "SSH unable to connect: Host offers no accepted algorithm",
);
/// The socket's peer is not an admitted address.
pub(crate) const PEER_NOT_ADMITTED: RunFault = fault(
    "peer_not_admitted",
    "SSH connection failed: Connected address is not an admitted one",
);
/// The host opened no session, or took no command.
pub(crate) const SESSION_REFUSED: RunFault = fault(
    "session_refused",
    "SSH unable to run: Host refused the session",
);
/// The text to send is longer than a host takes.
pub(crate) const COMMAND_TOO_LONG: RunFault = fault(
    "command_too_long",
    "SSH unable to run: Command is too long for the host",
);
/// The connection ended before the command did.
pub(crate) const CONNECTION_LOST: RunFault = fault(
    "connection_lost",
    "SSH connection lost: The end of the command is not known",
);
/// The channel was closed without an exit status.
pub(crate) const EXIT_STATUS_MISSING: RunFault = fault(
    "exit_status_missing",
    "SSH session closed without an exit status: The end of the command is not known",
);
