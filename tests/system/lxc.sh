#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Real containers of liblxc with what meson installs: how they read, start, stop, reboot, and
# what becomes of them when lxcfs is killed, upgraded or missing. (The hook in all kinds of
# containers: hook_lxc.sh.) Speaks TAP.
# usage: lxc.sh BUILD
# shellcheck disable=SC1091,SC2016,SC2154,SC2317 # the library has them; check calls by name
. "$(dirname "$0")/lib.bash"
MIB=$((1 << 20))
build=$(realpath "$1")
privileged=$top-p mapped=$top-u
last=$(awk '/^processor/ { n = $3 } END { print n }' /proc/cpuinfo)
read -r online </sys/devices/system/cpu/online

# The installed hook and configuration, but for the paths: those of this test.
install_hook() {
	DESTDIR=$dir/installed meson install -C "$build" --no-rebuild --quiet || return 1
	hook=$(find "$dir/installed" -name lxc.mount.hook)
	sed "s|= .*/lxc.mount.hook\$|= $hook --target=$mnt|" \
		"$(find "$dir/installed" -name 00-lxcfs.conf)" >"$dir/00-lxcfs.conf"
	grep -q -- "$hook --target=$mnt" "$dir/00-lxcfs.conf"
}

# NAME: the host's programs below a root of its own
make_root() {
	local path
	mkdir -p "$dir/$1"/{dev,etc,proc,sys,tmp,usr,var/lib/lxcfs}
	for path in /bin /sbin /lib /lib64; do
		[ ! -e "$path" ] || cp -d "$path" "$dir/$1/"
	done
}

limits() { # BYTES CPUS
	if is_v2 memory; then
		printf 'lxc.cgroup2.memory.max = %s\nlxc.cgroup2.cpuset.cpus = %s\n' "$1" "$2"
	else
		printf 'lxc.cgroup.memory.limit_in_bytes = %s\nlxc.cgroup.cpuset.cpus = %s\n' "$1" "$2"
	fi
}

configuration() { # NAME BYTES CPUS
	make_root "$1"
	cat <<-END
		lxc.include = $dir/00-lxcfs.conf
		lxc.uts.name = container
		lxc.rootfs.path = dir:$dir/$1
		lxc.init.cmd = /usr/bin/sleep infinity
		lxc.net.0.type = empty
		lxc.tty.max = 0
		lxc.mount.auto = proc:mixed sys:mixed
		lxc.mount.entry = /usr usr none ro,rbind 0 0
		lxc.mount.entry = /etc etc none ro,bind 0 0
		lxc.cgroup.dir.container = $1
		lxc.cgroup.dir.monitor = $1.monitor
		lxc.cgroup.dir.monitor.pivot = $1.pivot
	END
	limits "$2" "$3"
}

# As root, liblxc writes the map itself where it finds no newuidmap to ask /etc/subuid for.
starts() { # NAME
	local lxc_start
	lxc_start=$(command -v lxc-start)
	timeout 20 env PATH=/nonexistent "$lxc_start" -n "$1" -f "$dir/$1.conf" -o "$dir/$1.log" \
		-l DEBUG </dev/null || { tail -n 20 "$dir/$1.log"; return 1; }
}

attach() { # NAME COMMAND...
	local name=$1
	shift
	timeout 20 lxc-attach -n "$name" --clear-env -- "$@" </dev/null
}

stops() { # NAME
	timeout 20 lxc-stop -k -n "$1" </dev/null
}

reads() { # NAME BYTES CPUS
	local text
	text=$(attach "$1" sh -c 'free -k; echo "nproc $(nproc)"; cat /sys/devices/system/cpu/online
		grep -c ^processor /proc/cpuinfo; cut -d. -f1 /proc/uptime') || return 1
	equal free "$(field Mem "$text")" $(($2 >> 10)) &&
		equal "online" "$(sed -n 5p <<<"$text")" "$3" &&
		equal cpuinfo "$(sed -n 6p <<<"$text")" "$(expand "$3" | tr , '\n' | wc -l)" &&
		between uptime 0 "$(sed -n 7p <<<"$text")" 120
}

milliseconds() {
	echo $(($(date +%s%N) / 1000000))
}

# A start and a stop, in ms, into $start_ms and $stop_ms where they are quicker than what is there.
time_start() {
	local t0 t1 t2
	t0=$(milliseconds)
	starts "$privileged" || return 1
	t1=$(milliseconds)
	stops "$privileged" || return 1
	t2=$(milliseconds)
	[ $((t1 - t0)) -ge "$start_ms" ] || start_ms=$((t1 - t0))
	[ $((t2 - t1)) -ge "$stop_ms" ] || stop_ms=$((t2 - t1))
}

# What the views add to the quickest start and stop: a busy machine has slow ones of both
# kinds. LXCFS' hook at stop slept half a second.
overhead_is_small() {
	local with_start=99999 with_stop=99999 without_start=99999 without_stop=99999
	local start_ms stop_ms conf=$dir/$privileged.conf
	cp "$conf" "$conf.with"
	for _ in 1 2 3 4 5 6; do
		cp "$conf.with" "$conf"
		start_ms=$with_start stop_ms=$with_stop
		time_start || return 1
		with_start=$start_ms with_stop=$stop_ms
		sed -i '/^lxc.include/d' "$conf"
		start_ms=$without_start stop_ms=$without_stop
		time_start || return 1
		without_start=$start_ms without_stop=$stop_ms
	done
	cp "$conf.with" "$conf"
	times="start $with_start ms, without views $without_start; stop $with_stop, $without_stop"
	echo "$times"
	# an emulated machine is slower in all it does
	[ $((with_start - without_start)) -lt $((150 + without_start / 2)) ] &&
		[ $((with_stop - without_stop)) -lt $((150 + without_stop / 2)) ]
}

# An init that ends itself with reboot(2), once: liblxc starts the container anew.
reboots_once() {
	cat >"$dir/$privileged/init" <<-'END'
		#!/bin/sh
		[ -e /rebooted ] || { : >/rebooted; exec /bin/busybox reboot -f; }
		: >/again
		exec /usr/bin/sleep infinity
	END
	chmod 755 "$dir/$privileged/init"
	sed -i 's|^lxc.init.cmd.*|lxc.init.cmd = /init|' "$dir/$privileged.conf"
	starts "$privileged" && wait_for test -e "$dir/$privileged/again" &&
		reads "$privileged" $((96 * MIB)) "$last"
}

killed_and_upgraded() {
	local before
	before=$(worker)
	kill -9 "$before"
	reads "$privileged" $((96 * MIB)) "$last" && wait_for is_other_than worker "$before" || return 1
	before=$(worker)
	kill -USR1 "$(keeper)"
	wait_for is_other_than worker "$before" && reads "$privileged" $((96 * MIB)) "$last"
	before=$(keeper)
	kill -9 "$before"
	reads "$privileged" $((96 * MIB)) "$last" && wait_for is_other_than keeper "$before"
}

limit_changes() {
	timeout 20 lxc-cgroup -n "$privileged" \
		"$(is_v2 memory && echo memory.max || echo memory.limit_in_bytes)" $((72 * MIB)) &&
		reads "$privileged" $((72 * MIB)) "$last"
}

# No lxcfs: the container starts with the kernel's own files.
starts_without() {
	starts "$privileged" && ! attach "$privileged" grep -q fuse.lxcfs /proc/self/mounts &&
		equal MemTotal "$(field MemTotal "$(attach "$privileged" cat /proc/meminfo)")" \
			"$(host_memory MemTotal)" && stops "$privileged"
}

# Both processes gone: the mount is dead, and a container starts even so.
starts_with_dead() {
	local pids
	start -l || return 1
	mapfile -t pids < <(ours)
	kill -STOP "${pids[@]}"
	kill -9 "${pids[@]}"
	is_dead() { ! stat -f "$mnt" 2>/dev/null; }
	wait_for is_dead && starts "$privileged" && stops "$privileged" && umount -l "$mnt"
}

our_cgroups() {
	find -H /sys/fs/cgroup -depth -type d -path "*/$top-*" 2>/dev/null
}

nothing_left() {
	local cgroup
	while read -r cgroup; do
		rmdir "$cgroup" 2>/dev/null # liblxc leaves the monitors' pivots
	done < <(our_cgroups)
	[ -z "$(our_cgroups)" ]
}

leave() {
	local name
	for name in "$privileged" "$mapped"; do
		stops "$name" >/dev/null 2>&1
		rm -f "/run/lxc/lock/$(lxc-config lxc.lxcpath)/.$name"
	done
	wait_for nothing_left
	remove_boxes
	cleanup
}
trap leave EXIT

check "what meson installs" install_hook
configuration "$privileged" $((96 * MIB)) "$last" >"$dir/$privileged.conf"
{
	configuration "$mapped" $((80 * MIB)) "$online"
	echo "lxc.idmap = u 0 100000 65536"
	echo "lxc.idmap = g 0 100000 65536"
} >"$dir/$mapped.conf"
chown -R 100000:100000 "$dir/$mapped"

check "a container starts without lxcfs" starts_without
check "a container starts with a dead lxcfs" starts_with_dead
check "lxcfs starts" start -l
check "a container starts" starts "$privileged"
check "and reads its own machine" reads "$privileged" $((96 * MIB)) "$last"
check "an unprivileged one starts" starts "$mapped"
check "and reads its own machine" reads "$mapped" $((80 * MIB)) "$online"
check "the hook had nothing to say" bash -c "! grep 'lxcfs hook:' '$dir/$mapped.log'"
check "lxc-cgroup: a new limit shows at the next read" limit_changes
check "the unprivileged one stops" stops "$mapped"
check "the privileged one stops" stops "$privileged"
times=''
check "the views cost a start and a stop little" overhead_is_small
echo "# $times"
check "after a reboot of the container the views are there" reboots_once
check "a worker killed, upgraded, a keeper killed: the container reads on" killed_and_upgraded
check "it stops" stops "$privileged"
check "no cgroup is left" wait_for nothing_left
check "lxcfs ends" stop
finish
