#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Kills, upgrades and breaks lxcfs under readers that check every byte shape, and
# fails unless failed = wrong = hung = 0. As root; --long for 1,000 kills.
# usage: survive.sh LXCFS [--long]   (LXCFS: the built program, its library beside)
set -u

lxcfs=$(realpath "$1")
kills=50 keeper_kills=5 upgrades=5
if [ "${2:-}" = --long ]; then
	kills=1000 keeper_kills=20 upgrades=20
fi
here=$(realpath "$(dirname "$0")")
dir=$(mktemp -d)
mnt=$dir/mnt
log=$dir/log
readers=()
hung=0

cleanup() {
	local pid
	for pid in "${readers[@]}"; do
		kill -9 "$pid" 2>/dev/null
	done
	pid=$(cat "$dir/pid" 2>/dev/null) && kill -INT "$pid" 2>/dev/null && wait_gone "$pid"
	umount -l "$dir/bound/meminfo" 2>/dev/null
	umount -l "$mnt" 2>/dev/null
	rm -rf "$dir"
}

wait_gone() {
	timeout 10 tail -f /dev/null --pid="$1" -s 0.05
}

fail() {
	echo "survive: $*" >&2
	[ -e "$log" ] && tail -n 20 "$log" >&2
	exit 1
}

# Waits until a command succeeds, at most ten seconds.
wait_for() {
	local until=$((SECONDS + 10))
	until "$@"; do
		[ $SECONDS -lt $until ] || fail "waited in vain for: $*"
		sleep 0.005
	done
}

keeper() {
	local pid=
	read -r pid <"$dir/pid" 2>/dev/null
	[ -n "$pid" ] && [ -d "/proc/$pid" ] && echo "$pid"
}

# The processes of ours, but for the readers.
ours() {
	pgrep -f "$mnt -p $dir/pid"
}

worker() {
	local k kids
	k=$(keeper) || return 1
	read -r kids <"/proc/$k/task/$k/children" 2>/dev/null
	kids=${kids%% *}
	[ -n "$kids" ] && echo "$kids"
}

is_alone() {
	[ "$(ours | wc -l)" -eq 2 ]
}

is_other_than() {
	local now
	now=$("$1") && [ "$now" != "$2" ]
}

start_readers() {
	local files=("$mnt/proc/meminfo" "$mnt/proc/uptime" "$mnt/proc/cpuinfo" "$mnt/proc/stat")
	local total
	total=$(grep MemTotal "$mnt/proc/meminfo")
	mkdir "$dir/bound" && touch "$dir/bound/meminfo"
	mount --bind "$mnt/proc/meminfo" "$dir/bound/meminfo" || fail "cannot bind"
	for i in 1 2 3; do
		"$dir/reader" ${total:+-e "meminfo:$total"} "${files[@]}" >"$dir/result$i" &
		readers+=($!)
	done
	"$dir/reader" "$dir/bound/meminfo" >"$dir/result4" &
	readers+=($!)
}

stop_readers() {
	local pid
	kill -TERM "${readers[@]}"
	for pid in "${readers[@]}"; do
		if ! timeout 10 tail -f /dev/null --pid="$pid" -s 0.05; then
			hung=$((hung + 1))
		fi
	done
	readers=()
}

kill_workers() {
	local n w
	for ((n = 0; n < $1; n++)); do
		wait_for worker >/dev/null
		w=$(worker) && kill -9 "$w" 2>/dev/null
		# From the start of the next worker to well into its work.
		sleep "0.0$((RANDOM % 40 + 10))"
	done
}

kill_keepers() {
	local n k
	for ((n = 0; n < $1; n++)); do
		k=$(keeper) || fail "no keeper"
		kill -9 "$k"
		wait_for is_other_than keeper "$k"
		wait_for is_alone
	done
}

upgrade() {
	local n w
	for ((n = 0; n < $1; n++)); do
		w=$(worker) || fail "no worker"
		kill -USR1 "$(keeper)"
		wait_for is_other_than worker "$w"
		wait_for is_alone
	done
}

# A new file that does not work is refused, and the worker stays the same.
refuse() {
	local what=$1 file=$2 w before
	w=$(worker)
	before=$(grep -c "the new worker does not work" "$log")
	cp -p "$file" "$file.good"
	printf 'no program\n' >"$file.new"
	chmod 755 "$file.new"
	mv "$file.new" "$file"
	kill -USR1 "$(keeper)"
	refused() { [ "$(grep -c "the new worker does not work" "$log")" -gt "$before" ]; }
	wait_for refused
	mv "$file.good" "$file"
	[ "$(worker)" = "$w" ] || fail "a broken $what replaced the worker"
	head -n 1 "$mnt/proc/meminfo" >/dev/null || fail "no service after a broken $what"
}

[ "$(id -u)" -eq 0 ] || { echo "survive: run as root" >&2; exit 77; }
trap cleanup EXIT
mkdir "$mnt" "$dir/shared-lib"
cc -O2 -D_GNU_SOURCE -o "$dir/reader" "$here/survive_reader.c" || fail "cannot build the reader"
cp "$lxcfs" "$dir/lxcfs"
cp -P "$(dirname "$lxcfs")"/shared-lib/liblxcfs.so* "$dir/shared-lib/"
library=$(realpath "$dir"/shared-lib/liblxcfs.so.1)

"$dir/lxcfs" "$mnt" -p "$dir/pid" 2>"$log" &
mounted() { grep -q " $mnt fuse.lxcfs " /proc/mounts; }
wait_for mounted
timeout 10 head -n 1 "$mnt/proc/meminfo" >/dev/null || fail "cannot read"
[ "$(keeper)" = $! ] || fail "the pid file does not name the keeper"

start_readers
kill_workers $kills
wait_for worker >/dev/null
kill_keepers $keeper_kills
upgrade $upgrades
refuse program "$dir/lxcfs"
refuse library "$library"
stop_readers

umount "$dir/bound/meminfo"
k=$(keeper)
kill -TERM "$k"
wait_gone "$k" || fail "does not end at SIGTERM"
mounted && fail "SIGTERM left the mount"
[ -e "$dir/pid" ] && fail "SIGTERM left the pid file"
ours >/dev/null && fail "SIGTERM left processes"

awk -v kills=$kills -v keepers=$keeper_kills -v upgrades=$upgrades -v hung=$hung '
	{ ops += $2; failed += $4; wrong += $6; if ($8 > longest) longest = $8; n++ }
	END {
		printf "survive: %d worker kills, %d keeper kills, %d upgrades, %d verified operations: " \
			"failed %d, wrong %d, hung %d, longest stall %.1f ms\n",
			kills, keepers, upgrades, ops, failed, wrong, hung, longest / 1000
		exit failed + wrong + hung > 0 || n != 4 || ops == 0
	}' "$dir"/result* || fail "readers saw something"
