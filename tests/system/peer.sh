#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Debian's LXCFS 5.0.3 and ours side by side: the same callers read every file of both, and
# each difference must stand in peer-differences.md with its reason. Speaks TAP.
# usage: peer.sh BUILD
# shellcheck disable=SC1091,SC2154,SC2317 # the library has them; check calls by name
. "$(dirname "$0")/lib.bash"
table=$here/peer-differences.md
cache=${XDG_CACHE_HOME:-/var/cache}/lxcfs-test
theirs=$dir/theirs
used=$dir/used
peer=''
layout=v1
! is_v2 memory || layout=v2

leave() {
	[ -z "$peer" ] || kill "$peer" 2>/dev/null
	umount -l "$theirs" 2>/dev/null
	remove_boxes
	cleanup
}
trap leave EXIT

fetch() {
	local packages=("$cache"/lxcfs_5.0.3-*.deb)
	if [ ! -e "${packages[0]}" ]; then
		mkdir -p "$cache"
		(cd "$cache" && timeout 60 apt-get -o APT::Sandbox::User=root download lxcfs) >&2
		packages=("$cache"/lxcfs_5.0.3-*.deb)
	fi
	[ -e "${packages[0]}" ] && dpkg -x "${packages[0]}" "$dir/package"
}

# It mounts cgroup v2 once more, which takes options from the mount that is there (fixed in
# 6.0.6); they are given back.
cgroup2_options() {
	[ -z "$unified" ] || findmnt -fn -o FS-OPTIONS "$unified"
}

# OPTION...
start_both() {
	local options library
	options=$(cgroup2_options)
	library=$(dirname "$(find "$dir/package" -name liblxcfs.so)")
	LD_LIBRARY_PATH=$library "$dir/package/usr/bin/lxcfs" "$@" -p "$dir/peer.pid" "$theirs" \
		>>"$dir/peer.log" 2>&1 &
	peer=$!
	wait_for test -e "$theirs/proc/uptime" || { cat "$dir/peer.log"; return 1; }
	[ "$(cgroup2_options)" = "$options" ] || mount -o "remount,$options" "$unified"
	[ "$(cgroup2_options)" = "$options" ] && start "$@"
}

stop_both() {
	kill "$peer" && wait "$peer"
	peer=''
	! grep -q " $theirs " /proc/self/mounts && stop
}

# Every other CPU, so that there are gaps, and the time of one; a cgroup below the container's.
make_box() {
	local odd='' i
	for ((i = 1; i < $(nproc); i += 2)); do
		odd+=,$i
	done
	make_cgroups a && set_memory a $((300 << 20)) && set_cpus a "${odd#,}" &&
		set_quota a 100000 100000 && start_init a a || return 1
	make_below
}

# A cgroup of the container's own making; v2 hands no controllers to those below processes.
make_below() {
	local hierarchy
	groups_of[a/below]=''
	for hierarchy in "${hierarchies[@]}"; do
		mkdir "$hierarchy/$top/a/below" || return 1
		[ "$hierarchy" = "$unified" ] || hand_down "$hierarchy/$top/a/below"
		groups_of[a/below]+=" -g $hierarchy/$top/a/below"
	done
	init_of[a/below]=${init_of[a]}
}

end_boxes() {
	unset "init_of[a/below]"
	end_box a
}

compare() { # CALLER OPTIONS
	local caller=(inside a)
	case $1 in
	nested) caller=(inside a/below) ;;
	host) caller=(in_cgroups_of a) ;;
	esac
	"${caller[@]}" timeout 300 python3 "$here/peer_compare.py" "$table" "$layout,$1,$2" "$used" \
		"$theirs" "$mnt"
}

# Rows that hold on this layout and that nothing needed.
tell_unused() {
	grep -n '^| `' "$table" | grep -vE "\`v$((3 - ${layout#v}))\`" | while IFS=: read -r line row; do
		grep -qx "$line" "$used" || echo "# no longer needed on $layout: $row"
	done
}

fetch || { echo "1..0 # SKIP no LXCFS 5.0.3 to compare with"; exit 0; }
mkdir "$theirs"
: >"$used"
# It leaves its directories in /run.
mount -t tmpfs -o mode=755 lxcfs-test /run || exit 1

for options in '' '--enable-cfs -l -u'; do
	word=${options:+options}
	# shellcheck disable=SC2086 # several words
	check "both start${options:+ with $options}" start_both $options
	check "a container" make_box
	for caller in container nested host; do
		check "every difference has its reason: $caller${options:+, $options}" \
			compare "$caller" "${word:-plain}"
	done
	check "the container ends" end_boxes
	check "both stop" stop_both
done
[ "$failed" -ne 0 ] || tell_unused
finish
