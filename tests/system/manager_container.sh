#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The driver for containers and lxd-container with real ones: privileged, idmapped, with the
# daemon dead, and with contents that want out.
# usage: manager_container.sh BUILD    (root; speaks TAP; every mount lives in a private namespace)
# shellcheck disable=SC1091,SC2016,SC2154,SC2317 # scripts for shells inside; the library has
# them; check calls functions by name
. "$(dirname "$0")/manager_lib.bash"
[ -x "$build/tests/manager/lxc-tool" ] || skip "built without the manager"
on_disk
in_private "$@"

id=m$$
views=''
base=1000000 # the first id of an unprivileged container
export LXD_LIBEXECDIR=$build/src/manager

# --- the surroundings --------------------------------------------------------

# In place of lxd: answers every hook with 200 and writes down what was asked.
start_lxd() {
	rm -f "$dir/unix.socket"
	python3 - "$dir/unix.socket" "$dir/asked" <<-'END' &
		import socket, sys
		path, asked = sys.argv[1:]
		s = socket.socket(socket.AF_UNIX)
		s.bind(path)
		s.listen(16)
		while True:
		    c, _ = s.accept()
		    line = c.recv(4096).split(b"\r\n")[0]
		    with open(asked, "ab") as f:
		        f.write(line + b"\n")
		    c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
		    c.close()
	END
	lxd=$!
	await test -S "$dir/unix.socket"
}

make_root() { # DIRECTORY
	local applet
	mkdir -p "$1"/{bin,sbin,dev,proc,sys,etc,tmp,root,mnt,run,var/lib/lxcfs}
	cp "$(command -v busybox)" "$1/bin/busybox"
	for applet in sh ls cat sleep true mount umount id ps tty kill stat head hostname mknod test \
		readlink env poweroff reboot awk grep ip; do
		ln -s busybox "$1/bin/$applet"
	done
	ln -s ../bin/busybox "$1/sbin/init"
	echo 'root:x:0:0:root:/root:/bin/sh' >"$1/etc/passwd"
	printf '::sysinit:/bin/true\n::restart:/sbin/init\nconsole::respawn:/bin/sh\n' \
		>"$1/etc/inittab"
	chmod 755 "$1"
}

describe() { # NAME IDMAP SHIFTED CONFIG
	cat >"$dir/$1.json" <<-END
		{ "id": "$id$1", "name": "$1", "dir": "$dir/containers", "lxd_dir": "$dir",
		  "log_dir": "$dir/logs/$1", "rootfs": "$dir/$1", "idmap": $2, "shifted": $3,
		  "mount": "$dir/shared dir", "config": $4 }
	END
}

tool() { # NAME COMMAND [ARGUMENT]...
	local name=$1
	shift
	timeout 30 "$build/tests/manager/lxc-tool" "$dir/$name.json" "$@" </dev/null
}

inside() { # NAME SHELL-COMMAND
	tool "$1" exec /bin/sh -c "$2"
}

is() { # NAME CODE: 102 stopped, 103 running, 110 frozen
	[ "$(tool "$1" state | cut -d' ' -f1)" = "$2" ]
}

init_of() { tool "$1" state | cut -d' ' -f2; }
monitor_of() { pgrep -f "^\[lxc monitor\] $dir/containers $id$1\$"; }
asked() { grep -q "^GET /internal/containers/$1?" "$dir/asked"; }

overlay() { # DIRECTORY: what is made there from now on is not made on the host
	local up
	up=$(mktemp -d "$dir/overlay.XXXX")
	mkdir "$up/upper" "$up/work"
	mount -t overlay -o "lowerdir=$1,upperdir=$up/upper,workdir=$up/work" overlay "$1"
}

# The build's lxcfs and its hook, where the installed ones would be.
start_views() {
	overlay /usr/share && overlay /var/lib || return 1
	mkdir -p /usr/share/lxcfs /var/lib/lxcfs
	rm -f /usr/share/lxcfs/lxc.mount.hook
	cp "$build/lxc.mount.hook" /usr/share/lxcfs/
	"$build/lxcfs" -p "$dir/lxcfs.pid" /var/lib/lxcfs >"$dir/lxcfs.log" 2>&1 </dev/null &
	views=$!
	await test -e /var/lib/lxcfs/proc/meminfo
}

cleanup() {
	local name
	kill "$views" 2>/dev/null
	for name in un pr; do
		tool "$name" stop >/dev/null 2>&1
	done
	kill -9 "$lxd" 2>/dev/null
	wait
	[ -d /scratch ] || umount -l "$dir"
}

# --- what is checked ---------------------------------------------------------

starts() {
	tool "$1" start || { cat "$dir/logs/$1/lxc.log"; return 1; }
	is "$1" 103
}

within() { # MILLISECONDS COMMAND...
	local limit=$1 start end
	shift
	start=$(date +%s%N)
	"$@" || return 1
	end=$(date +%s%N)
	echo "# $((end / 1000 - start / 1000)) us: $*" | tee -a "$dir/times"
	[ $((end - start)) -le $((limit * 1000000)) ]
}

monitor_is_small() {
	local rss
	rss=$(awk '/^VmRSS/ { print $2 }' "/proc/$(monitor_of "$1")/status")
	echo "# monitor: $rss kB" | tee -a "$dir/times"
	[ "$rss" -le 4096 ]
}

ids_are() { # NAME HOST-UID
	[ "$(stat -c %u "/proc/$(init_of "$1")")" = "$2" ] && [ "$(inside "$1" 'id -u')" = 0 ] &&
		inside "$1" '>/root/made' && [ "$(stat -c %u "$dir/$1/root/made")" = "$3" ]
}

says() { # TEXT COMMAND...
	local text=$1 said
	shift
	said=$("$@") || true
	[ "$said" = "$text" ] || { echo "said: $said"; return 1; }
}

exits() { # STATUS COMMAND...
	local status=$1
	shift
	"$@"
	[ $? -eq "$status" ]
}

# Only the three of the command, and one that ls has itself.
no_descriptor_leaks() {
	exec 9</etc/passwd
	inside "$1" 'ls /proc/self/fd' >"$dir/fds"
	exec 9<&-
	cat "$dir/fds"
	[ "$(paste -sd ' ' "$dir/fds")" = "0 1 2 3" ]
}

environment_is_clean() {
	[ "$(SECRET=x inside "$1" 'env' | sort | grep -v '^PWD\|^SHLVL\|^_=')" = \
		"$(printf '%s\n' HOME=/root 'ONLY=this one' PATH=/bin:/sbin)" ]
}

has_terminal() {
	tool "$1" exec -t /bin/sh -c 'tty; stat -c %u $(tty)' | tr -d '\r' >"$dir/tty"
	cat "$dir/tty"
	grep -q '^/dev/pts/[0-9]*$' "$dir/tty" && grep -qx 0 "$dir/tty"
}

shared_dir() {
	says hello inside "$1" 'cat "/mnt/a b/file"' && inside "$1" '>"/mnt/a b/from-'"$1"'"' &&
		[ "$(stat -c %u "$dir/shared dir/from-$1")" = "$2" ]
}

live_mount() {
	tool "$1" mount "$dir/shared dir" mnt/live/x bind,create=dir &&
		says hello inside "$1" 'cat /mnt/live/x/file' && tool "$1" umount mnt/live/x &&
		inside "$1" '! test -e /mnt/live/x/file && ! test -d /mnt/live/x'
}

# The container made the way to the mount point a link to the host's names for its own files.
hostile_mount_point() {
	inside "$1" "mkdir -p /tmp/in; rm -rf /mnt/live; ln -s /../../../../../../tmp/in /mnt/live" &&
		tool "$1" mount "$dir/shared dir" mnt/live/y bind,create=dir &&
		says hello inside "$1" 'cat /tmp/in/y/file' && [ ! -e /tmp/in ] &&
		tool "$1" umount mnt/live/y
}

is_unified() {
	local mount
	mount=$(findmnt -fn -t cgroup2 -o TARGET) && grep -qw memory "$mount/cgroup.controllers"
}

memory_limit() { # NAME
	local controller=memory: pid
	pid=$(init_of "$1")
	if is_unified; then
		cat "$(findmnt -fn -t cgroup2 -o TARGET)$(sed -n 's/^0:://p' "/proc/$pid/cgroup")/memory.max"
	else
		cat "$(findmnt -fn -t cgroup -O memory -o TARGET)$(sed -n "s/.*:$controller//p" \
			"/proc/$pid/cgroup")/memory.limit_in_bytes"
	fi
}

limits_change() {
	says 67108864 memory_limit "$1" || return 1
	for size in 128 32 256; do
		describe "$1" "$base" true "{\"limits.memory\": \"${size}MiB\"}"
		tool "$1" limit limits.memory && says $((size << 20)) memory_limit "$1" || return 1
	done
	describe "$1" "$base" true '{}'
	tool "$1" limit limits.memory && [ "$(memory_limit "$1")" != $((256 << 20)) ]
}

usage_counts() {
	tool "$1" usage | tee "$dir/usage"
	grep -q '^cpu' "$dir/usage" && awk '{ exit !($2 >= 0 && $4 > 0 && $6 >= $4 / 2 && $10 >= 1) }' "$dir/usage"
}

# Each limit is what the container reads next, and used is what the views show as used.
views_follow() {
	local size
	for size in 96 48; do
		describe "$1" "$base" true "{\"limits.memory\": \"${size}MiB\"}"
		tool "$1" limit limits.memory &&
			says "$((size << 10))" inside "$1" "awk '/^MemTotal/ { print \$2 }' /proc/meminfo" ||
			return 1
	done
}

# The first of the system calls that none may make, and the profile of the kernel's count.
is_filtered() {
	says 2 inside "$1" "awk '/^Seccomp:/ { print \$2 }' /proc/self/status" &&
		says 2 inside "$1" "awk '/^Seccomp:/ { print \$2 }' /proc/1/status"
}

network_shows() {
	inside "$1" 'ip link set lo up; ip addr add 192.0.2.7/24 dev lo' || return 1
	tool "$1" network | tee "$dir/network"
	python3 - "$dir/network" <<-'END'
		import json, sys
		lo = json.load(open(sys.argv[1]))["lo"]
		found = [a for a in lo["addresses"] if a["address"] == "192.0.2.7"]
		assert found == [{"family": "inet", "address": "192.0.2.7", "netmask": "24",
		                  "scope": "global"}], lo
		assert lo["type"] == "loopback" and lo["state"] == "up" and lo["mtu"] == 65536, lo
	END
}

nic_moves() {
	ip link add "h$$" type veth peer name "p$$" || return 1
	tool "$1" nic-add "p$$" eth7 && inside "$1" 'ip link show eth7' && ! ip link show "p$$" &&
		tool "$1" network | grep -q "\"host_name\": \"h$$\"" &&
		tool "$1" nic-remove "p$$" eth7 && ip link show "p$$"
	local status=$?
	ip link del "h$$"
	return "$status"
}

transfers() { # NAME: as root inside
	local name=$1 batch=$dir/batch owner=$2
	head -c 3000000 /dev/urandom >"$dir/big"
	rm -f "$dir/back"
	cat >"$batch" <<-END
		put $dir/big /root/big
		chmod 640 /root/big
		mkdir /root/made-dir
		rename /root/big /root/made-dir/big2
		symlink /root/made-dir/big2 /root/link
		get /root/link $dir/back
		ls -la /root
		rm /root/link
		df /root
	END
	timeout 30 sftp -q -b "$batch" -D "$build/tests/manager/lxc-tool $dir/$name.json files" || return 1
	cmp "$dir/big" "$dir/back" && [ "$(stat -c '%u %a' "$dir/$name/root/made-dir/big2")" = "$owner 640" ]
}

# Links out of the root, devices, pipes: nothing but its own regular files.
files_stay_inside() {
	local path
	ln -sf "$dir/secret" "$dir/$1/root/out"
	ln -sf "../../../../../../..$dir/secret" "$dir/$1/root/out2"
	ln -sfn /proc/1/root "$dir/$1/root/out3"
	mkfifo "$dir/$1/root/pipe"
	mknod "$dir/$1/root/disk" c 1 5
	for path in out out2 "out3$dir/secret" pipe disk ../../../../..$dir/secret; do
		rm -f "$dir/got"
		echo "get /root/$path $dir/got" >"$dir/batch"
		timeout 10 sftp -q -b "$dir/batch" \
			-D "$build/tests/manager/lxc-tool $dir/$1.json files"
		if [ $? -ne 1 ] || [ -s "$dir/got" ]; then echo "got $path" && return 1; fi
	done
	rm -f "$dir/$1/root/"{out,out2,out3,pipe,disk}
}

console_works() {
	tool "$1" console 'echo con''sole $((6 * 7))' 'console 42' | grep 'console 42' &&
		tool "$1" console-log | grep -q 'console 42' &&
		grep -q 'console 42' "$dir/logs/$1/console.log"
}

freezes() {
	tool "$1" freeze && is "$1" 110 && tool "$1" unfreeze && is "$1" 103
}

survives_daemon() {
	local init
	init=$(init_of "$1")
	kill_lxd
	[ "$(init_of "$1")" = "$init" ] && inside "$1" true && tool "$1" running | grep -qx "$id$1" || return 1
	start_lxd
	[ "$(init_of "$1")" = "$init" ]
}

# Without a daemon the stop hooks find nobody: the container ends all the same.
stops_without_daemon() {
	kill_lxd
	within 5000 tool "$1" stop && is "$1" 102 && await eval "! monitor_of $1"
	local status=$?
	start_lxd
	return "$status"
}

no_start_without_daemon() {
	kill_lxd
	! tool "$1" start && is "$1" 102
	local status=$?
	start_lxd
	return "$status"
}

reboots_by_itself() {
	local init
	init=$(init_of "$1")
	kill_lxd
	tool "$1" exec /bin/reboot
	await eval "is $1 103 && [ \"\$(init_of $1)\" != $init ] && [ \"\$(init_of $1)\" -gt 0 ]"
	local status=$?
	start_lxd
	return "$status"
}

# The first process of the container writes to the program that its next visitor runs.
program_is_safe() {
	local before
	before=$(sha256sum <"$build/src/manager/lxd-container")
	inside "$1" 'ln -sf /proc/self/exe /tmp/me' || return 1
	tool "$1" exec /tmp/me
	tool "$1" exec /bin/sh -c 'for p in /proc/[0-9]*; do echo x >$p/exe; done' 2>/dev/null
	[ "$(sha256sum <"$build/src/manager/lxd-container")" = "$before" ]
}

clean_stop() {
	within 15000 tool "$1" shutdown && is "$1" 102
}

# Figures for who reads them: how fast this is depends on the machine and on what else it does.
exec_time() {
	local best=1000000 t
	for _ in 1 2 3 4 5 6 7 8; do
		t=$({ TIME=1 tool "$1" exec /bin/true; } 2>&1 | tr -d '. ms')
		[ "$t" -gt 0 ] || return 1
		[ "$t" -ge "$best" ] || best=$t
	done
	echo "# exec: least of 8: $((best * 100)) us" >>"$dir/times"
}

list_time() {
	local t
	t=$(tool "$1" list 50) && [ "$t" -gt 0 ] && echo "# state and network: $t us" >>"$dir/times"
}

[ -d /scratch ] || mount -t tmpfs -o mode=755 "$id" "$dir"
mkdir -p "$dir/containers" "$dir/logs" "$dir/shared dir"
echo hello >"$dir/shared dir/file"
chmod 777 "$dir/shared dir"
echo secret >"$dir/secret"
: >"$dir/asked"
: >"$dir/times"
make_root "$dir/un"
make_root "$dir/pr"
describe un $base true '{"limits.memory": "64MiB", "limits.processes": "50", "limits.cpu.allowance": "50%"}'
describe pr 0 false '{"security.privileged": "true"}'
trap cleanup EXIT
start_lxd

check "lxcfs serves" start_views
check "an idmapped container starts" starts un
check "the start hook asked the daemon" asked un/onstart
check "its root is nobody on the host, its files are unshifted" ids_are un $base 0
check "a privileged container starts" starts pr
check "its root is root" ids_are pr 0 0
check "the monitor stays small" monitor_is_small un
for name in un pr; do
	check "$name: a command's status" exits 7 inside $name 'exit 7'
	check "$name: a command that is not there" exits 127 tool $name exec /bin/none
	check "$name: a command that is none" exits 126 tool $name exec /etc/passwd
	check "$name: a signal" exits 137 env SIGNAL=9 "$build/tests/manager/lxc-tool" "$dir/$name.json" \
		exec /bin/sleep 20
	check "$name: no descriptor comes along" no_descriptor_leaks $name
	check "$name: no variable comes along" environment_is_clean $name
	check "$name: a terminal of its own" has_terminal $name
	check "$name: a mount while it runs" live_mount $name
	check "$name: a mount point that leads elsewhere" hostile_mount_point $name
	check "$name: files" transfers $name 0
	check "$name: files stay inside" files_stay_inside $name
	check "$name: console" console_works $name
	check "$name: usage" usage_counts $name
	check "$name: network" network_shows $name
	check "$name: an interface comes and goes" nic_moves $name
	check "$name: freeze" freezes $name
	check "$name: program is not written to" program_is_safe $name
done
check "an idmapped directory" shared_dir un 0
check "system calls are filtered" is_filtered un
check "system calls are filtered, privileged" is_filtered pr
check "limits change" limits_change un
check "the views follow the limits" views_follow un
check "devices are allowed and not" eval 'tool pr device-add && tool pr device-remove'
check "one command after the other" exec_time un
check "one look after the other" list_time un
check "the daemon dies, the container does not" survives_daemon un
check "a clean stop of one that has an init" clean_stop pr
check "the stop hooks asked the daemon" eval 'asked pr/onstopns && asked pr/onstop'
rm -rf "$dir/pr/root/made-dir"
check "files of a stopped one, privileged" transfers pr 0
check "files of a stopped one stay inside, privileged" files_stay_inside pr
check "a restart from inside without a daemon" reboots_by_itself un
check "a stop by force" within 5000 tool un stop
check "it is gone" await eval 'is un 102 && ! monitor_of un'
rm -rf "$dir/un/root/made-dir"
check "files of a stopped one, idmapped" transfers un 0
check "files of a stopped one stay inside, idmapped" files_stay_inside un
check "no start without a daemon" no_start_without_daemon un
check "it starts again" starts un
check "a stop without a daemon" stops_without_daemon un
check "its profile is there" test -s "$dir/security/seccomp/${id}un"
check "its profile goes" eval 'tool un forget && ! test -e "$dir/security/seccomp/${id}un"'
cat "$dir/times"
finish
