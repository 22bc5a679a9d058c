# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What the tests of the manager share: what they need, a directory and mounts of their own, a
# daemon, its API, TAP. Sourced with the script's own arguments; leaves $build, $program and
# $make_image. The script, or in_private, makes $dir.
# shellcheck disable=SC2034,SC2119,SC2120 # the scripts want them, and give options
set -u
PATH=$PATH:/usr/sbin:/sbin
build=$(realpath "${1:?usage: ${0##*/} BUILD}")
program=$build/src/manager/lxd
make_image=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../manager/make-image")
lxd='' # its pid
patience=20 # seconds that await waits
count=0 failed=0

# --- what they need ------------------------------------------------------------------

skip() { # WHY
	echo "1..0 # SKIP $1"
	exit 0
}

needs() { # TOOL...
	local tool
	for tool; do
		command -v "$tool" >/dev/null || skip "needs $tool"
	done
}
[ "$(id -u)" -eq 0 ] || skip "needs root"
[ -x "$program" ] || skip "built without the manager"

# --- a place of their own --------------------------------------------------------------

# In the guest, whose tmpfs cannot be idmapped (Linux 6.3), what is temporary is on its disk.
on_disk() {
	[ ! -d /scratch ] || export TMPDIR=/scratch
}

# Runs the script once more with mounts and a $dir of its own, so that nothing of them stays
# however it ends.
in_private() { # BUILD [DIRECTORY]: the script's arguments
	[ -z "${MANAGER_INSIDE-}" ] || { dir=$2; return; }
	local status
	dir=$(mktemp -d)
	chmod 755 "$dir"
	MANAGER_INSIDE=1 unshare -m --propagation private "$BASH" "$0" "$build" "$dir"
	status=$?
	rm -rf --one-file-system "$dir"
	exit $status
}

# Neither the daemon nor the client sees what the machine has of theirs.
all_in_dir() {
	export LXD_DIR=$dir/lxd LXD_CONF=$dir/conf HOME=$dir LXD_LIBEXECDIR=$build/src/manager
	unset LXD_SOCKET
}

# --- TAP -------------------------------------------------------------------------------

check() { # WHAT COMMAND...
	local what=$1
	shift
	count=$((count + 1))
	if "$@" >"$dir/out" 2>&1 </dev/null; then
		echo "ok $count - $what"
	else
		echo "not ok $count - $what"
		tail -n 20 "$dir/out" | sed 's/^/# /'
		failed=1
	fi
}

finish() {
	echo "1..$count"
	exit $failed
}

bail_out() { # WHY
	cat "$dir/lxd.out"
	echo "Bail out! $1"
	exit 1
}

await() { # COMMAND...: until it succeeds
	local end=$((SECONDS + patience))
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.02
	done
}

refused() { # WORDS COMMAND...: it fails with them
	local words=$1
	shift
	! "$@" >"$dir/err" 2>&1 && grep -qF -- "$words" "$dir/err" && return
	cat "$dir/err"
	return 1
}

# --- the daemon ------------------------------------------------------------------------

api() { # METHOD PATH [CURL-ARGUMENT]...: the answer
	curl -sS -m 60 --unix-socket "$LXD_DIR/unix.socket" -X "$1" "http://lxd$2" "${@:3}"
}

status() { # METHOD PATH [CURL-ARGUMENT]...: the HTTP status alone
	api "$1" "$2" -o /dev/null -w '%{http_code}' "${@:3}"
}

run_lxd() { # [OPTION]...: without waiting for it
	"$program" --group root "$@" >>"$dir/lxd.out" 2>&1 </dev/null &
	lxd=$!
}

start_lxd() {
	run_lxd
	await api GET /1.0 -f
}

kill_lxd() {
	kill -9 "$lxd"
	wait "$lxd" 2>/dev/null
	return 0
}

stop_lxd() {
	kill "$lxd" && wait "$lxd" && lxd=''
}
