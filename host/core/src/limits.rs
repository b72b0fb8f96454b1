//! Every bound of the gate, by name. Nothing here is computed and nothing else defines a bound that
//! more than one room needs.

/// Longest host alias, in characters after trimming.
pub const ALIAS_CHARS_MAX: usize = 100;
/// Longest tag, in characters after trimming.
pub const TAG_CHARS_MAX: usize = 50;
/// Longest task id, in characters after trimming.
pub const TASK_ID_CHARS_MAX: usize = 200;
/// Longest command, in characters after trimming.
pub const COMMAND_CHARS_MAX: usize = 10_000;
/// Longest command, in bytes of UTF-8: four for each permitted character.
pub const COMMAND_BYTES_MAX: usize = 40_000;
/// Longest secret name in `credentials.yml`, in characters.
pub const SECRET_NAME_CHARS_MAX: usize = 100;
/// Longest key path in `credentials.yml`, in characters.
pub const KEY_PATH_CHARS_MAX: usize = 500;
/// Largest YAML file, in bytes.
pub const YAML_BYTES_MAX: u64 = 10_485_760;
/// Largest private key file, in bytes.
pub const KEY_FILE_BYTES_MAX: u64 = 65_536;
/// Largest secret file, in bytes.
pub const SECRET_FILE_BYTES_MAX: u64 = 65_536;
/// Largest known_hosts file, in bytes.
pub const KNOWN_HOSTS_BYTES_MAX: u64 = 16_777_216;

/// Deepest nesting of a script.
pub const SHELL_DEPTH_MAX: usize = 16;
/// Most simple commands in a script.
pub const SHELL_LEAVES_MAX: usize = 48;
/// Most words in one simple command.
pub const SHELL_WORDS_MAX: usize = 512;

/// Wall time of a run where no policy says otherwise, in seconds.
pub const RUN_SECONDS_DEFAULT: u64 = 60;
/// Longest wall time a policy may give a run, in seconds (one day).
pub const RUN_SECONDS_MAX: u64 = 86_400;
/// Output shown to the caller where no policy says otherwise, in bytes.
pub const OUTPUT_BYTES_DEFAULT: u64 = 1_048_576;
/// Most output that a policy may show, in bytes.
pub const OUTPUT_BYTES_MAX: u64 = 67_108_864;
/// Output after which a command is ended, in bytes, where no policy says otherwise (4 GiB).
pub const OUTPUT_HARD_STOP_BYTES_DEFAULT: u64 = 4_294_967_296;
/// Kept on either side of a cut, so that redaction sees a secret which the cut would split.
pub const OUTPUT_CUT_SLACK_BYTES: usize = 16_384;
/// Seconds that a finished task's result is kept, by default.
pub const TASK_RESULT_TTL_SECONDS_DEFAULT: u64 = 300;
/// Seconds between progress notes of a task, by default.
pub const TASK_PROGRESS_INTERVAL_SECONDS_DEFAULT: u64 = 5;

/// Time for connecting a socket, in seconds.
pub const CONNECT_SECONDS_MAX: u64 = 10;
/// Time for the SSH key exchange, in seconds.
pub const HANDSHAKE_SECONDS_MAX: u64 = 15;
/// Time for SSH authentication, in seconds.
pub const AUTHENTICATE_SECONDS_MAX: u64 = 15;
/// Time for resolving a name, in seconds.
pub const RESOLVE_SECONDS_MAX: u64 = 5;
/// Most look-ups of one name within a second.
pub const DNS_LOOKUPS_PER_SECOND_MAX: usize = 10;
/// Time that the addresses of a name are kept where no setting says otherwise, in seconds.
pub const DNS_CACHE_SECONDS: u64 = 60;
/// Longest time that a name is kept as one without an address, in seconds.
pub const DNS_NEGATIVE_CACHE_SECONDS: u64 = 5;
/// Most hosts on the way to another.
pub const JUMP_HOPS_MAX: usize = 4;
/// Time after which an SSH connection that nobody uses is closed, in seconds.
pub const CONNECTION_IDLE_SECONDS_MAX: u64 = 120;
/// Age after which an SSH connection takes no further command, in seconds.
pub const CONNECTION_AGE_SECONDS_MAX: u64 = 3_600;
/// Most SSH connections that are kept open.
pub const CONNECTIONS_KEPT_MAX: usize = 1_024;
/// Hosts that are worked with at once where a verb is for many and does not say how many.
pub const HOSTS_AT_ONCE_DEFAULT: usize = 32;
/// Most hosts that one verb works with at once.
pub const HOSTS_AT_ONCE_MAX: usize = 256;
/// Output that one command on many hosts shows, all hosts together, in bytes: each has an equal share.
pub const FLEET_OUTPUT_BYTES_MAX: usize = 67_108_864;
/// Smallest share of a host, in bytes, whatever their number.
pub const FLEET_OUTPUT_SHARE_BYTES_MIN: usize = 4_096;
/// Time for ending a remote command in all its steps, in milliseconds.
pub const END_LADDER_MS_MAX: u64 = 3_000;

/// Longest reason that a plugin may give, in bytes.
pub const PLUGIN_REASON_BYTES_MAX: usize = 512;
/// Longest label that a redactor may give a span, in bytes.
pub const PLUGIN_LABEL_BYTES_MAX: usize = 32;
/// Most labels that one redactor may give in one stream; spans with further ones are masked without a name.
pub const PLUGIN_LABELS_MAX: usize = 16;
/// Most spans that one redactor may report for one stream.
pub const PLUGIN_SPANS_MAX: usize = 65_536;

/// Largest line that the MCP server reads, in bytes.
pub const MCP_LINE_BYTES_MAX: usize = 1_048_576;
/// Most MCP calls under way at once.
pub const MCP_IN_FLIGHT_MAX: usize = 32;
