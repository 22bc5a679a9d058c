#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The service manager's fd store: keeper and worker are killed together and started again,
# and no reader notices. Speaks TAP.
# usage: fuse_store.sh BUILD [--long]
# shellcheck disable=SC1091,SC2154,SC2317 # the library has them; check calls by name
. "$(dirname "$0")/fuse_lib"
restarts=10
[ "${2-}" = --long ] && restarts=100

survives_restarts() {
	timeout 300 python3 "$here/fuse_store.py" "$restarts" "$mnt/proc/uptime" \
		"$dir/lxcfs" "$mnt" -p "$pidfile" 2>>"$log"
}

is_clean() {
	! mounted && [ ! -e "$pidfile" ] && ! ours
}

check "$restarts restarts of the whole service" survives_restarts
grep '^#' "$dir/out"
check "stopped, nothing is left" is_clean
finish
