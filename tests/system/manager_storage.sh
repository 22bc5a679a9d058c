#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Storage pools with the real client: made, shown, changed, deleted; still there after the daemon
# was killed; undone when it is killed while it makes one; a pool without space.
# usage: manager_storage.sh BUILD    (root; speaks TAP; every mount lives in a private namespace)
# shellcheck disable=SC1091,SC2154,SC2317 # the library has them; check calls its functions by name
. "$(dirname "$0")/manager_lib.bash"
needs lxc curl mkfs.btrfs
on_disk
in_private "$@"
all_in_dir
mkdir -p "$LXD_DIR"

lxc() {
	timeout 60 /usr/bin/lxc "$@"
}

loops() { # how many devices have files of ours
	losetup -a | grep -cF "$LXD_DIR"
}

has() { # PATTERN PATH
	api GET "/1.0/$2" -m 20 | grep -q -- "$1"
}

lacks() {
	! has "$@"
}

# Everything that a test leaves, in the order that lets go of it.
cleanup() {
	local target
	[ -z "$lxd" ] || kill -9 "$lxd" 2>"$dir/killed"
	while read -r target; do
		umount -l "$target"
	done < <(findmnt -rno TARGET | grep -F "$dir/" | sort -r)
}
trap cleanup EXIT

# --- the life of a pool -------------------------------------------------------------

check 'the daemon starts' start_lxd
check 'a directory' lxc storage create d1 dir
check 'a btrfs pool in a file' lxc storage create b1 btrfs size=256MiB
check 'both are listed' test "$(lxc storage list -f csv | cut -d, -f1,2 | tr '\n' ' ')" = 'b1,btrfs d1,dir '
check 'one loop device' test "$(loops)" -eq 1
check 'its size' has '"size":"256MiB"' storage-pools/b1
check 'no second one' refused 'The storage pool already exists' lxc storage create d1 dir
check 'no unknown driver' refused 'Unknown driver' lxc storage create x nope
check 'no unknown option' refused 'Invalid option "foo"' lxc storage create x dir foo=bar
check 'no bad value' refused 'Invalid value for option "size"' lxc storage create x btrfs size=1XB
check 'no source that holds something' refused "isn't empty" lxc storage create x dir source=/etc
check 'no file system that is too small' refused 'Failed to format sparse file' \
	lxc storage create x btrfs size=1MiB
check 'nothing of these is left' test ! -e "$LXD_DIR/storage-pools/x" -a ! -e "$LXD_DIR/disks/x.img"
check 'a key is set' lxc storage set d1 user.key=value
check 'and read' test "$(lxc storage get d1 user.key)" = value
check 'the source is fixed' refused 'Pool source cannot be changed' lxc storage set d1 source=/x
check 'a pool grows' lxc storage set b1 size=512MiB
check 'to its new size' test "$(stat -c %s "$LXD_DIR/disks/b1.img")" -eq $((512 << 20))
check 'and never shrinks' refused 'Pool shrinking is not supported' lxc storage set b1 size=128MiB
check 'its space is known' has '"total":536870912' storage-pools/b1/resources

stale_etag() {
	local code
	code=$(curl -sS -o "$dir/reply" -w '%{http_code}' --unix-socket "$LXD_DIR/unix.socket" -X PUT \
		-H 'If-Match: "stale"' -d '{"config":{}}' http://lxd/1.0/storage-pools/d1)
	cat "$dir/reply"
	[ "$code" -eq 412 ]
}
check 'a change of something older is refused' stale_etag

# --- who uses it -----------------------------------------------------------------------

check 'a profile uses it' lxc profile device add default root disk path=/ pool=d1
check 'as it shows' has '/1.0/profiles/default' storage-pools/d1
check 'so it stays' refused 'The storage pool is currently in use' lxc storage delete d1
check 'until nobody does' lxc profile device remove default root

# --- killed ---------------------------------------------------------------------------------

echo kept >"$LXD_DIR/storage-pools/b1/images/file"
kill_lxd
check 'a new daemon after a kill' start_lxd
check 'has the same pools' test "$(lxc storage list -f csv | wc -l)" -eq 2
check 'with what was in them' grep -q kept "$LXD_DIR/storage-pools/b1/images/file"
check 'on one loop device still' test "$(loops)" -eq 1
rm "$LXD_DIR/storage-pools/b1/images/file"

# Killed N ms into the making of a pool: it is there whole or not at all.
killed_while_making() { # MS
	lxc storage create half btrfs size=256MiB &
	local client=$!
	sleep "0.$1"
	kill_lxd
	wait "$client"
	start_lxd || return 1
	if lacks half storage-pools; then
		[ ! -e "$LXD_DIR/storage-pools/half" ] && [ ! -e "$LXD_DIR/disks/half.img" ] &&
			[ "$(loops)" -eq 1 ]
	else
		mountpoint -q "$LXD_DIR/storage-pools/half" && lxc storage delete half
	fi
}
for ms in 010 020 030 040 060 080 120; do
	check "killed after $ms ms of making a pool" killed_while_making $ms
done

# --- the end -----------------------------------------------------------------------------------

check 'the btrfs pool goes' lxc storage delete b1
check 'with its device' await test "$(loops)" -eq 0
check 'and its file' test ! -e "$LXD_DIR/disks/b1.img"
check 'the directory goes' lxc storage delete d1
check 'all of it' test -z "$(ls "$LXD_DIR/storage-pools")"
check 'and is not found' refused 'Storage pool not found' lxc storage show d1

finish
