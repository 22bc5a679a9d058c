#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Kills, upgrades and breaks lxcfs under readers that check every text, and fails
# unless failed = wrong = hung = 0. Speaks TAP.
# usage: survive.sh BUILD [--long]    (--long: 1,000 kills and not 50)
# shellcheck disable=SC1091,SC2154,SC2317 # the library has them; check calls by name
kills=50 keeper_kills=5 upgrades=5
[ "${2-}" = --long ] && kills=1000 keeper_kills=20 upgrades=20
. "$(dirname "$0")/fuse_lib"
readers=()

# Also when it is interrupted.
leave() {
	kill -9 "${readers[@]}" 2>/dev/null
	umount -l "$dir/bound/meminfo" 2>/dev/null
	cleanup
}
trap leave EXIT

start_readers() {
	local files=("$mnt/proc/meminfo" "$mnt/proc/uptime" "$mnt/proc/cpuinfo" "$mnt/proc/stat")
	local total
	total=$(grep MemTotal "$mnt/proc/meminfo") || return 1
	mkdir "$dir/bound"
	touch "$dir/bound/meminfo"
	mount --bind "$mnt/proc/meminfo" "$dir/bound/meminfo" || return 1
	for i in 1 2 3; do
		"$dir/reader" -e "meminfo:$total" "${files[@]}" >"$dir/result$i" 2>>"$dir/seen" &
		readers+=($!)
	done
	"$dir/reader" -e "meminfo:$total" "$dir/bound/meminfo" >"$dir/result4" 2>>"$dir/seen" &
	readers+=($!)
	all_started() { [ "$(cat "$dir"/result* | grep -c started)" -eq 4 ]; }
	wait_for all_started
}

no_reader_hangs() {
	local pid hung=0
	kill -TERM "${readers[@]}" || return 1
	for pid in "${readers[@]}"; do
		wait_gone "$pid" || hung=$((hung + 1))
	done
	umount "$dir/bound/meminfo"
	[ $hung -eq 0 ]
}

kill_workers() {
	local n w
	for ((n = 0; n < kills; n++)); do
		wait_for worker || return 1
		w=$(worker) && kill -9 "$w"
		# From the start of the next worker to well into its work.
		sleep "0.0$((RANDOM % 40 + 10))"
	done
	wait_for serves
}

kill_keepers() {
	local n k
	for ((n = 0; n < keeper_kills; n++)); do
		k=$(keeper) && kill -9 "$k" || return 1
		wait_for is_other_than keeper "$k" && wait_for is_alone || return 1
	done
}

upgrade() {
	local n w
	for ((n = 0; n < upgrades; n++)); do
		w=$(worker) && kill -USR1 "$(keeper)" || return 1
		wait_for is_other_than worker "$w" && wait_for is_alone || return 1
	done
}

# At any point of an upgrade: before, while and after the new worker takes over.
kill_upgrading_keepers() {
	local n k
	for ((n = 0; n < keeper_kills; n++)); do
		k=$(keeper) && kill -USR1 "$k" || return 1
		sleep "0.0$((RANDOM % 40 + 10))"
		kill -9 "$k"
		wait_for is_other_than keeper "$k" && wait_for is_alone && serves || return 1
	done
}

# FILE: a new one that does not work, and the worker stays the same.
refuses() {
	local file=$1 w refusal="the new worker does not work" before
	w=$(worker)
	before=$(grep -c "$refusal" "$log")
	cp -p "$file" "$file.good"
	printf 'no program\n' >"$file.new"
	chmod 755 "$file.new"
	mv "$file.new" "$file"
	kill -USR1 "$(keeper)"
	refused() { [ "$(grep -c "$refusal" "$log")" -gt "$before" ]; }
	wait_for refused
	mv "$file.good" "$file"
	[ "$(worker)" = "$w" ] && serves
}

sum_up() {
	awk -v kills=$kills -v keepers=$keeper_kills -v upgrades=$upgrades '
		/^ops/ { n++; ops += $2; failed += $4; wrong += $6; if ($8 > longest) longest = $8 }
		END {
			printf "# %d kills of the worker, %d of the keeper, %d upgrades: %d " \
				"verified operations, failed %d, wrong %d, longest stall %.1f ms\n",
				kills, keepers, upgrades, ops, failed, wrong, longest / 1000
			exit failed + wrong > 0 || n != 4 || ops == 0
		}' "$dir"/result*
}

cc -O2 -D_GNU_SOURCE -o "$dir/reader" "$here/survive_reader.c" || exit 1
check "mounts and serves" start -l
check "readers start" start_readers
check "$kills kills of the worker" kill_workers
check "$keeper_kills kills of the keeper" kill_keepers
check "$upgrades upgrades" upgrade
check "$keeper_kills kills of a keeper that upgrades" kill_upgrading_keepers
check "a broken program is refused" refuses "$dir/lxcfs"
check "a broken library is refused" refuses "$(realpath "$dir/shared-lib/liblxcfs.so.1")"
check "no reader hangs" no_reader_hangs
sum_up && sums=true || sums=false
sed 's/^/# /' "$dir/seen"
check "no read failed, no text was wrong" "$sums"
check "SIGTERM leaves no mount, no process, no pid file" stop
finish
