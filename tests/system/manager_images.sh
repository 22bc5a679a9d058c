#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Images with the real client: every kind in and out again byte by byte, aliases, projects, what
# is refused, and a daemon that is killed while it takes them.
# usage: manager_images.sh BUILD    (root; speaks TAP)
# shellcheck disable=SC2317 # check calls its functions by name
set -u
build=$(realpath "${1:?usage: manager_images.sh BUILD}")
[ "$(id -u)" -eq 0 ] || { echo "1..0 # SKIP needs root"; exit 0; }
[ -x "$build/src/manager/lxd" ] || { echo "1..0 # SKIP built without the manager"; exit 0; }
command -v lxc >/dev/null || { echo "1..0 # SKIP needs the lxc client"; exit 0; }
make_image=$(realpath "$(dirname "$0")/../manager/make-image")
dir=$(mktemp -d)
export LXD_DIR=$dir/lxd LXD_CONF=$dir/conf HOME=$dir
unset LXD_SOCKET
daemon='' failed=0 count=0

check() { # WHAT COMMAND...
	local what=$1
	shift
	count=$((count + 1))
	if "$@" >"$dir/out" 2>&1; then
		echo "ok $count - $what"
	else
		echo "not ok $count - $what"
		tail -n 20 "$dir/out" | sed 's/^/# /'
		failed=1
	fi
}

start_daemon() {
	local end=$((SECONDS + 30))
	"$build/src/manager/lxd" --group root >>"$dir/log" 2>&1 </dev/null &
	daemon=$!
	until curl -sf --unix-socket "$LXD_DIR/unix.socket" http://lxd/1.0 >/dev/null; do
		[ $SECONDS -lt $end ] && kill -0 "$daemon" || return 1
		sleep 0.05
	done
}

kill_daemon() {
	kill -9 "$daemon"
	wait "$daemon" 2>/dev/null
}

cleanup() {
	[ -z "$daemon" ] || kill "$daemon" 2>/dev/null
	wait 2>/dev/null
	rm -rf "$dir"
}
trap cleanup EXIT

api() { # METHOD PATH [CURL-ARGUMENT]...
	curl -sS -m 60 --unix-socket "$LXD_DIR/unix.socket" -X "$1" "http://lxd$2" "${@:3}"
}

says() { # TEXT COMMAND...: it fails with these words
	local words=$1 out
	shift
	if out=$("$@" 2>&1 </dev/null); then
		echo "went well: $out"
		return 1
	fi
	grep -qF -- "$words" <<<"$out" || { echo "$out"; return 1; }
}

files() {
	find "$LXD_DIR/images" -type f | wc -l
}

sum() {
	cat "$@" | sha256sum | cut -c1-64
}

# --- in and out --------------------------------------------------------------------

in_and_out() { # KIND SUFFIX
	local fp
	fp=$(sum "$dir/$1")
	lxc image import "$dir/$1" --alias "$1" test=one </dev/null &&
		[ "$(lxc query "/1.0/images/aliases/$1" | jq -r .target)" = "$fp" ] &&
		[ "$(lxc image get-property "$1" os)" = Busybox ] &&
		[ "$(lxc image get-property "$1" test)" = one ] &&
		rm -rf "$dir/ex" && mkdir "$dir/ex" &&
		lxc image export "$1" "$dir/ex" &&
		cmp "$dir/$1" "$dir/ex/$fp$2"
}

split_in_and_out() {
	local fp
	fp=$(sum "$dir/split" "$dir/split.rootfs")
	lxc image import "$dir/split" "$dir/split.rootfs" --alias split </dev/null &&
		rm -rf "$dir/ex" && mkdir "$dir/ex" &&
		lxc image export split "$dir/ex" &&
		cmp "$dir/split" "$dir/ex/meta-$fp.tar.gz" &&
		cmp "$dir/split.rootfs" "$dir/ex/$fp.squashfs"
}

range() {
	api GET "/1.0/images/$(sum "$dir/gzip")/export" -r 10-19 -o "$dir/part" &&
		cmp "$dir/part" <(tail -c +11 "$dir/gzip" | head -c 10)
}

# --- one after the other --------------------------------------------------------------

aliases() {
	lxc image alias create a/b/c "$(sum "$dir/gzip")" &&
		says 'Alias "a/b/c" already exists' lxc image alias create a/b/c "$(sum "$dir/gzip")" &&
		lxc image alias rename a/b/c d/e &&
		[ "$(lxc query /1.0/images/aliases/d/e | jq -r .name)" = d/e ] &&
		[ "$(api GET /1.0/images/aliases/d%2Fe | jq -r .metadata.name)" = d/e ] &&
		lxc image alias delete d/e &&
		says 'Image alias not found' lxc query /1.0/images/aliases/d/e
}

edit() {
	echo '{"properties": {"os": "Edited"}, "public": true}' | lxc image edit gzip &&
		lxc image list os=Edited -f csv -c F | grep -qx "$(sum "$dir/gzip")" &&
		[ "$(api GET '/1.0/images?filter=properties.os+eq+edited' | jq '.metadata | length')" = 1 ]
}

conflict() {
	[ "$(api PUT "/1.0/images/$(sum "$dir/gzip")" -H 'If-Match: x' -d '{}' |
		jq .error_code)" = 412 ]
}

two_projects() {
	lxc project create p -c features.images=true &&
		says 'not found' lxc image info --project p gzip &&
		lxc image import "$dir/gzip" --project p </dev/null &&
		lxc image delete "$(sum "$dir/gzip")" --project p &&
		[ -e "$LXD_DIR/images/$(sum "$dir/gzip")" ] &&
		lxc project delete p
}

refused() {
	head -c 100000 /dev/urandom >"$dir/random"
	tar -C "$dir" -cf "$dir/other" random
	says 'Unsupported compression' lxc image import "$dir/random" &&
		says 'metadata.yaml' lxc image import "$dir/other" &&
		says 'already exists' lxc image import "$dir/gzip" &&
		says 'Image source not found' lxc query --wait -X POST \
			"/1.0/images/$(sum "$dir/gzip")/refresh"
}

nothing_left_behind() { # what was refused has no file
	[ "$(files)" = 8 ] || { ls -la "$LXD_DIR/images"; return 1; }
}

# --- killed ------------------------------------------------------------------------------

# Killed at some point of many imports: what the list shows can be exported whole, and there is no
# file that it does not show.
killed() {
	local i fp
	for i in $(seq 12); do
		"$make_image" "$dir/k" none || return 1
		echo "$i" >"$dir/extra"
		tar -C "$dir" -rf "$dir/k" extra
		{ api POST /1.0/images -H 'Content-Type: application/octet-stream' \
			--limit-rate 20M --data-binary "@$dir/k"; } >/dev/null 2>&1 &
		sleep "0.0$((RANDOM % 90 + 10))"
		kill_daemon
		wait $! 2>/dev/null
		start_daemon || return 1
		for fp in $(api GET '/1.0/images' | jq -r '.metadata[]'); do
			api GET "$fp/export" -f -o /dev/null || return 1
		done
		known=$(api GET '/1.0/images?recursion=1' | jq -r '.metadata[].fingerprint' | sort)
		[ "$known" = "$(find "$LXD_DIR/images" -type f -printf '%f\n' |
			sed 's/\.rootfs$//' | sort -u)" ] || { ls "$LXD_DIR/images"; return 1; }
	done
}

delete_all() {
	local fp
	for fp in $(api GET '/1.0/images?recursion=1' | jq -r '.metadata[].fingerprint'); do
		lxc image delete "$fp" || return 1
	done
	[ "$(files)" = 0 ]
}

mkdir -p "$LXD_DIR"
for kind in gzip xz zstd bzip2 none squashfs split; do
	"$make_image" "$dir/$kind" "$kind" || exit 1
done
start_daemon || { cat "$dir/log"; echo "Bail out! the daemon does not start"; exit 1; }
check "gzip" in_and_out gzip .tar.gz
check "xz" in_and_out xz .tar.xz
check "zstd" in_and_out zstd .tar.zst
check "bzip2" in_and_out bzip2 .tar.bz2
check "a plain tar" in_and_out none .tar
check "squashfs" in_and_out squashfs .squashfs
check "metadata and a root file system" split_in_and_out
check "a part of a file" range
check "aliases, with slashes" aliases
check "edited, and found by it" edit
check "not edited by two at once" conflict
check "one file in two projects" two_projects
check "what is no image is refused" refused
check "and leaves no file" nothing_left_behind
check "killed while it imports" killed
check "deleted with their files" delete_all
echo "1..$count"
exit "$failed"
