#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Images with the real client: every kind in and out again byte by byte, aliases, projects, what
# is refused, and a daemon that is killed while it takes them.
# usage: manager_images.sh BUILD    (root; speaks TAP)
# shellcheck disable=SC1091,SC2034,SC2154,SC2317 # the library has or wants them; check calls its
# functions by name
. "$(dirname "$0")/manager_lib.bash"
needs lxc
dir=$(mktemp -d)
all_in_dir
patience=30

cleanup() {
	[ -z "$lxd" ] || kill "$lxd" 2>/dev/null
	wait 2>/dev/null
	rm -rf "$dir"
}
trap cleanup EXIT

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
		refused 'Alias "a/b/c" already exists' lxc image alias create a/b/c "$(sum "$dir/gzip")" &&
		lxc image alias rename a/b/c d/e &&
		[ "$(lxc query /1.0/images/aliases/d/e | jq -r .name)" = d/e ] &&
		[ "$(api GET /1.0/images/aliases/d%2Fe | jq -r .metadata.name)" = d/e ] &&
		lxc image alias delete d/e &&
		refused 'Image alias not found' lxc query /1.0/images/aliases/d/e
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
		refused 'not found' lxc image info --project p gzip &&
		lxc image import "$dir/gzip" --project p </dev/null &&
		lxc image delete "$(sum "$dir/gzip")" --project p &&
		[ -e "$LXD_DIR/images/$(sum "$dir/gzip")" ] &&
		lxc project delete p
}

no_images() {
	head -c 100000 /dev/urandom >"$dir/random"
	tar -C "$dir" -cf "$dir/other" random
	refused 'Unsupported compression' lxc image import "$dir/random" &&
		refused 'metadata.yaml' lxc image import "$dir/other" &&
		refused 'already exists' lxc image import "$dir/gzip" &&
		refused 'Image source not found' lxc query --wait -X POST \
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
		kill_lxd
		wait $! 2>/dev/null
		start_lxd || return 1
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
start_lxd || bail_out "the daemon does not start"
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
check "what is no image is refused" no_images
check "and leaves no file" nothing_left_behind
check "killed while it imports" killed
check "deleted with their files" delete_all
finish
