//! Claims about the programs in `system`, `network`, `containers`, `packages` and `disks`: what people run all
//! day to look at a machine needs nothing, or just the network.

use super::check;

mod harm;
mod harm_network;

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

#[test]
fn looking_at_services_needs_nothing() {
    check(
        r#"
        - | systemctl
        - | systemctl status nginx
        - | systemctl status 'nginx*'
        - | systemctl status nginx.service --no-pager -l
        - | systemctl -n 50 status nginx
        - | systemctl --no-pager --full status nginx php8.1-fpm
        - | systemctl is-active sshd
        - | systemctl is-enabled --quiet cron
        - | systemctl is-failed nginx
        - | systemctl is-system-running
        - | systemctl list-units --type=service --state=failed
        - | systemctl list-units -t service --all --no-legend --plain
        - | systemctl list-unit-files --state enabled
        - | systemctl list-timers --all
        - | systemctl list-sockets
        - | systemctl list-jobs
        - | systemctl list-dependencies multi-user.target
        - | systemctl show nginx -p ActiveState,SubState
        - | systemctl show -p MainPID --value nginx
        - | systemctl cat reboot.target
        - | systemctl status poweroff.target
        - | systemctl get-default
        - | systemctl --failed
        - | systemctl --version
        - | systemctl --user list-units
        - | journalctl
        - | journalctl -xe
        - | journalctl -u nginx -n 50 --no-pager -o short-iso
        - | journalctl -u nginx --since "1 hour ago" --no-pager
        - | journalctl -u ssh -S today -U now -q
        - | journalctl -p err -S today -o json
        - | journalctl -b -1 -p warning
        - | journalctl -fu nginx
        - | journalctl -k --no-hostname
        - | journalctl -n100
        - | journalctl --lines=20 -r
        - | journalctl --disk-usage
        - | journalctl --list-boots
        - | journalctl -g 'out of memory' --case-sensitive=no
        - | journalctl _PID=1 + _UID=0
        - | journalctl -t sshd -t sudo -o cat
        - | journalctl --verify
        - | journalctl --output-fields=MESSAGE -o json
        - | loginctl
        - | loginctl list-sessions --no-legend
        - | loginctl show-session 3 -p State
        - | hostnamectl
        - | hostnamectl status
        - | hostnamectl --json=pretty
        - | hostnamectl hostname
        - | timedatectl
        - | timedatectl show
        - | timedatectl show -p NTPSynchronized --value
        - | timedatectl timesync-status
        - | timedatectl list-timezones
        - | localectl status
        - | busctl list
        - | busctl tree org.freedesktop.systemd1
        - | systemd-analyze
        - | systemd-analyze blame
        - | systemd-analyze critical-chain nginx.service
        - | systemd-analyze security sshd.service
        - | systemd-analyze calendar '*-*-* 04:00'
        - | systemd-cgls --no-pager
        - | systemd-cgtop -b -n 1
        - | coredumpctl list
        - | coredumpctl
        - | coredumpctl info 1234
        - | service nginx status
        - | service --status-all
        - | crontab -l
        - | crontab -l -u deploy
        - | crontab -u deploy -l
        - | atq
        - | at -l
        - | update-alternatives --display java
        - | systemctl status '*'
        - | nginx -t
        - | nginx -T
        - | nginx -V
        - | nginx -tq
        - | nginx -t -c /etc/nginx/nginx.conf
        - | apachectl configtest
        - | apache2ctl -S
        - | apachectl -t -D DUMP_VHOSTS
        - | httpd -M
        - | haproxy -c -f /etc/haproxy/haproxy.cfg
        - | haproxy -vv
        - | php-fpm8.2 -t
        - | php-fpm -v
        - | sshd -T
        - | visudo -c
        - | postqueue -p
        - | mailq
        - | postconf -n
        - | postconf mydestination myhostname
        - | postfix status
        - | fail2ban-client status sshd
        - | supervisorctl status
        - | supervisorctl tail web
        - | monit summary
        - | pm2 ls
        - | rabbitmqctl cluster_status
        - | rabbitmqctl list_queues name messages -p /
        - | rabbitmqctl -q list_connections
        - | chronyc tracking
        - | chronyc -n sources -v
        - | chronyc sourcestats
        - | ntpq -p
        - | ntpq -pn
        - | certbot certificates
        "#,
    );
}

#[test]
fn looking_at_the_machine_needs_nothing() {
    check(
        r#"
        - | uptime -p
        - | uname -a
        - | free -h -s 1 -c 2
        - | vmstat 1 5
        - | iostat -xz 1 3
        - | mpstat -P ALL 1 1
        - | pidstat -u -p 1234 1 3
        - | sar -u 1 3
        - | sar -n DEV 1 1
        - | sar -f /var/log/sysstat/sa21 -r
        - | nproc --all
        - | lscpu -e
        - | lsmem
        - | lsblk -o NAME,SIZE,FSTYPE,MOUNTPOINT
        - | lsblk -f
        - | lspci -nnk
        - | lsusb -t
        - | lsmod
        - | modinfo nf_conntrack
        - | modprobe -n -v nf_conntrack
        - | dmesg
        - | dmesg -T
        - | dmesg -Tx --level=err,warn
        - | dmesg --ctime --since '1 hour ago'
        - | dmesg -H --nopager
        - | hostname
        - | hostname -f
        - | hostname -I
        - | hostname --all-ip-addresses
        - | sysctl -a
        - | sysctl -n vm.swappiness
        - | sysctl net.ipv4.ip_forward
        - | sysctl -ar 'net.ipv4.tcp_.*mem'
        - | sysctl net.core.somaxconn vm.swappiness
        - | mount
        - | mount -l -t ext4
        - | findmnt -no SOURCE /
        - | findmnt --target /srv -J
        - | swapon --show
        - | swapon --show=NAME,SIZE --noheadings --bytes
        - | swapon -s
        - | ps aux
        - | ps auxww
        - | ps axjf
        - | ps -ef
        - | ps -e
        - | ps -eo pid,pcpu,comm --sort=-pcpu
        - | ps -eo pid,ppid,cmd,%mem,%cpu --sort=-%mem
        - | ps -C nginx -o pid=
        - | ps -p 1234 -o etime=
        - | ps -u deploy -f
        - | ps aux --sort -rss
        - | ps axo pid,etime,args
        - | ps 1234
        - | ps -eLf
        - | top -b -n1
        - | top -b -n1 -o %MEM
        - | top -bn1 -c -w 200
        - | pgrep -fa nginx
        - | pgrep -u deploy -l
        - | pidof nginx
        - | pstree -p 1
        - | pmap -x 1234
        - | lsof -i :443
        - | lsof -iTCP -sTCP:LISTEN -P -n
        - | lsof -nP -p 1234
        - | lsof /var/log/syslog
        - | lsof +L1
        - | lsof +D /var/log
        - | fuser -v /srv
        - | fuser 443/tcp
        - | last -n 5 reboot
        - | last -x -F
        - | lastlog -u deploy
        - | who -b
        - | w -h
        - | id deploy
        - | groups deploy
        - | users
        - | getent passwd deploy
        - | getent group docker
        - | quota -s
        - | getconf PAGE_SIZE
        - | locale -a
        - | lsb_release -a
        - | chage -l deploy
        - | passwd -S deploy
        "#,
    );
}

#[test]
fn looking_at_the_network_needs_at_most_the_network() {
    check(
        r#"
        - | ip a
        - | ip addr
        - | ip -br a
        - | ip -br -c addr show
        - | ip -4 -o addr show scope global
        - | ip addr show dev eth0
        - | ip a s eth0
        - | ip addr list
        - | ip link
        - | ip -s link show eth0
        - | ip -s -s l
        - | ip -d link show type bridge
        - | ip r
        - | ip route
        - | ip route show table all
        - | ip route list 10.0.0.0/8
        - | ip route get 1.1.1.1
        - | ip r g 1.1.1.1
        - | ip -6 route
        - | ip rule
        - | ip rule show
        - | ip neigh
        - | ip n show nud reachable
        - | ip -j -p addr
        - | ip netns
        - | ip netns list
        - | ip netns identify 1234
        - | ip maddr
        - | ip tunnel show
        - | ip -V
        - | ip monitor route
        - | ip -color=never addr
        - | ip vrf show
        - | ip -n blue addr show
        - | bridge fdb show
        - | bridge -d vlan
        - | tc -s qdisc show dev eth0
        - | tc class show dev eth0
        - | ss -tlnp
        - | ss -s
        - | ss -lntp '( sport = :443 )'
        - | ss -tan state established
        - | ss -tn src :443
        - | ss -tnp dst 10.0.0.1
        - | ss -xl
        - | netstat -tulpn
        - | netstat -rn
        - | route -n
        - | ifconfig
        - | ifconfig -a
        - | ifconfig eth0
        - | arp -n
        - | arp -an
        - | ethtool eth0
        - | ethtool -S eth0
        - | ethtool -i eth0
        - | ethtool -k eth0
        - | nmcli
        - | nmcli dev status
        - | nmcli -t -f NAME,DEVICE con show --active
        - | nmcli general status
        - | networkctl status eth0
        - | resolvectl status
        - | resolvectl dns
        - | resolvectl statistics
        network | resolvectl query example.com
        network | ping -c 3 10.0.0.1
        network | ping -c1 -W2 gw
        network | traceroute -n 10.0.0.1
        network | mtr -rwc 10 example.com
        network | tracepath example.com
        network | dig +short example.com
        network | dig @10.0.0.2 example.com A +short
        network | dig -x 10.0.0.1
        network | dig example.com MX +noall +answer
        network | host example.com
        network | host -t mx example.com
        network | nslookup example.com 10.0.0.2
        network | whois example.com
        network | getent hosts db1
        network | curl http://127.0.0.1/health
        network | curl -sS -o /dev/null -w '%{http_code}' http://127.0.0.1/health
        network | curl -fsSL https://example.com/
        network | curl -I https://example.com
        network | curl -sk -H 'Host: a.example' https://127.0.0.1/
        network | curl -X GET http://127.0.0.1:9200/_cluster/health?pretty
        network | curl --max-time 5 -s localhost:8080/metrics
        network | curl -sS --connect-timeout 3 --resolve a:443:127.0.0.1 https://a/
        network | curl -G --data-urlencode 'query=up' http://127.0.0.1:9090/api/v1/query
        network | curl -4 -s http://[::1]:8080/x
        network | wget -qO- http://127.0.0.1/
        network | wget -q --spider http://127.0.0.1/health
        network | wget -O /dev/null http://127.0.0.1/x
        network | nc -zv 10.0.0.1 443
        network | nc -z -w 3 db 5432
        network | nmap -p 443 10.0.0.1
        network | nmap -sT -Pn -p22,80 10.0.0.1
        network | ssh-keyscan -t ed25519 h
        - | ssh -V
        - | ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub
        - | tcpdump -i eth0 -nn -c 20 port 443
        - | tcpdump -D
        - | nft list ruleset
        - | nft -a list table inet filter
        - | iptables -L -n -v
        - | iptables -nvL INPUT --line-numbers
        - | iptables -t nat -S
        - | iptables -S
        - | ip6tables -L
        - | iptables-save
        - | ipset list
        - | ufw status verbose
        - | ufw status numbered
        - | firewall-cmd --list-all
        - | firewall-cmd --state
        - | firewall-cmd --zone=public --list-ports
        - | brctl show
        - | conntrack -L
        - | conntrack -C
        - | wg
        - | wg show
        - | wg show wg0
        "#,
    );
}

#[test]
fn looking_at_containers_needs_nothing() {
    check(
        r#"
        - | docker ps --format '{{.Names}}'
        - | docker ps -a --filter "status=exited" -q
        - | docker inspect -f '{{.State.Health.Status}}' web
        - | docker logs --tail 100 web
        - | docker logs -f --since 10m web
        - | docker stats --no-stream
        - | docker network ls
        - | docker network inspect bridge
        - | docker volume ls -q
        - | docker images
        - | docker image ls --digests
        - | docker container ls -a
        - | docker system df -v
        - | docker top web
        - | docker version --format '{{.Server.Version}}'
        - | docker info
        - | docker port web
        - | docker diff web
        - | docker events --since 1h --until now
        - | docker history --no-trunc app:latest
        - | docker compose ps
        - | docker compose -f /srv/app/compose.yml ps
        - | docker compose -p app logs --tail=50 web
        - | docker compose config --services
        - | docker compose top
        - | docker-compose -f /srv/app/docker-compose.yml ps
        - | docker service ls
        - | docker node ls
        - | docker stack ps app
        - | docker context ls
        - | docker -v
        - | podman ps -a --format json
        - | podman pod ps
        - | podman inspect web
        - | podman logs --tail 5 web
        - | crictl ps -a
        - | crictl --runtime-endpoint unix:///run/containerd/containerd.sock ps
        - | crictl logs --tail=20 abc
        - | crictl inspect abc
        - | ctr -n k8s.io containers ls
        - | ctr images ls -q
        - | kubectl get pods -A
        - | kubectl get po -l app=web -o jsonpath="{.items[*].metadata.name}"
        - | kubectl -n prod get deploy web -o yaml
        - | kubectl get all -n prod
        - | kubectl get nodes -o wide --show-labels
        - | kubectl get events --sort-by=.lastTimestamp
        - | kubectl get pod secrets-store-csi-driver-x2x
        - | kubectl get cm,svc,ing -n prod
        - | kubectl --context prod get ns
        - | kubectl describe pod web-1 -n prod
        - | kubectl describe node n1
        - | kubectl logs deploy/web -n prod --tail=100
        - | kubectl logs -f web-1 -c app --since=1h
        - | kubectl top nodes
        - | kubectl top pods --containers --sort-by=cpu
        - | kubectl version
        - | kubectl version --client -o json
        - | kubectl plugin list
        - | kubectl api-resources
        - | kubectl cluster-info
        - | kubectl explain secret.data
        - | kubectl auth can-i list pods
        - | kubectl rollout status deploy/web
        - | kubectl rollout history deployment/web -n prod
        - | kubectl config current-context
        - | kubectl config get-contexts
        - | kubectl config view
        - | helm list -A
        - | helm ls -n prod --failed
        - | helm status web -n prod
        - | helm history web
        - | helm get values web -n prod
        - | helm version --short
        - | helm repo list
        - | etcdctl endpoint health --cluster
        - | etcdctl --endpoints=https://127.0.0.1:2379 member list -w table
        - | consul members -detailed
        - | vault status
        "#,
    );
}

#[test]
fn looking_at_packages_and_disks_needs_nothing() {
    check(
        r#"
        - | apt list --upgradable
        - | apt list --installed 'nginx*'
        - | apt-cache policy nginx
        - | apt-cache search --names-only nginx
        - | apt show nginx
        - | apt-cache madison nginx
        - | apt-mark showhold
        - | dpkg -l
        - | dpkg -l 'nginx*'
        - | dpkg -L nginx
        - | dpkg -S /usr/sbin/nginx
        - | dpkg -s nginx
        - | dpkg --get-selections
        - | dpkg --print-architecture
        - | dpkg-query -W -f='${Package} ${Version}\n' nginx
        - | rpm -qa
        - | rpm -qa --last
        - | rpm -qi nginx
        - | rpm -ql nginx
        - | rpm -qf /usr/sbin/nginx
        - | rpm -q --queryformat '%{NAME} %{VERSION}\n' nginx
        - | rpm -q --changelog openssl
        - | rpm -V nginx
        - | yum list installed
        - | yum check-update
        - | dnf list --installed
        - | dnf repolist -v
        - | dnf info nginx
        - | dnf history
        - | dnf history info 5
        - | yum -q provides /usr/sbin/nginx
        - | dnf updateinfo list security
        - | zypper lu
        - | zypper se -i nginx
        - | apk info -vv
        - | apk list --installed
        - | apk policy nginx
        - | snap list
        - | snap services
        - | pacman -Q
        - | pacman -Qi nginx
        - | pacman -Qu
        - | flatpak list
        - | lvs
        - | lvs -a -o +devices
        - | vgs --noheadings -o vg_name,vg_free --units g
        - | pvs
        - | lvdisplay /dev/vg0/root
        - | mdadm --detail /dev/md0
        - | mdadm -D /dev/md0
        - | mdadm --examine --scan
        - | smartctl -H /dev/sda
        - | smartctl -a -d sat /dev/sda
        - | smartctl -l selftest /dev/nvme0
        - | smartctl --scan
        - | hdparm -I /dev/sda
        - | nvme list
        - | nvme smart-log /dev/nvme0
        - | zpool status -x
        - | zpool status -v tank
        - | zpool list -H -o name,health
        - | zpool iostat -v 1 3
        - | zfs list -t snapshot -o name,used
        - | zfs get compression tank
        - | btrfs filesystem df /
        - | btrfs fi show
        - | btrfs sub list /
        - | btrfs subvolume list /
        - | btrfs device stats /
        - | btrfs scrub status /
        - | xfs_info /srv
        - | tune2fs -l /dev/sda1
        - | dumpe2fs -h /dev/sda1
        - | blkid
        - | blkid -o value -s UUID /dev/sda1
        - | fdisk -l
        - | fdisk -l /dev/sda
        - | sfdisk -d /dev/sda
        - | parted -l
        - | parted -s /dev/sda print
        - | parted /dev/sda unit MiB print free
        - | losetup -a
        - | dmsetup ls --tree
        - | blockdev --getsize64 /dev/sda
        - | dmidecode -t memory
        - | dmidecode -s system-serial-number
        - | ipmitool sdr list
        - | ipmitool sel elist
        - | ipmitool chassis status
        - | sensors
        - | multipath -ll
        - | iscsiadm -m session
        - | cryptsetup status root
        - | cryptsetup luksDump /dev/sda2
        - | e2fsck -n /dev/sda1
        "#,
    );
}
