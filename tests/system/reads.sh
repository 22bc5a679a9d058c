#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Less usual reads by processes of a container: threads, signals, poll, mmap, a handed-over
# fd, 32-bit personalities; and many of them, without growth. (Pieces and offsets:
# fuse_reads.sh.) Speaks TAP.
# usage: reads.sh BUILD
# shellcheck disable=SC1091,SC2154,SC2317 # the library has them; check calls by name
. "$(dirname "$0")/lib.bash"
MIB=$((1 << 20))

reads() { # BOX WAY [MIB]
	inside "$1" timeout 60 "$dir/reads" "$2" "$mnt" $((${3-96} << 10))
}

busybox_cat() {
	equal MemTotal "$(field MemTotal "$(inside a busybox cat "$mnt/proc/meminfo")")" $((96 << 10)) &&
		equal "tail" "$(inside a tail -n 1 "$mnt/proc/meminfo" | wc -l)" 1
}

# One open file, passed from the host to one container and on to the next.
handed_over() {
	local status=0
	exec 9<"$mnt/proc/meminfo"
	reads a handed && reads b handed 64 && reads a handed || status=1
	exec 9<&-
	return $status
}

thirty_two_bits() {
	inside a setarch linux32 -- "$dir/reads" threads "$mnt" $((96 << 10)) &&
		inside a setarch i386 -- "$dir/work" cat "$mnt/proc/cpuinfo" >"$dir/cpuinfo32" &&
		inside a "$dir/work" cat "$mnt/proc/cpuinfo" >"$dir/cpuinfo" &&
		diff <(sed '/MHz/d' "$dir/cpuinfo") <(sed '/MHz/d' "$dir/cpuinfo32")
}

open_files() {
	find "/proc/$(keeper)/fd" "/proc/$(worker)/fd" | wc -l
}

resident() { # in kB, keeper and worker
	cat "/proc/$(keeper)/status" "/proc/$(worker)/status" | awk '/^VmRSS/ { n += $2 } END { print n }'
}

# A thousand rounds over all files by four readers: of those behind the first nothing grows.
does_not_grow() {
	local files memory i readers=()
	reads a storm && reads b storm 64 || return 1
	files=$(open_files) memory=$(resident)
	for i in a b a; do
		start_behind $i "$dir/reads" storm "$mnt" 0
		readers+=("$behind")
	done
	for i in "${readers[@]}"; do
		wait "$i" || return 1
	done
	# What is kept open fills its tables; a leak would be a thousand.
	between "open files" 1 "$(open_files)" $((files + 64)) &&
		between "resident kB" 1 "$(resident)" $((memory + 1024))
}

compile reads || exit 1
check "lxcfs starts" start -l
check "a container of 96 MiB" start_box a $((96 * MIB))
check "a container of 64 MiB" start_box b $((64 * MIB))
check "50 threads" reads a threads
check "a thread whose process' first thread is gone" reads a leaderless
check "reads that signals interrupt" reads a interrupted
check "poll and epoll are ready at once" reads a polls
check "inotify does no harm" reads a watched
check "mmap fails or ends in SIGBUS" reads a mapped
check "sendfile" reads a sent
check "busybox's cat, which uses it" busybox_cat
check "buffers that are none" reads a bad_buffers
check "open for writing and write fail as the kernel's" reads a written
check "access(2) as the kernel's" reads a accessed
check "a 32-bit personality" reads a linux32
check "programs run as 32-bit ones" thirty_two_bits
check "an fd handed over is read as its reader" handed_over
check "a thousand reads of every file make nothing grow" does_not_grow
check "the containers go" remove_boxes
check "lxcfs ends" stop
finish
