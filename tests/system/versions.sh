#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A later version, with another layout of the shared state and more to ask of the kernel,
# takes over from this one and this one from it, while somebody reads. Speaks TAP.
# usage: versions.sh BUILD    (builds the later version from the source beside it)
# shellcheck disable=SC1091,SC2154,SC2317 # the library has them; check calls by name
. "$(dirname "$0")/fuse_lib"
source=$(realpath "$here/../..")
later=$dir/later
library=shared-lib/$(basename "$(realpath "$dir/shared-lib/liblxcfs.so.1")")

leave() {
	[ -z "${reader-}" ] || kill -9 "$reader" 2>/dev/null
	cleanup
}
trap leave EXIT

# FILE EXPRESSION: which must change something.
patch_file() {
	cp "$later/$1" "$later/$1.before"
	sed -i "$2" "$later/$1"
	! cmp -s "$later/$1" "$later/$1.before"
}

# All that a later version may do: other parts, a longer header; and, on a mount that it did
# not make, wish for more FUSE features.
make_later() {
	mkdir "$later" && cp -r "$source"/{meson.build,meson_options.txt,src,shared-lib,config} "$later" &&
		mkdir "$later/tests" && : >"$later/tests/meson.build" || return 1
	patch_file src/shared.h 's/^#define SHARED_VERSION .*/#define SHARED_VERSION 2/' &&
		patch_file src/shared.h 's/^#define SHARED_TRIGGERS .*/#define SHARED_TRIGGERS 2048/' &&
		patch_file src/shared.h 's/^\(\tuint64_t text_size;\).*/\1 uint64_t later[16];/' &&
		patch_file src/fs.c 's/^\tconn->want &= FUSE_CAP_PARALLEL_DIROPS;/\tconn->want = getenv("GREEDY") ? conn->capable : 0;/' &&
		patch_file meson.build "s/^\tversion: .*/\tversion: '99.0',/" || return 1
	meson setup "$later/build" "$later" --buildtype=plain -Dtests=disabled -Db_lundef=false &&
		timeout 300 ninja -C "$later/build" lxcfs
}

# DIRECTORY: its program and library take the place of ours, as a package does it.
install_from() {
	cp "$1/lxcfs" "$dir/lxcfs.new" && mv "$dir/lxcfs.new" "$dir/lxcfs" &&
		cp "$(realpath "$1/shared-lib/liblxcfs.so.1")" "$dir/library.new" &&
		mv "$dir/library.new" "$dir/$library"
}

# VERSION: what the worker has mapped and not only what lies on the disk.
serves_version() {
	local pid
	pid=$(worker) && serves && cmp -s "/proc/$pid/exe" "$dir/lxcfs" &&
		[ "$("$dir/lxcfs" --version)" = "$1" ]
}

upgrade_to() { # DIRECTORY VERSION
	local before
	before=$(worker) && install_from "$1" && kill -USR1 "$(keeper)" || return 1
	wait_for is_other_than worker "$before" && wait_for is_alone && serves_version "$2"
}

kill_some() {
	local n w
	for ((n = 0; n < 20; n++)); do
		wait_for worker && w=$(worker) && kill -9 "$w" && wait_for is_other_than worker "$w" || return 1
	done
	wait_for serves && kill -9 "$(keeper)" && wait_for is_alone && wait_for serves
}

start_reader() {
	local total
	total=$(grep MemTotal "$mnt/proc/meminfo") || return 1
	"$dir/reader" -e "meminfo:$total" "$mnt"/proc/{meminfo,uptime,cpuinfo,stat} \
		>"$dir/result" 2>"$dir/seen" &
	reader=$!
	wait_for grep -q started "$dir/result"
}

stop_reader() {
	kill "$reader" && wait_gone "$reader" && reader='' || return 1
	cat "$dir/seen"
	grep '^ops' "$dir/result"
	grep -q ' failed 0 wrong 0 ' "$dir/result"
}

cc -O2 -D_GNU_SOURCE -o "$dir/reader" "$here/survive_reader.c" || exit 1
mkdir -p "$dir/now/shared-lib"
cp "$dir/lxcfs" "$dir/now" && cp "$(realpath "$dir/shared-lib/liblxcfs.so.1")" "$dir/now/shared-lib/liblxcfs.so.1"
now=$("$dir/lxcfs" --version)
check "a later version is built" make_later
export GREEDY=1
check "this one serves" start -l
check "somebody reads" start_reader
for round in 1 2 3; do
	check "round $round: the later one takes over" upgrade_to "$later/build" 99.0
	check "is killed, and its keeper" kill_some
	check "this one takes over again" upgrade_to "$dir/now" "$now"
	check "is killed, and its keeper" kill_some
done
check "none of it was noticed" stop_reader
sed 's/^/# /' "$dir/out"
check "stop" stop
unset GREEDY
check "the later version begins" install_from "$later/build"
check "with a state of its own" start -l
check "somebody reads" start_reader
check "this one follows" upgrade_to "$dir/now" "$now"
check "is killed, and its keeper" kill_some
check "and the later one again" upgrade_to "$later/build" 99.0
check "none of it was noticed" stop_reader
sed 's/^/# /' "$dir/out"
check "stop" stop
finish
