#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The command line, the mount, the pid file and the signals, as users and scripts of the
# original know them. Speaks TAP.
# usage: fuse_options.sh BUILD
# shellcheck disable=SC1091,SC2154,SC2317 # the library has them; check calls by name
. "$(dirname "$0")/fuse_lib"
manual=$here/../../config/man/lxcfs.8

# STATUS TEXT ARGUMENT...: it ends with this status and one line on stderr with this text.
says() {
	local status=$1 text=$2 out
	shift 2
	out=$(timeout 10 "$dir/lxcfs" "$@" 2>&1 >/dev/null)
	[ $? -eq "$status" ] && [[ $out == *"$text"* ]] && [ "$(wc -l <<<"$out")" -eq 1 ] && return
	echo "said: $out"
	return 1
}

prints_version() {
	[[ $("$dir/lxcfs" -v) =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] &&
		[ "$("$dir/lxcfs" --version /nowhere)" = "$("$dir/lxcfs" -v)" ]
}

options=(--debug --disable-cgroup --disable-swap --disable-zswap --enable-cfs --enable-cgroup
	--enable-loadavg --enable-pidfd --enable-psi-poll --foreground --help --pidfile
	--runtime-dir --version)
letters=(-d -f -h -l -o -p -s -u -v -z)

help_and_manual_name_all() {
	local option help
	help=$("$dir/lxcfs" --help) || return 1
	for option in "${options[@]}" "${letters[@]}"; do
		grep -qE -- "(^|[ ,])$option\b" <<<"$help" || { echo "help: $option"; return 1; }
		grep -qF -- "${option//-/\\-}" "$manual" || { echo "manual: $option"; return 1; }
	done
}

mount_line_is() {
	grep -qxE "$1 $mnt fuse.lxcfs $2 0 0" /proc/self/mounts
}

second_is_refused() {
	local k other=$dir/other
	k=$(keeper)
	mkdir -p "$other"
	says 1 "belongs to a running lxcfs" "$other" -p "$pidfile" &&
		[ "$(cat "$pidfile")" = "$k" ] && ! grep -q " $other " /proc/self/mounts
}

mount_point_is_busy() {
	says 1 "already mounted" "$mnt" -p "$dir/pid2" && [ ! -e "$dir/pid2" ] && serves
}

no_mount_from_a_user() {
	local out
	chmod 755 "$dir"
	out=$(setpriv --reuid 65534 --clear-groups "$dir/lxcfs" "$mnt" -p "$pidfile" 2>&1)
	[ $? -eq 1 ] && [[ $out == *"only root"* ]]
}

needs_the_device() {
	unshare -m bash -c 'mount --bind /dev/null /dev/fuse && exec "$@"' - \
		"$dir/lxcfs" "$mnt" -p "$pidfile" 2>"$dir/err"
	[ $? -eq 1 ] && ! mounted
}

no_cgroups() {
	unshare -m bash -c 'umount -Rl /sys/fs/cgroup; exec "$@"' - \
		timeout 10 "$dir/lxcfs" "$mnt" -p "$pidfile" 2>"$dir/err"
	[ $? -eq 1 ] && grep -q "no cgroup file system" "$dir/err" && [ ! -e "$pidfile" ]
}

# Both processes gone at once: a dead mount, which the next start cleans up.
dead_mount_is_replaced() {
	local pids
	mapfile -t pids < <(ours)
	kill -STOP "${pids[@]}"
	kill -9 "${pids[@]}"
	is_dead() { ! stat -f "$mnt" 2>/dev/null; }
	wait_for is_dead && start && [ "$(grep -c " $mnt " /proc/self/mounts)" -eq 1 ] &&
		wait_for grep -q 'views bound again' "$log" # it holds the mount until then
}

switches_view() {
	local k
	k=$(keeper)
	kill -USR2 "$k" && serves && kill -USR2 "$k" && serves
}

unmounted_by_hand() {
	local k
	k=$(keeper)
	umount "$mnt" && wait_gone "$k" && [ ! -e "$pidfile" ] && ! ours
}

keeper_ends_with() { # STATUS SIGNAL
	local pid status
	"$dir/lxcfs" "$mnt" -p "$pidfile" 2>>"$log" &
	pid=$!
	wait_for serves || return 1
	kill "-$2" "$pid"
	wait "$pid"
	status=$?
	[ $status -eq "$1" ] && ! mounted && [ ! -e "$pidfile" ]
}

default_pidfile() {
	local pid
	"$dir/lxcfs" "$mnt" --runtime-dir "$dir" -f 2>>"$log" &
	pid=$!
	wait_for serves
	[ "$(cat "$dir/lxcfs.pid")" = $pid ]
	local held=$?
	kill $pid
	wait $pid && [ $held -eq 0 ] && [ ! -e "$dir/lxcfs.pid" ]
}

check "no mount point" says 2 "no mount point given"
check "two mount points" says 2 "is too much" /a /b
check "unknown option" says 2 "unknown option --bogus" --bogus "$mnt"
check "unknown letter among known ones" says 2 "unknown option -q" -lqf "$mnt"
check "missing value" says 2 "needs a value" "$mnt" --pidfile
check "unknown mount option" says 2 "unknown mount option -o bogus" -o ro,bogus "$mnt"
check "missing mount point" says 1 "make it with mkdir" "$dir/nowhere" -p "$pidfile"
check "mount point is a file" says 1 "is no directory" "$log" -p "$pidfile"
check "pid file in no directory" says 1 "cannot write pid file" "$mnt" -p "$dir/nowhere/pid"
check "version" prints_version
check "help and manual page name every option" help_and_manual_name_all
check "not root" no_mount_from_a_user
check "no /dev/fuse" needs_the_device
check "no cgroup file system" no_cgroups

check "starts" start
check "mount line" mount_line_is lxcfs \
	"rw,nosuid,nodev,relatime,user_id=0,group_id=0,allow_other"
check "another instance with the same pid file is refused" second_is_refused
check "another instance on the same mount point is refused" mount_point_is_busy
check "SIGUSR2 switches the view there and back" switches_view
check "a mount that is dead is replaced" dead_mount_is_replaced
check "ends when unmounted" unmounted_by_hand

check "all options, several -o, mount point between" start -l -u -z -s -f --enable-cfs \
	--enable-pidfd --enable-psi-poll --enable-cgroup --disable-cgroup --disable-swap \
	-o ro,noexec -o allow_other,direct_io,entry_timeout=0.5,attr_timeout=0.5,nonempty \
	-o fsname=views
check "mount line says so" mount_line_is views \
	"ro,nosuid,nodev,noexec,relatime,user_id=0,group_id=0,allow_other"
check "stops" stop
check "SIGTERM ends with 0" keeper_ends_with 0 TERM
check "SIGINT ends with 0" keeper_ends_with 0 INT
check "SIGHUP ends with 0" keeper_ends_with 0 HUP
check "--runtime-dir" default_pidfile
finish
