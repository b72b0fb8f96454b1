//! Claims about the scanners: a program text in, the capabilities that it needs out.

#![allow(clippy::expect_used, reason = "tests")]
use super::*;

fn found(language: Language, text: &str) -> String {
    let mut words: Vec<String> = scan(language, text)
        .into_iter()
        .map(|effect| match effect {
            Effect::Needs(capability, _) => capability.as_str().to_owned(),
            Effect::Reads(path) => format!("<{path}"),
            Effect::Writes(path) => format!(">{path}"),
        })
        .collect();
    words.dedup();
    if words.is_empty() {
        "-".to_owned()
    } else {
        words.join(" ")
    }
}

/// Checks rows `WHAT IT DOES ## TEXT`; `\n` in a text is the end of a line.
fn check(language: Language, table: &str) {
    let mut wrong = String::new();
    for row in table.lines().map(str::trim).filter(|row| !row.is_empty()) {
        let (expected, text) = row.split_once(" ## ").expect(row);
        let text = text.replace("⏎", "\n");
        let got = found(language, &text);
        if got != expected.trim() {
            wrong.push_str(&format!("\n{text}: expected {expected}, got {got}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn an_awk_program_prints_or_acts() {
    check(
        Language::Awk,
        r#"
        -       ## {print $1}
        -       ## {print $9}
        -       ## $3 > 80 {print}
        -       ## $3 > 80
        -       ## $5+0 > 80 {print $6, $5}
        -       ## NR>1 && $4 > 10 { print $1 ; n++ } END { print n }
        -       ## {a[$1]++} END {for (k in a) print k, a[k]}
        -       ## /error|warn/ {print $0}
        -       ## /systemd|cron/{print}
        -       ## {print $1/1024 " MB"}
        -       ## {print "a|b > c"}
        -       ## {print (a > b)}
        -       ## $1||$2
        -       ## BEGIN{FS=":"} $3>=1000{print $1}
        -       ## !seen[$0]++
        -       ## {sum+=$1} END {printf "%.2f\n", sum/NR}
        -       ## {gsub(/[^0-9]/, ""); print}
        -       ## {while (getline > 0) n++}
        -       ## END{print (a+b)/2}
        execute ## BEGIN{system("id")}
        execute ## BEGIN{system ("id")}
        execute ## 1system("id")
        execute ## 0x1system("id")
        execute ## BEGIN{print "id"|"sh"}
        execute ## BEGIN{"id"|getline x; print x}
        execute ## BEGIN{"id" |& getline x}
        execute ## {print | cmd}
        execute ## @load "x"
        execute ## @include "x"; {print}
        execute ## BEGIN{f="system"; @f("id")}
        execute ## (1) /"/ + system("id") /"/
        execute ## {gsub(/[/]"/,""); system("id")}
        execute ## /[/]"/{print}; BEGIN{system("id")} /"/
        execute ## BEGIN{x="⏎";system("id")}
        >/etc/x ## {print > "/etc/x"}
        >/etc/x ## {print>>"/etc/x"}
        >/etc/x ## {print "a;b" > "/etc/x"}
        >/x     ## {print $1,⏎$2 > "/x"}
        write   ## {print > $1}
        write   ## {print > "/etc/" "x"}
        write   ## {print > "\57etc\57x"}
        write   ## {printf("%s", $1) > f}
        </etc/shadow ## BEGIN{while ((getline l < "/etc/shadow") > 0) print l}
        secret  ## BEGIN{while ((getline l < "/etc/sha" "dow") > 0) print l}
        secret  ## BEGIN{while ((getline l < f) > 0) print l}
        secret  ## BEGIN{print ENVIRON["HOME"]}
        secret  ## BEGIN{ARGV[1]="/etc/shadow"}
        network ## BEGIN{print "x" > "/inet/tcp/0/h/80"}
        execute ## BEGIN{"/inet/tcp/0/h/80" |& getline}
        "#,
    );
}

#[test]
fn a_sed_script_prints_or_acts() {
    check(
        Language::Sed,
        r"
        -       ## s/a/b/
        -       ## s/a/b/g;s/c/d/2p
        -       ## 1,10p
        -       ## /error/p
        -       ## $!d
        -       ## /start/,/end/p
        -       ## 0~3d
        -       ## /x/I,+2{s/a/b/;p}
        -       ## s/[^/]*$//
        -       ## s,/[^/]*$,,
        -       ## s|.*/||
        -       ## s/\//_/g
        -       ## s/[[:space:]]*$//
        -       ## :a;N;$!ba;s/\n/ /g
        -       ## y/abc/xyz/
        -       ## # only words
        -       ## 5q
        -       ## s/e/w/g
        -       ## \,x,d
        -       ## a hello; e id
        execute ## 1e id
        execute ## e
        execute ## $e
        execute ## s/x/id/e
        execute ## s/x/id/ge
        execute ## s/a/b/;e id
        execute ## :a;e id
        execute ## /x/{p;e id⏎}
        execute ## s/a[/]b/_/e
        execute ## s/[/]e;/x/;p/
        execute ## s/a/b\
        execute ## a\
        execute ## p x
        execute ## s/a
        </etc/shadow ## r /etc/shadow
        </etc/shadow ## R/etc/shadow
        </etc/shadow ## $r /etc/shadow
        >/etc/x ## w /etc/x
        >/etc/x ## s/a/b/w /etc/x
        >/etc/x ## s/a/b/gw /etc/x
        >/etc/x;p ## /a/W /etc/x;p
        </a >/b ## r /a⏎w /b
        ",
    );
}

#[test]
fn a_jq_program_reshapes_or_looks_elsewhere() {
    check(
        Language::Jq,
        r##"
        -       ## .
        -       ## .items[] | select(.env == "env") | {name, env: .env}
        -       ## .items[].metadata.name
        -       ## "\(.a) env"
        -       ## map(.environment)
        -       ## $env
        -       ## input_filename
        secret  ## env
        secret  ## $ENV
        secret  ## $ENV.PATH
        secret  ## env.PATH
        secret  ## .a | env
        secret  ## "\(env)"
        secret  ## "\("\(env)")"
        execute ## . # "⏎| env
        execute ## include "x"; .
        execute ## import "x" as y; .
        </etc/shadow ## load("/etc/shadow")
        secret  ## load_str(.path)
        execute ## eval(.a)
        "##,
    );
}

#[test]
fn statements_that_read_are_told_from_others() {
    check(
        Language::Psql,
        r"
        -       ## select 1
        -       ## SELECT count(*) FROM pg_stat_activity;
        -       ## select * from pg_stat_activity where state = 'active' and query like '%update%'
        -       ## select pg_size_pretty(pg_database_size('x'))
        -       ## select now(); select version()
        -       ## show max_connections
        -       ## explain analyze select 1
        -       ## with a as (select 1) select * from a
        -       ## \l
        -       ## \dt+
        -       ## \conninfo
        -       ## \d users
        -       ## begin; select 1; rollback
        execute write ## copy t to program 'sh'
        write   ## select 1; drop table x
        write   ## select ';show' ; delete from x
        write   ## /* select */ drop table x
        write   ## with a as (delete from x returning 1) select * from a
        write   ## explain analyze delete from x
        write   ## select * into y from x
        write   ## do $$ begin end $$
        write   ## update x set a = 1
        write   ## select pg_reload_conf()
        write   ## select pg_terminate_backend(1)
        write   ## select lo_export(1, '/x')
        write   ## select setval('a', 1)
        write   ## select dblink_exec('x', 'y')
        write   ## select pg_rotate_logfile/**/()
        secret write ## select pg_read_file('/etc/passwd')
        secret  ## select * from pg_shadow
        execute ## \! id
        execute ## \o |sh
        execute ## \copy x to program 'sh'
        execute ## \i /tmp/x
        execute ## \x \! id
        execute ## \set x `id`
        execute ## select 1 \g |sh
        ",
    );
    check(
        Language::Mysql,
        r"
        -       ## show processlist
        -       ## SHOW SLAVE STATUS\G
        -       ## select user, host from mysql.user
        -       ## status
        secret  ## select * from mysql.user
        secret  ## select load_file('/etc/passwd')
        write   ## select 1 into outfile '/x'
        write   ## show tables; drop table x
        write   ## show slave status\Gdrop table x
        write   ## select /*! 1 into outfile '/x' */
        execute write ## system id
        execute write ## select 1; system id
        execute write ## select 1⏎;⏎source /tmp/x
        execute write ## \! id
        execute write ## delimiter x
        write   ## set global x = 1
        ",
    );
    check(
        Language::Sqlite,
        r"
        -       ## .tables
        -       ## .schema users
        -       ## select * from a
        -       ## pragma table_info(x)
        -       ## pragma integrity_check;
        write   ## pragma user_version = 3
        write   ## attach 'x' as y
        execute ## .shell id
        execute ## .system id
        execute ## .output |sh
        execute ## .load /tmp/x
        execute ## select 1;⏎.shell id
        write   ## select writefile('/x', 'y')
        secret  ## select readfile('/etc/shadow')
        ",
    );
}

#[test]
fn an_expression_of_mongodb_looks_or_is_not_known() {
    check(
        Language::Mongo,
        r#"
        -       ## db.serverStatus()
        -       ## db.serverStatus().connections
        -       ## rs.status()
        -       ## rs.status().ok
        -       ## db.adminCommand('ping')
        -       ## db.adminCommand({ping: 1}).ok
        -       ## JSON.stringify(db.stats())
        -       ## show dbs
        -       ## db.users.countDocuments({})
        -       ## printjson(rs.conf()); db.version()
        execute ## db.dropDatabase()
        execute ## db.users.find({$where: "x"})
        execute ## db.adminCommand({shutdown: 1})
        execute ## require("child_process").execSync("id")
        execute ## db.version() || run("id")
        execute ## db.users.find().forEach(function(x){run("id")})
        execute ## print(db.version()),run("id")
        "#,
    );
}

#[test]
fn a_program_text_that_is_too_long_is_not_read() {
    let text = "p\n".repeat(TEXT_BYTES_MAX);
    assert_eq!(found(Language::Sed, &text), "execute");
    assert_eq!(found(Language::Sed, "p\np"), "-");
}
