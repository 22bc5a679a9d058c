#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every process of an lxcfs is killed and another one started: running containers that had
# views have them again, and the others nothing new. Speaks TAP.
# usage: reattach.sh BUILD    (in pid and mount namespaces of its own: it goes through all processes)
# shellcheck disable=SC1091,SC2154,SC2317 # the library has them; check calls by name
if [ -z "${REATTACH_INSIDE-}" ]; then
	export REATTACH_INSIDE=1
	exec unshare --pid --fork --mount-proc --propagation private "$BASH" "$0" "$@"
fi
. "$(dirname "$0")/lib.bash"
cache=${XDG_CACHE_HOME:-/var/cache}/lxcfs-test
MiB=1048576

# BOX: init's own mounts.
mounts() {
	cat "/proc/${init_of[$1]}/mountinfo"
}

# BOX: how many views of any lxcfs it has.
views() {
	mounts "$1" | grep -c ' fuse.lxcfs '
}

total() { # BOX [FILE]
	inside "$1" "$dir/work" cat "${2:-/proc/meminfo}" | awk '/^MemTotal/ { print $2 * 1024 }'
}

# BOX BYTES: it reads its own limit through what was bound over its own file.
sees() {
	[ "$(total "$1" "${3-}" 2>/dev/null)" = "$2" ]
}

is_dead() { # BOX [FILE]
	inside "$1" "$dir/work" cat "${2:-/proc/meminfo}" 2>&1 | grep -q "not connected"
}

# BOX: files, directories, all of it, in ways that containers have them.
bind_views() {
	inside "$1" /bin/sh -c "
		for file in meminfo uptime stat; do
			mount --bind '$mnt/proc/'\$file /proc/\$file || exit 1
		done
		mount --bind '$mnt/sys/devices/system/cpu' /sys/devices/system/cpu &&
		mount --bind '$mnt' '$dir/whole of it' &&
		mount --bind '$mnt/proc/cpuinfo' /proc/cpuinfo &&
		mount -o remount,bind,ro /proc/cpuinfo
		umount -l '$mnt'
		test -e '$dir/whole of it/proc/meminfo'"
}

# A worker may just be about to start a keeper.
kill_all() {
	local pids pid
	while mapfile -t pids < <(ours) && [ ${#pids[@]} -gt 0 ]; do
		kill -9 "${pids[@]}" 2>/dev/null
		for pid in "${pids[@]}"; do wait_gone "$pid" || return 1; done
	done
}

all_see() { # BOX...
	local box
	for box in "$@"; do
		sees "$box" "${limit[$box]}" && sees "$box" "${limit[$box]}" "$dir/whole of it/proc/meminfo" &&
			inside "$box" "$dir/work" cat /proc/uptime /sys/devices/system/cpu/online >/dev/null ||
			return 1
	done
}

declare -A limit=([plain]=$((100 * MiB)) [user]=$((101 * MiB)) [none]=$((102 * MiB))
	[hidden]=$((103 * MiB)) [peer]=$((104 * MiB)))

start_boxes() {
	mkdir "$dir/whole of it"
	start_box none "${limit[none]}" && none_before=$(mounts none) && start || return 1
	start_box plain "${limit[plain]}" && start_box user "${limit[user]}" -u 100000 &&
		start_box hidden "${limit[hidden]}"
}

bind_all() {
	local box
	for box in plain user hidden; do
		bind_views "$box" && sees "$box" "${limit[$box]}" || return 1
	done
	inside hidden mount -t tmpfs over "$dir/whole of it"
}

all_are_dead() {
	is_dead plain && is_dead user && is_dead hidden
}

# BOX VIEWS: so many mounts, and none that is dead; before Linux 6.5 one below each.
no_dead_mount() {
	local wanted=$2
	[ "$(printf '6.5\n%s\n' "$(uname -r)" | sort -V | head -n 1)" = 6.5 ] || wanted=$((2 * $2))
	equal "views of $1" "$(views "$1")" "$wanted"
}

# A copy of a namespace that belongs to another user: its mounts are locked.
start_locked() {
	start_behind plain unshare -U -m sleep 1000
	wait_for locked
}

locked() {
	pgrep -fx "sleep 1000"
}

locked_sees() {
	nsenter -m -t "$(locked)" grep -q MemTotal /proc/meminfo
}

reattach() {
	"$dir/lxcfs" --reattach "$mnt"
}

says() { # TEXT
	reattach 2>&1 | tee /dev/stderr | grep -q "$1"
}

is_untouched() {
	equal "its mounts" "$(mounts none)" "$none_before"
}

what_is_hidden_stays() {
	inside hidden stat -f -c %T "$dir/whole of it" | grep -qx tmpfs &&
		sees hidden "${limit[hidden]}"
}

keeps_read_only() {
	mounts plain | grep ' /proc/cpuinfo /proc/cpuinfo ro,nosuid,nodev' &&
		mounts plain | grep ' /proc/uptime /proc/uptime rw,nosuid,nodev'
}

# What is mounted in there stays in there.
is_private() {
	! mounts plain | grep ' fuse.lxcfs ' | grep -e 'shared:' -e 'master:'
}

restart_by_hand() {
	stop && all_are_dead && start && all_are_dead
}

# A file system by that name which never answers, in a namespace of its own.
start_hanging() {
	unshare -m sh -c "exec 9<>/dev/fuse
		mount -i -t fuse.lxcfs -o fd=9,rootmode=40000,user_id=0,group_id=0,allow_other hanging /mnt
		exec sleep 2000" &
	hanging=$!
	helpers+=("$hanging")
	wait_for grep -q hanging "/proc/$hanging/mountinfo"
}

hanging_costs_itself() {
	local before=$SECONDS
	kill_all && start && wait_for all_see plain user || return 1
	says "1 mount namespaces could not be looked at" && [ $((SECONDS - before)) -lt 20 ] &&
		grep -q hanging "/proc/$hanging/mountinfo"
}

again_and_again() {
	local n
	for ((n = 0; n < 10; n++)); do
		kill_all && start && wait_for all_see plain user || return 1
	done
}

peer_dies() {
	local library packages=("$cache"/lxcfs_5.0.3-*.deb)
	stop && dpkg -x "${packages[0]}" "$dir/package" || return 1
	library=$(dirname "$(find "$dir/package" -name liblxcfs.so)")
	LD_LIBRARY_PATH=$library "$dir/package/usr/bin/lxcfs" -p "$dir/peer.pid" "$mnt" \
		>>"$dir/peer.log" 2>&1 &
	peer=$!
	wait_for test -e "$mnt/proc/uptime" && start_box peer "${limit[peer]}" &&
		inside peer mount --bind "$mnt/proc/meminfo" /proc/meminfo &&
		inside peer mount --bind "$mnt/proc/uptime" /proc/uptime || return 1
	kill -9 "$peer"
	wait "$peer"
	is_dead peer
}

check "containers with and without views" start_boxes
check "in every way that they are bound" bind_all
check "a copy of a container's mounts in a user namespace" start_locked
check "all processes are killed" kill_all
check "and the views with them" all_are_dead
check "another lxcfs starts on the dead mount" start
check "and the containers have their views again" wait_for all_see plain user
check "also where they are locked" wait_for locked_sees
check "read-only where they were" keeps_read_only
check "private" is_private
check "and no others, dead or alive" no_dead_mount plain 6
check "what was mounted over a view stays" wait_for what_is_hidden_stays
check "a container without views gets none" is_untouched
check "there is nothing more to do" says " 0 views bound again in 0 mount namespaces"
check "lxcfs is stopped and started: it is not told which views were its own" restart_by_hand
check "they are bound again on demand" reattach
check "all of them" all_see plain user
check "none twice" no_dead_mount plain 6
check "and safe to repeat" says " 0 views bound again in 0 mount namespaces"
check "ten times killed, ten times bound again" again_and_again
check "and no mount is left of it" no_dead_mount plain 6
check "a file system that never answers" start_hanging
check "costs only who mounted it" hanging_costs_itself
kill -9 "$hanging"
if compgen -G "$cache/lxcfs_5.0.3-*.deb" >/dev/null; then
	check "LXCFS 5.0.3 dies on the mount point" peer_dies
	check "ours takes its place" start
	check "and its containers have views again" wait_for sees peer "${limit[peer]}"
fi
check "without anything to serve it says so" stop
not_served() {
	! reattach 2>"$dir/said" && grep -q "no lxcfs serves on $mnt" "$dir/said"
}
check "instead of waiting" not_served
finish
