#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The cgroup tree through a real mount, on the real cgroup file systems of this
# machine: a v1 hierarchy and v2, whichever are there. Speaks TAP.
# usage: cgroup_tree.sh BUILD
# shellcheck disable=SC1091,SC2154,SC2317 # the library has them; check calls by name
# shellcheck disable=SC2016 # much is for shells inside the container
. "$(dirname "$0")/fuse_lib"
base=100000 # where the container's user namespace begins
many=300
[ ! -e /run/guest ] || many=60 # in an emulated CPU each takes 24 ms and more to start
held=()
made=()
chmod 711 "$dir" # the container's users have to get to the mount point

tree_cleanup() {
	local pid cg
	for pid in "${held[@]}"; do
		kill -9 "$pid" 2>/dev/null
		wait_gone "$pid"
	done
	for cg in "${made[@]}"; do
		find "$cg" -depth -type d -exec rmdir {} + 2>/dev/null
	done
	cleanup
}
trap tree_cleanup EXIT

# CGROUP COMMAND...: from within that cgroup.
from() {
	(exec_from "$@")
}

exec_from() {
	local cg=$1
	shift
	exec sh -c 'echo 0 >"$1/cgroup.procs" && shift && exec "$@"' sh "$cg" "$@"
}

# COMMAND...: in the container, as its root.
inside() {
	from "$real/box" nsenter -t "$init" -U -p -S 0 -G 0 "$@"
}

# SCRIPT: the same in a shell; $view is the container's cgroup as it sees it.
run() {
	inside env view="$view" sh -c "$1"
}

# TEXT SCRIPT: fails, and says so.
fails() {
	local said
	said=$(run "$2" 2>&1) && { echo "worked: $said"; return 1; }
	grep -qF "$1" <<<"$said" || { echo "$said"; return 1; }
}

# Starts the container: a user and a pid namespace in box, beside a cgroup of others.
container_start() {
	local file outer
	mkdir "$real" "$real/box" "$real/other" || return 1
	for file in "$real"/box/{.,tasks,cgroup.procs,cgroup.threads,cgroup.subtree_control}; do
		[ ! -e "$file" ] || chown "$base:$base" "$file" || return 1
	done
	exec_from "$real/box" unshare -U -p -f --kill-child sleep infinity &
	outer=$!
	held+=("$outer")
	disown
	wait_for pgrep -P "$outer"
	init=$(pgrep -P "$outer")
	held+=("$init")
	echo "0 $base 65536" >"/proc/$init/uid_map" && echo "0 $base 65536" >"/proc/$init/gid_map"
}

listed() { # EXPECTED DIRECTORY
	[ "$(inside ls "$2")" = "$1" ]
}

sees_way_alone() {
	listed "$top" "$mnt/cgroup/$name" && listed box "$mnt/cgroup/$name/$top" &&
		[ "$(inside stat -c '%a %u' "$mnt/cgroup/$name/$top")" = '555 65534' ] &&
		fails 'No such file' "ls \$view/../other" &&
		fails 'No such file' "cat \$view/../cgroup.procs" &&
		fails 'No such file' "cat $mnt/cgroup/$name/cgroup.procs" &&
		fails 'ermission denied' "mkdir \$view/../mine"
}

sees_own_files() {
	[ "$(inside ls "$view")" = "$(ls "$real/box")" ] &&
		[ "$(inside stat -c %u "$view" "$view/cgroup.procs")" = $'0\n0' ]
}

host_sees_all() {
	[ "$(from "$mount" ls "$mnt/cgroup/$name")" = "$(ls "$mount")" ] &&
		[ "$(from "$mount" cat "$view/cgroup.procs")" = "$(cat "$real/box/cgroup.procs")" ]
}

tells_own_pids() {
	local file
	for file in "$real"/box/{tasks,cgroup.procs,cgroup.threads}; do
		[ -e "$file" ] || continue
		file=$view/${file##*/}
		# The namespace's init, the shell and cat; neither nsenter nor unshare.
		run "cat $file; echo \$\$" | tee "$dir/pids" || return 1
		sed -n 1p "$dir/pids" | grep -qx 1 && [ "$(wc -l <"$dir/pids")" -le 5 ] &&
			tail -n 1 "$dir/pids" | grep -qxf <(sed '$d' "$dir/pids") || return 1
	done
}

long_list() {
	local n crowd
	rm -f "$dir/ready"
	run 'i=0; while [ $i -lt '$many' ]; do sleep 1000 & i=$((i+1)); done; echo; wait' \
		>"$dir/ready" &
	crowd=$!
	disown
	held+=("$crowd")
	wait_for test -s "$dir/ready"
	n=$(inside cat "$view/cgroup.procs" | sort -u | wc -l)
	inside sh -c "dd if=$view/cgroup.procs bs=7 2>/dev/null" | sort -u | wc -l >"$dir/pieces"
	run 'kill -9 -1' # all but itself and its namespace's init
	wait_gone $crowd
	echo "$n $(cat "$dir/pieces") of $many"
	[ "$n" -ge $((many + 2)) ] && [ "$(cat "$dir/pieces")" -ge "$n" ]
}

makes_cgroups() {
	run "mkdir \$view/sub && [ -O \$view/sub ] && [ -O \$view/sub/$limit ] &&
		echo $value >\$view/sub/$limit && [ \$(cat \$view/sub/$limit) = $value ]" &&
		[ "$(cat "$real/box/sub/$limit")" = "$value" ] &&
		[ "$(stat -c %u "$real/box/sub/$limit")" = $base ] &&
		fails 'File exists' 'mkdir $view/sub'
}

moves_itself() {
	run 'echo 0 >$view/sub/cgroup.procs && grep -qx $$ $view/sub/cgroup.procs' &&
		run 'echo $$ >$view/sub/cgroup.procs && grep -qx $$ $view/sub/cgroup.procs' &&
		run 'sleep 100 & echo $! >$view/sub/cgroup.procs; grep -qx $! $view/sub/cgroup.procs
			r=$?; kill $!; exit $r'
}

busy() {
	run 'sleep 100 & echo $! >$view/sub/cgroup.procs
		rmdir $view/sub 2>&1 | grep -q busy; r=$?; kill $!; wait; exit $r'
}

refuses_moves() {
	local other
	rm -f "$dir/other"
	fails 'No such process' 'env echo 99999 >$view/sub/cgroup.procs' &&
		fails 'Invalid argument' 'env echo x >$view/sub/cgroup.procs' &&
		fails 'ermission denied' 'env echo 1 >$view/sub/cgroup.procs' || return 1 # the host's
	# In its pid namespace and of its uid, but in a cgroup that is not its own.
	exec_from "$real/other" nsenter -t "$init" -U -p -S 0 -G 0 sh -c 'echo $$; exec sleep 100' \
		>"$dir/other" &
	held+=("$!")
	disown
	wait_for test -s "$dir/other"
	read -r other <"$dir/other"
	fails 'ermission denied' "env echo $other >\$view/sub/cgroup.procs" &&
		[ "$(wc -l <"$real/other/cgroup.procs")" -ge 1 ]
}

refuses_writes() {
	fails 'ermission denied' "env echo $value >\$view/$limit" &&
		fails 'not permitted' "chown 1 \$view/$limit"
}

changes_owner() {
	run 'chown 5:6 $view/sub && [ "$(stat -c %u:%g $view/sub/cgroup.procs)" = 5:6 ] &&
		chmod 700 $view/sub && [ "$(stat -c %a $view/sub)" = 700 ] && chown 0:0 $view/sub' &&
		fails 'nvalid argument' 'chown 70000 $view/sub' &&
		from "$real/box" nsenter -t "$init" -U -p -S 7 -G 7 sh -c "! cat $view/sub/$limit"
}

removes_cgroups() {
	run 'rmdir $view/sub && [ ! -e $view/sub ]' && [ ! -e "$real/box/sub" ] &&
		fails 'ermission denied' 'rmdir $view'
}

# A privileged container: its root is the host's, and has all of its capabilities.
privileged_root() {
	from "$real/other" unshare -p -f sh -c "echo $value >\$0" \
		"$mnt/cgroup/$name/$top/other/$limit" &&
		[ "$(cat "$real/other/$limit")" = "$value" ] &&
		from "$real/other" unshare -p -f sh -c "cd $mnt/cgroup/$name/$top/other &&
			mkdir sub && echo 0 >sub/cgroup.procs && grep -qx 1 sub/cgroup.procs &&
			! cat ../box/cgroup.procs" && rmdir "$real/other/sub"
}

# The host's root in a container that took CAP_SYS_ADMIN from it; also with all of it
# back in a user namespace of its own.
bare_root() {
	local before less=$((value / 2))
	before=$(cat "$real/other/$limit")
	from "$real/other" unshare -p -f setpriv --bounding-set -sys_admin \
		sh -c 'cat "$1" && ! echo '"$less"' >"$1"' sh "$mnt/cgroup/$name/$top/other/$limit" &&
		from "$real/other" unshare -p -f unshare -U -r \
			sh -c '! echo '"$less"' >"$1"' sh "$mnt/cgroup/$name/$top/other/$limit" &&
		[ "$(cat "$real/other/$limit")" = "$before" ]
}

# A directory and a file that were opened before the worker died are found again by
# their numbers.
survives() (
	local old
	old=$(worker)
	echo $BASHPID >"$mount/cgroup.procs"
	exec 7<"$view/cgroup.procs"
	cd "$view" && kill -9 "$old" && wait_for is_other_than worker "$old" &&
		grep -qx "$init" cgroup.procs && grep -qx "$init" <&7 && [ "$(pwd -P)" = "$view" ]
)

sees_nothing() {
	[ -d "$mnt/cgroup" ] && [ -z "$(ls -A "$mnt/cgroup")" ]
}

# NAME MOUNT LIMIT VALUE
hierarchy() {
	name=$1 mount=$2 limit=$3 value=$4
	top=lxcfs-cgroup-tree-$$
	real=$mount/$top view=$mnt/cgroup/$1/$top/box
	made+=("$real")
	check "$name: a container in a cgroup" container_start
	check "$name: it sees the way to its cgroup, and that alone" sees_way_alone
	check "$name: and its own files" sees_own_files
	check "$name: the host sees all" host_sees_all
	check "$name: pids are the reader's" tells_own_pids
	check "$name: a list of $many pids is whole" long_list
	check "$name: makes a cgroup and sets its limit" makes_cgroups
	check "$name: moves itself and its children" moves_itself
	check "$name: a cgroup in use is not removed" busy
	check "$name: moves nothing that is not its own" refuses_moves
	check "$name: writes nothing that is not its own" refuses_writes
	check "$name: changes owner and mode of what is its own" changes_owner
	check "$name: removes its cgroup" removes_cgroups
	check "$name: root of a privileged container changes what is its own" privileged_root
	check "$name: the host's root without CAP_SYS_ADMIN changes nothing" bare_root
	check "$name: open files and directories outlive the worker" survives
}

check "lxcfs starts" start
[ "$failed" -eq 0 ] || finish
v1=$(findmnt -rn -t cgroup -o TARGET -O memory | head -n 1)
v2=$(findmnt -rn -t cgroup2 -o TARGET | head -n 1)
[ -z "$v1" ] || hierarchy memory "$v1" memory.limit_in_bytes 67108864
[ -z "$v2" ] || hierarchy unified "$v2" cgroup.max.depth 7
check "lxcfs stops" stop
check "lxcfs starts with --disable-cgroup" start --disable-cgroup
check "and shows an empty directory" sees_nothing
check "lxcfs stops" stop
finish
