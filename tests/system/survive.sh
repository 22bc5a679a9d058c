#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Kills, upgrades and breaks lxcfs under readers in four containers that check every text,
# and fails unless failed = wrong = hung = 0. Speaks TAP.
# usage: survive.sh BUILD [--long | --peer]
# --long: 1,000 kills of the worker, 100 of the keeper, 50 upgrades
# --peer: what one kill does to Debian's LXCFS 5.0.3, which is started again at once
# shellcheck disable=SC1091,SC2154,SC2317 # the library has them; check calls by name
kills=50 keeper_kills=5 upgrades=5
[ "${2-}" = --long ] && kills=1000 keeper_kills=50 upgrades=50
mode=${2-}
. "$(dirname "$0")/lib.bash"
readers=()

# Also when it is interrupted.
leave() {
	[ -z "${peer-}" ] || kill -9 "$peer" 2>/dev/null
	remove_boxes
	cleanup
}
trap leave EXIT

# Each has its own limit; in the last two the views are bound, one is in a user namespace.
start_readers() {
	local i bytes box
	for i in 1 2 3 4; do
		box=box$i bytes=$((i * 64 * 1048576))
		if [ $i -eq 4 ]; then
			start_box $box $bytes -u 100000 || return 1
		else
			start_box $box $bytes || return 1
		fi
		prefix=$mnt
		[ $i -lt 3 ] || { bind_views $box && prefix=; } || return 1
		start_behind $box "$dir/reader" -e "meminfo:$(printf 'MemTotal: %14d kB' $((bytes / 1024)))" \
			"$prefix"/proc/{meminfo,uptime,cpuinfo,stat} >"$dir/result$i" 2>>"$dir/seen"
		readers+=("$behind")
	done
	all_started() { [ "$(cat "$dir"/result* | grep -c started)" -eq 4 ]; }
	wait_for all_started
}

bind_views() { # BOX
	# shellcheck disable=SC2016 # the shell in there has the variables
	inside "$1" sh -c 'for name in meminfo uptime cpuinfo stat; do
		mount --bind "$0/proc/$name" "/proc/$name" || exit 1
	done' "$mnt"
}

# The readers themselves: who started them passes on how they end.
no_reader_hangs() {
	local pid pids hung=0
	mapfile -t pids < <(pgrep -f "^$dir/reader ")
	kill -TERM "${pids[@]}" || return 1
	for pid in "${readers[@]}"; do
		wait_gone "$pid" || hung=$((hung + 1))
	done
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
	awk -v kills=$kills -v keepers=$((2 * keeper_kills)) -v upgrades=$upgrades '
		/^ops/ { n++; ops += $2; failed += $4; wrong += $6; if ($8 > longest) longest = $8 }
		END {
			printf "# %d kills of the worker, %d of the keeper, %d upgrades: %d " \
				"verified operations, failed %d, wrong %d, longest stall %.1f ms\n",
				kills, keepers, upgrades, ops, failed, wrong, longest / 1000
			exit failed + wrong > 0 || n != 4 || ops == 0
		}' "$dir"/result*
}

start_peer() {
	local library
	library=$(dirname "$(find "$dir/package" -name liblxcfs.so)")
	LD_LIBRARY_PATH=$library "$dir/package/usr/bin/lxcfs" -p "$dir/peer.pid" "$mnt" \
		>>"$dir/peer.log" 2>&1 &
	peer=$!
	wait_for test -e "$mnt/proc/uptime"
}

kill_peer() {
	kill -9 "$peer" && wait_gone "$peer" && umount -l "$mnt" && start_peer
}

# Not one of ours fails here: it prints what there is to compare with.
try_peer() {
	local packages=("${XDG_CACHE_HOME:-/var/cache}"/lxcfs-test/lxcfs_5.0.3-*.deb)
	[ -e "${packages[0]}" ] || { echo "1..0 # SKIP no LXCFS 5.0.3: peer.sh fetches it"; exit; }
	dpkg -x "${packages[0]}" "$dir/package"
	check "LXCFS 5.0.3 serves" start_peer
	check "readers start" start_readers
	check "it is killed and started again" kill_peer
	sleep 3 # of readers' time, to be counted
	check "no reader hangs" no_reader_hangs
	kills=1 keeper_kills=0 upgrades=0
	sum_up
	finish
}

cc -O2 -D_GNU_SOURCE -o "$dir/reader" "$here/survive_reader.c" || exit 1
[ "$mode" != --peer ] || try_peer
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
