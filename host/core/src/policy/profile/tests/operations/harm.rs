//! Claims about system programs, packages and disks: what changes, runs or shows more than a look does.

use super::check;

#[test]
fn services_are_operated_and_all_else_is_more_than_that() {
    check(
        r#"
        operate | systemctl restart nginx
        operate | systemctl reload nginx php-fpm
        operate | systemctl stop nginx
        operate | systemctl start nginx.service
        operate | systemctl try-restart nginx
        operate | systemctl --no-block restart nginx
        operate | systemctl daemon-reload
        operate | systemctl reset-failed
        operate write | systemctl start poweroff.target
        operate write | systemctl start reboot.target
        operate write | systemctl --no-block start 'power?ff.target' systemd-poweroff
        operate write | systemctl start emergency
        operate write | systemctl start ctrl-alt-del.target
        operate write | systemctl restart systemd-halt.service
        operate execute | systemctl start /tmp/evil.service
        execute operate | systemctl -H root@192.0.2.1 restart nginx
        execute | systemctl --host=192.0.2.1 status nginx
        execute | systemctl --hos=192.0.2.1 status nginx
        execute | systemctl -M c status nginx
        execute | systemctl status nginx -Hh
        execute | systemctl --root=/tmp/x is-enabled x
        operate write | systemctl stop '*'
        write | systemctl poweroff
        write | systemctl reboot --force
        write | systemctl -ff reboot
        write | systemctl kexec
        write | systemctl suspend
        write | systemctl rescue
        write | systemctl isolate multi-user.target
        write | systemctl enable nginx
        write | systemctl enable --now nginx
        write | systemctl disable nginx
        write | systemctl mask nginx
        write | systemctl kill -s KILL nginx
        write | systemctl set-property nginx MemoryMax=1M
        write | systemctl set-default graphical.target
        write execute | systemctl link /tmp/x.service
        execute | systemctl edit nginx
        execute | systemctl edit --stdin nginx
        execute | systemctl set-environment LD_PRELOAD=/tmp/x.so
        execute | systemctl import-environment PATH
        secret | systemctl show-environment
        execute | systemctl no-such-verb
        execute | systemctl --no-such-option status nginx
        write | systemctl log-level debug
        write | journalctl --rotate
        write | journalctl --rot
        write | journalctl --vacuum-time=1s
        write | journalctl --vacuum-size 1K
        write | journalctl --flush
        write | journalctl --setup-keys
        write | journalctl -n --rotate
        write | journalctl -u x --cursor-file=/etc/cron.d/x
        secret | journalctl --output-fields=MESSAGE --file=/etc/shadow
        secret | journalctl --file /etc/shadow
        execute | journalctl --root=/tmp/x
        execute | journalctl -M c
        execute | journalctl -fM c
        write | loginctl terminate-user root
        write | loginctl kill-session 3
        write | loginctl enable-linger deploy
        write | hostnamectl set-hostname x
        write | hostnamectl hostname x
        execute | hostnamectl -H h status
        write | timedatectl set-time 2001-01-01
        write | timedatectl set-ntp false
        write | timedatectl set-timezone UTC
        write | localectl set-locale LANG=C
        execute | busctl call org.freedesktop.systemd1 /org/freedesktop/systemd1 m Reboot
        secret | busctl monitor
        execute | dbus-send --system --dest=org.freedesktop.login1 /x y.PowerOff
        execute | systemd-analyze --root=/x verify y
        write | systemd-analyze log-level debug
        secret | systemd-analyze cat-config /etc/shadow
        secret | coredumpctl dump 1234
        write secret | coredumpctl -o /etc/x dump 1
        execute | coredumpctl debug
        execute | coredumpctl gdb --debugger=sh
        operate | service nginx restart
        operate | service nginx stop
        execute operate | service ../../tmp/x start
        execute | service nginx evil
        execute | crontab /tmp/x
        execute | crontab -
        execute | crontab
        execute | crontab -e
        execute write | crontab -r
        execute write | crontab -u deploy -r
        write | crontab -l -r
        execute | at now
        execute | at -f /tmp/x now
        write | update-alternatives --set editor /tmp/x
        write | atrm 1
        operate | nginx
        operate | nginx -s reload
        write | nginx -s stop
        execute | nginx -t -c /tmp/x.conf
        operate execute | nginx -g 'load_module /tmp/x.so;'
        execute | nginx -tc/tmp/x.conf
        operate | apachectl graceful
        write | apachectl stop
        operate | apache2ctl -k graceful
        execute | apachectl -t -f /tmp/x.conf
        execute | httpd -t -c 'LoadModule x /tmp/x.so'
        execute | haproxy -f /etc/haproxy/haproxy.cfg
        execute | haproxy -c -f /tmp/x.cfg
        execute | php-fpm -t -y /tmp/x
        execute | sshd -t -f /tmp/x
        execute | sshd
        operate | postfix reload
        write | postfix stop
        operate | postqueue -f
        write | postconf -e mynetworks=0.0.0.0/0
        write | postconf mynetworks=0.0.0.0/0
        write | fail2ban-client set sshd unbanip 192.0.2.1
        execute | fail2ban-client -c /tmp/x status
        operate | supervisorctl restart web
        execute | supervisorctl -c /tmp/x.conf status
        execute | supervisorctl
        execute | rabbitmqctl eval 'os:cmd("id").'
        write | rabbitmqctl add_user evil evil
        write | chronyc makestep
        write | chronyc -a settime 2001
        "#,
    );
}

#[test]
fn settings_of_the_machine_are_changed_only_with_a_grant() {
    check(
        r#"
        write | dmesg -C
        write | dmesg -c
        write | dmesg -Tc
        write | dmesg --clear
        write | dmesg --cle
        write | dmesg --read-clear
        write | dmesg -n 1
        write | dmesg -D
        secret | dmesg -F /etc/shadow
        write | hostname evil
        write | hostname -F /etc/shadow
        write | hostname -b x
        write | hostname --file=/etc/x
        write | sysctl -w kernel.panic=1
        write | sysctl kernel.panic=1
        write | sysctl -q net.ipv4.ip_forward=1
        write | sysctl -p
        write | sysctl -p/tmp/x
        write | sysctl --system
        write | sysctl --load=/tmp/x
        write | sysctl -nw vm.swappiness=1
        write | mount /dev/sda1 /mnt
        write | mount -o remount,rw /
        write | mount -a
        write | mount --bind / /mnt
        write | umount /mnt
        write | umount -l /
        write | swapon /dev/sdb
        write | swapon -a
        write | swapoff -a
        write | modprobe evil
        write | modprobe -r nf_conntrack
        execute | modprobe -n -C /tmp/x m
        execute | insmod /tmp/x.ko
        write | rmmod x
        secret | ps auxe
        secret | ps e
        secret | ps axewww
        secret | ps -ef e
        secret | ps -p 1 eww
        secret | ps -o pid,cmd e 1
        execute | pidstat -e sh
        write | sar -o /etc/x 1 1
        secret | sar -f /etc/shadow
        write | lastlog --clear -u x
        write | lastlog -C -u deploy
        write | faillock --user deploy --reset
        write | chage -E 0 deploy
        write | passwd deploy
        write | passwd -d root
        write | useradd evil
        write | usermod -aG sudo evil
        secret | getent shadow
        secret | getent shadow root
        secret | getent gshadow
        operate | kill 1234
        operate | kill -9 1234 1235
        operate | kill -HUP 1234
        operate | kill -s USR1 1234
        write | kill 1
        operate write | kill -9 1
        operate write | kill -9 -1
        operate write | kill -KILL -- -1
        operate write | kill -s KILL 01
        operate write | kill -s 9 -- ' 1'
        write operate | kill ' 1'
        write operate | kill +1
        operate write | kill 1234 1
        write | kill -1
        - | kill -l
        operate | pkill nginx
        operate | pkill -HUP nginx
        operate | pkill -USR1 -x nginx
        operate | pkill -f 'java -jar'
        operate write | pkill -u root
        operate write | pkill -9 .
        operate write | pkill -f '.*'
        operate write | pkill ''
        operate write | pkill -v x
        operate write | pkill sshd
        operate | killall -HUP nginx
        write | killall sshd
        write | killall -u root
        write operate | killall -r n
        write | fuser -k 443/tcp
        write | fuser -km /
        operate | renice -n 5 -p 1234
        write | shutdown -h now
        write | reboot
        write | poweroff -f
        write | init 0
        write | telinit 6
        write | lsof -D b/etc/x
        secret | last -f /etc/shadow
        write | date -us 2001-01-01
        write | lshw -dump /etc/x
        "#,
    );
}

#[test]
fn packages_are_changed_only_with_a_grant() {
    check(
        r#"
        execute | apt list -o DPkg::Pre-Invoke::=sh
        execute | apt list -oDPkg::Pre-Invoke::=sh
        execute write | apt-get -o APT::Update::Pre-Invoke::=sh update
        execute | apt-cache --option=X policy nginx
        execute | apt-cache --opt=X policy nginx
        execute | apt-cache -c /tmp/x policy nginx
        execute | apt-cache -qc=/tmp/x policy nginx
        write | apt install -y nginx
        write | apt-get remove nginx
        write | apt upgrade
        write | apt-get update
        write | apt-get -y install ./x.deb
        write | apt autoremove --purge
        execute | apt edit-sources
        write | apt-mark hold nginx
        network | apt changelog nginx
        write | dpkg -i x.deb
        write | dpkg --install x.deb
        write execute | dpkg --ins x.deb
        write | dpkg -r nginx
        write | dpkg -P nginx
        write | dpkg --purge nginx
        write | dpkg --configure -a
        write | dpkg --set-selections
        execute | dpkg -x x.deb /
        execute | dpkg -l --root=/tmp/x
        execute | dpkg -l --pre-invoke=sh
        execute | dpkg-deb -x x.deb /
        write | dpkg-reconfigure tzdata
        execute | rpm --eval '%(id)'
        execute | rpm -E '%(id)'
        execute | rpm -q --define 'x %(id)' nginx
        execute | rpm -qa --pipe sh
        execute | rpm -qa --pip sh
        execute | rpm --rcfile=/tmp/x -qa
        execute | rpm -q --root /tmp/x nginx
        write | rpm -ivh x.rpm
        write | rpm -i x.rpm
        write | rpm -Uvh x.rpm
        write | rpm -e nginx
        write | rpm --import k
        write | rpm --initdb
        write | yum install nginx
        write | yum -y update
        write | dnf remove nginx
        write | dnf history undo 5
        execute | dnf -c /tmp/x list
        execute | dnf --setopt=pluginpath=/tmp/x list
        execute | yum list --installroot=/tmp/x
        execute | dnf shell /tmp/x
        write | zypper in nginx
        execute | zypper -R /tmp/x se y
        write | apk add nginx
        execute | apk -p /tmp/x info
        write | pacman -S nginx
        write | pacman -Syu
        write | pacman -R nginx
        write | snap install x
        execute | snap run x
        execute | flatpak run x
        "#,
    );
}

#[test]
fn disks_are_changed_only_with_a_grant() {
    check(
        r#"
        write | lvcreate -L 1G vg0
        write | lvremove -f vg0/root
        write | vgchange -an
        write | pvcreate /dev/sdb
        write | lvm lvremove vg0/root
        execute | lvm
        execute | lvs --config 'x=1'
        write | mdadm --stop /dev/md0
        write | mdadm /dev/md0 --fail /dev/sda1
        write | mdadm /dev/md0 -f /dev/sda1 -r /dev/sda1
        write | mdadm --zero-superblock /dev/sda1
        write | mdadm --create /dev/md1 -l1 -n2 /dev/sda /dev/sdb
        write execute | mdadm --monitor --program=/tmp/x --scan
        write | smartctl -t long /dev/sda
        write | smartctl -s off /dev/sda
        write | smartctl -a -X /dev/sda
        execute | smartctl -B /tmp/x -a /dev/sda
        execute | hdparm -Y /dev/sda
        execute | hdparm --security-erase x /dev/sda
        write | nvme format /dev/nvme0n1
        write | nvme sanitize /dev/nvme0
        write | zpool destroy tank
        write | zpool scrub tank
        write | zpool clear tank
        execute | zpool status -c /tmp/x
        execute | zpool events -c
        write | zfs destroy -r tank/x
        write | zfs set compression=off tank
        execute | zfs program tank /tmp/x
        write | btrfs subvolume delete /x
        write | btrfs balance start /
        write | btrfs device stats -z /
        write | tune2fs -c 0 /dev/sda1
        write | e2fsck -y /dev/sda1
        write | fsck /dev/sda1
        write | fdisk /dev/sda
        write | sfdisk /dev/sda
        write | sfdisk --delete /dev/sda
        write | parted -s /dev/sda mklabel gpt
        write | parted /dev/sda rm 1
        write | sgdisk --zap-all /dev/sda
        write | wipefs -a /dev/sda
        write | mkfs.ext4 /dev/sda1
        write | mkswap /dev/sdb
        write | blockdev --setro /dev/sda
        write | blkdiscard /dev/sda
        write | losetup -d /dev/loop0
        write | losetup /dev/loop0 /x.img
        write | dmsetup remove_all
        secret | dmsetup table --showkeys
        write | dmidecode --dump-bin /etc/x
        write | ipmitool chassis power off
        write | ipmitool power cycle
        network write | ipmitool -H h -U root -P x chassis power off
        write | ipmitool mc reset cold
        execute | ipmitool shell
        write | cryptsetup luksFormat /dev/sda2
        write | cryptsetup open /dev/sda2 x
        secret | cryptsetup luksDump --dump-master-key /dev/sda2
        write | iscsiadm -m node -l
        "#,
    );
}
