#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Requests that crash or hang the worker: they get EIO, everybody else gets an answer.
# Speaks TAP.
# usage: fuse_faults.sh BUILD [--long]    (--long: also a worker that is stopped, for half a minute)
# shellcheck disable=SC1091,SC2154,SC2317 # the library has them; check calls by name
. "$(dirname "$0")/fuse_lib"

gives_eio() {
	local out
	out=$(timeout "$2" cat "$mnt/proc/$1" 2>&1) && return 1
	[[ $out == *"Input/output error"* ]]
}

log_names_request() {
	grep -q "request 15 for node [0-9]* of pid [0-9]*, uid 0 brought workers down" "$log"
}

# Readers of other files, while the one file crashes worker after worker.
others_are_served() {
	local pids=() pid status=0
	for i in 1 2 3; do
		"$dir/reader" "$mnt/proc/meminfo" "$mnt/proc/cpuinfo" >"$dir/result$i" 2>&1 &
		pids+=($!)
	done
	all_started() { [ "$(cat "$dir"/result* | grep -c started)" -eq 3 ]; }
	wait_for all_started || return 1
	timeout 60 cat "$mnt/proc/swaps" 2>/dev/null && status=1
	kill -TERM "${pids[@]}"
	for pid in "${pids[@]}"; do
		wait "$pid" || status=1
	done
	cat "$dir"/result*
	return $status
}

# COMMAND...: a reader that does not give up crashes two workers at most.
is_remembered() {
	local before after
	before=$(grep -c crashed "$log")
	# shellcheck disable=SC2016 # for the inner shell
	timeout -s KILL 5 "$@" bash -c 'while :; do cat "$1"; done' - "$mnt/proc/swaps" >"$dir/out" 2>&1
	after=$(grep -c crashed "$log")
	echo "$((after - before)) crashes"
	[ $((after - before)) -le 2 ] && grep -q "Input/output error" "$dir/out" && wait_for serves
}

is_the_worker() {
	serves && [ "$(worker)" = "$1" ]
}

is_replaced_soon() {
	local until=$((SECONDS + 40))
	while [ -d "/proc/$1" ]; do
		[ $SECONDS -lt $until ] || return 1
		sleep 0.1
	done
	wait_for serves
}

stopped_worker_is_replaced() {
	local w
	w=$(worker)
	kill -STOP "$w" || return 1
	timeout 40 head -c 1 "$mnt/proc/uptime" >/dev/null && [ "$(worker)" != "$w" ]
}

cc -shared -fPIC -O2 -D_GNU_SOURCE -I"$here/../../shared-lib" -o "$dir/faults.so" \
	"$here/fuse_faults.c" -ldl || exit 1
cc -O2 -D_GNU_SOURCE -o "$dir/reader" "$here/survive_reader.c" || exit 1
# A build with AddressSanitizer would rather be the first library itself.
export ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0

LD_PRELOAD=$dir/faults.so check "mounts and serves" start
check "a request that crashes two workers gets EIO" gives_eio swaps 20
check "and the log names it" log_names_request
check "others are served meanwhile" others_are_served
check "who does it again crashes no more" is_remembered env
check "nor does another container" is_remembered unshare --pid --fork --kill-child
before=$(worker)
# Where the filter knows no pause(2) it runs for ever, else it sleeps.
check "a request that hangs gets EIO" gives_eio diskstats 25
check "and others are served by the same worker" is_the_worker "$before"
if [ "${2-}" = --long ]; then
	if grep -q '^Seccomp:.2' "/proc/$before/status"; then
		check "a thread that runs for ever ends with its worker" is_replaced_soon "$before"
	fi
	check "a worker that is stopped is replaced" stopped_worker_is_replaced
	check "and serves" serves
fi
check "stops" stop
finish
