//! A policy loads, or every fault says where it is; what loads judges without panicking, and the same twice.

use super::judge::{host, judged};
use portcullis_core::config;

const COMMANDS: [&str; 6] = [
    "uptime",
    "cat /var/log/syslog",
    "sudo systemctl restart nginx",
    "find / -exec rm {} ';'",
    "cd /srv && ls *.log | grep \"$x\" >out",
    "for f in a /etc/passwd; do rm -rf \"$f\"; done",
];

pub(super) fn hold(text: &str) {
    match config::policy(text) {
        Err(faults) => {
            assert_eq!(
                config::policy(text).map(drop),
                Err(faults.clone()),
                "{text:?}"
            );
            assert!(!faults.is_empty(), "no fault in {text:?}");
            // For YAML a carriage return ends a line too.
            let lines = text.matches(['\n', '\r']).count() + 2;
            for fault in faults {
                assert!(!fault.message.is_empty(), "{fault:?}");
                assert!(
                    usize::try_from(fault.line).unwrap() <= lines,
                    "{fault:?} of {text:?}"
                );
                assert!(!fault.to_string().is_empty());
            }
        }
        Ok((policy, _)) => {
            let mut prepared = policy.clone();
            let host = host();
            prepared.prepare([&host].into_iter());
            assert_eq!(policy.rules().len(), policy.rule_count());
            for command in COMMANDS {
                let first = judged(&policy, &host, command);
                assert_eq!(first, judged(&prepared, &host, command), "{text:?}");
            }
        }
    }
}
