//! Claims about the programs in `system`, `network`, `containers`, `packages` and `disks`.

use super::check;

#[test]
fn the_date_is_shown_or_set() {
    check(
        r"
        -       | date +%s
        -       | date -d yesterday '+%F %T'
        -       | date -d -1day
        write   | date -s 2001-01-01
        write   | date --se=2001-01-01
        write   | date 010100002001
        -       | date -u
        ",
    );
}
