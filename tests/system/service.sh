#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The systemd unit as installed, under a real systemd in a container: who reads does not
# notice restarts, upgrades and kills.
# usage: service.sh BUILD [--long]    (root; speaks TAP; every mount lives in a private namespace)
# --long: 100 kills of the main process and of all, and not 3
# shellcheck disable=SC2317 # check calls its functions by name
set -u
PATH=$PATH:/usr/sbin:/sbin

if [ ! -x /lib/systemd/systemd ]; then
	echo "ok - # SKIP no systemd on this machine"
	exit 0
fi
if [ -z "${SERVICE_INSIDE-}" ]; then
	build=$(realpath "${1:?usage: service.sh BUILD}")
	dir=$(mktemp -d)
	trap 'rmdir "$dir"' EXIT
	SERVICE_INSIDE=1 unshare -m --propagation private "$BASH" "$0" "$build" "$dir" "${2-}"
	exit
fi

build=$1 dir=$2 kills=3
[ "$3" != --long ] || kills=100
name=lxcfs-service.$$
root=$dir/root
failed=0

check() { # WHAT COMMAND...
	local what=$1
	shift
	if "$@" >"$dir/out" 2>&1; then
		echo "ok - $what"
	else
		echo "not ok - $what"
		sed 's/^/# /' "$dir/out"
		inside journalctl -u lxcfs --no-pager -n 20 -o cat | sed 's/^/# log: /'
		failed=1
	fi
}

await() {
	local end=$((SECONDS + 60))
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.05
	done
}

inside() {
	timeout "${patience:-120}" lxc-attach -n "$name" --clear-env -- "$@" </dev/null
}

# A copy-on-write view of this machine with what the build installs, and little to boot.
make_root() {
	mount -t tmpfs -o mode=755 "$name" "$dir"
	mkdir "$dir/upper" "$dir/work" "$root"
	mount -t overlay -o "lowerdir=/,upperdir=$dir/upper,workdir=$dir/work" overlay "$root" || exit 1
	rm -rf "$root"/etc/systemd/system/* "$root/etc/default/lxcfs"
	rmdir "$root/var/lib/lxcfs" 2>/dev/null
	DESTDIR=$root meson install -C "$build" --no-rebuild >"$dir/log" 2>&1 || { cat "$dir/log"; exit 1; }
	mkdir -p "$root/etc/systemd/system/lxcfs.service.d" "$root/test"
	# this systemd is in a container, where lxcfs is wanted all the same, and boots nothing else
	printf '[Unit]\nConditionVirtualization=\nDefaultDependencies=no\n' \
		>"$root/etc/systemd/system/lxcfs.service.d/test.conf"
	printf '[Unit]\nDefaultDependencies=no\nRequires=systemd-journald.service\n' \
		>"$root/etc/systemd/system/test.target"
	cat >"$root/test/reader.py" <<-'END'
		import os, time
		path = "/var/lib/lxcfs/proc/meminfo"
		held = os.open(path, os.O_RDONLY)
		reads = bad = 0
		worst = 0.0
		open("/test/reading", "w").close()
		while not os.path.exists("/test/enough"):
		    start = time.monotonic()
		    try:
		        texts = open(path, "rb").read(), os.pread(held, 65536, 0)
		        bad += sum(not t.startswith(b"MemTotal:") or t[-1:] != b"\n" for t in texts)
		    except OSError as error:
		        print(error)
		        bad += 1
		    reads += 2
		    worst = max(worst, time.monotonic() - start)
		print(f"{reads} reads, {bad} bad, the longest took {worst:.3f} s")
		raise SystemExit(bad > 0 or reads < 100)
	END
}

start_container() {
	cat >"$dir/config" <<-END
		lxc.uts.name = service
		lxc.rootfs.path = dir:$root
		lxc.init.cmd = /lib/systemd/systemd --unit=test.target
		lxc.net.0.type = empty
		lxc.tty.max = 0
		lxc.mount.auto = proc:rw sys:rw cgroup:rw
		lxc.mount.entry = /dev/fuse dev/fuse none bind,create=file 0 0
		lxc.mount.entry = tmpfs run tmpfs rw,mode=755 0 0
		lxc.environment = container=lxc
		lxc.cgroup.dir.container = $name
		lxc.cgroup.dir.monitor = $name.monitor
		lxc.cgroup.dir.monitor.pivot = $name.pivot
	END
	timeout 60 lxc-start -n "$name" -f "$dir/config" -o "$dir/log" -l WARN </dev/null ||
		{ cat "$dir/log"; return 1; }
	await inside systemctl is-active test.target
}

cgroups() {
	find -H /sys/fs/cgroup -depth -type d -path "*/$name*" 2>/dev/null
}

remove_cgroups() {
	local cgroup
	while read -r cgroup; do
		rmdir "$cgroup" 2>/dev/null
	done < <(cgroups)
	[ -z "$(cgroups)" ]
}

leave() {
	local status=$?
	timeout 20 lxc-stop -k -n "$name" </dev/null >/dev/null 2>&1
	await remove_cgroups
	cd / && umount -Rl "$dir"
	exit "$status"
}

main_pid() {
	inside systemctl show -p MainPID --value lxcfs
}

# Another main process than before, which is up.
is_replaced() { # PID
	local now
	now=$(main_pid)
	[ "$now" -gt 0 ] && [ "$now" != "$1" ] && inside systemctl -q is-active lxcfs
}

restart() {
	local before
	before=$(main_pid)
	inside systemctl restart lxcfs && is_replaced "$before"
}

kill_main() {
	inside kill -9 "$1"
}

# In one go, so that nothing is started between two kills.
kill_all() {
	inside pkill -9 -x lxcfs
}

# KILL: with the main process as argument.
again_and_again() {
	local before n
	for ((n = 0; n < kills; n++)); do
		before=$(main_pid)
		"$1" "$before" && await is_replaced "$before" || return 1
	done
}

mounts() { # COUNT
	[ "$(inside grep -c ' /var/lib/lxcfs fuse.lxcfs ' /proc/self/mounts)" -eq "$1" ]
}

options() { # TEXT
	inside /bin/sh -c "echo 'LXCFS_OPTS=\"$1\"' >/etc/default/lxcfs"
}

restart_with_options() {
	options --enable-cfs && restart &&
		inside grep -q -e --enable-cfs "/proc/$(main_pid)/cmdline"
}

# A process that has a view as a container has it. It must not wait for what else a machine
# does at its boot, of which there is not all in here.
start_viewer() {
	inside systemd-run --unit=viewer -p DefaultDependencies=no unshare -m sh -c \
		"mount --bind /var/lib/lxcfs/proc/meminfo /proc/meminfo && exec sleep 1000" || return 1
	await viewer_sees
}

viewer_sees() {
	# shellcheck disable=SC2016 # expanded inside
	inside sh -c 'nsenter -m -t "$(systemctl show -p MainPID --value viewer)" sh -c \
		"grep -q \"/proc/meminfo fuse.lxcfs\" /proc/self/mounts && grep MemTotal /proc/meminfo"'
}

viewer_is_blind() {
	! viewer_sees
}

is_stopped() {
	! inside pgrep -x lxcfs && mounts 0
}

make_root
trap leave EXIT
check "a systemd starts in a container" start_container
check "the service starts, making its mount point" inside systemctl start lxcfs
check "it is ready when it says so: mounted" mounts 1

# The unit's own filter and that of the worker, which has two.
is_confined() {
	! inside journalctl -u lxcfs --no-pager -o cat | grep 'more rights' || return 1
	# shellcheck disable=SC2016 # expanded inside
	inside sh -c 'keeper=$(systemctl show -p MainPID --value lxcfs)
		filters() { awk "/^Seccomp_filters/ { print \$2 }" "/proc/$1/status"; }
		read -r worker _ <"/proc/$keeper/task/$keeper/children"
		[ "$(filters "$worker")" -eq $(($(filters "$keeper") + 2)) ]'
}
check "the worker gives up what it does not need" is_confined

patience=900 inside python3 /test/reader.py >"$dir/reader" 2>&1 &
reader=$!
check "somebody reads all the time" await test -e "$root/test/reading"
for i in 1 2 3; do
	check "restart $i" restart
done
check "a restart takes other options" restart_with_options
check "a reload" inside systemctl reload lxcfs
check "the main process killed $kills times" again_and_again kill_main
check "all processes killed $kills times" again_and_again kill_all
check "there is one mount still" mounts 1
inside touch /test/enough
check "none of it was noticed by who read" wait $reader
sed 's/^/# /' "$dir/reader"

check "somebody has a view bound" start_viewer
check "the service stops" inside systemctl stop lxcfs
check "without a process or mount left" is_stopped
check "and the view dead" viewer_is_blind
check "it starts again" inside systemctl start lxcfs
check "and the view lives" viewer_sees
inside systemctl stop viewer # a view keeps a file system alive that is unmounted
check "an unmount by hand" inside umount /var/lib/lxcfs
check "is answered by another mount" await mounts 1
wrong_option() {
	options --no-such-option
	! inside systemctl restart lxcfs && inside systemctl is-failed lxcfs
}
check "a wrong option is not tried for ever" wrong_option
exit $failed
