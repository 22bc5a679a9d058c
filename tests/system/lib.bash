# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Containers made by hand for the tests of the views: cgroups on whatever layout this
# machine has, namespaces, and the kernel's own numbers to compare with. On top of
# fuse_lib, to be sourced likewise. A box is such a container, known by its name.
# shellcheck disable=SC1091,SC2154,SC2034 # fuse_lib has and wants them
. "$(dirname "${BASH_SOURCE[0]}")/fuse_lib"

top=${dir##*/} # our cgroup in every hierarchy; the boxes' are below it
declare -A mount_of # controller: where its hierarchy is mounted
declare -A init_of  # box: its init
declare -A groups_of # box: "-g CGROUP" for each hierarchy
hierarchies=() helpers=()
unified=''

# --- the layout --------------------------------------------------------------

find_hierarchies() {
	local target type options controller controllers
	while read -r target type options; do
		if [ "$type" = cgroup2 ]; then
			unified=$target
			read -ra controllers <"$target/cgroup.controllers"
			for controller in "${controllers[@]}"; do
				mount_of[$controller]=$target
			done
		else
			for controller in memory cpu cpuacct cpuset blkio pids; do
				[[ ,$options, != *,$controller,* ]] || mount_of[$controller]=$target
			done
		fi
		hierarchies+=("$target")
	done < <(findmnt -rn -t cgroup,cgroup2 -o TARGET,FSTYPE,OPTIONS)
}

# Does the controller live on cgroup v2?
is_v2() {
	[ "${mount_of[$1]-}" = "$unified" ]
}

# CONTROLLER BOX: its cgroup there.
cgroup() {
	echo "${mount_of[$1]}/$top/$2"
}

# In v1's cpuset a new cgroup has no CPUs, on v2 no controllers until its parent hands them
# down. The root's are left as they are: they are the machine's.
hand_down() { # CGROUP: from its parent
	local parent=${1%/*} controller controllers
	if [ -e "$1/cpuset.mems" ] && [ ! -e "$1/cgroup.controllers" ]; then
		cat "$parent/cpuset.cpus" >"$1/cpuset.cpus"
		cat "$parent/cpuset.mems" >"$1/cpuset.mems"
	elif [ -e "$parent/cgroup.type" ]; then
		read -ra controllers <"$parent/cgroup.controllers"
		for controller in "${controllers[@]}"; do
			echo "+$controller" >"$parent/cgroup.subtree_control"
		done
	fi
}

make_cgroups() { # BOX
	local hierarchy
	groups_of[$1]=''
	for hierarchy in "${hierarchies[@]}"; do
		mkdir "$hierarchy/$top/$1" || return 1
		hand_down "$hierarchy/$top/$1"
		groups_of[$1]+=" -g $hierarchy/$top/$1"
	done
}

remove_cgroups() { # BOX, "" for all
	local hierarchy cgroup
	for hierarchy in "${hierarchies[@]}"; do
		while read -r cgroup; do
			rmdir "$cgroup" 2>/dev/null
		done < <(find "$hierarchy/$top/$1" -depth -type d 2>/dev/null)
		[ ! -e "$hierarchy/$top/$1" ] || return 1
	done
}

set_memory() { # BOX BYTES
	if is_v2 memory; then
		echo "$2" >"$(cgroup memory "$1")/memory.max"
	else
		echo "$2" >"$(cgroup memory "$1")/memory.limit_in_bytes"
	fi
}

set_cpus() { # BOX LIST
	echo "$2" >"$(cgroup cpuset "$1")/cpuset.cpus"
}

set_quota() { # BOX QUOTA PERIOD, in microseconds; quota -1: none
	if is_v2 cpu; then
		echo "${2/#-1/max} $3" >"$(cgroup cpu "$1")/cpu.max"
	else
		echo "$3" >"$(cgroup cpu "$1")/cpu.cfs_period_us" &&
			echo "$2" >"$(cgroup cpu "$1")/cpu.cfs_quota_us"
	fi
}

effective_cpus() { # BOX
	if is_v2 cpuset; then
		cat "$(cgroup cpuset "$1")/cpuset.cpus.effective"
	else
		cat "$(cgroup cpuset "$1")/cpuset.effective_cpus"
	fi
}

memory_used() { # BOX: in bytes
	if is_v2 memory; then
		cat "$(cgroup memory "$1")/memory.current"
	else
		cat "$(cgroup memory "$1")/memory.usage_in_bytes"
	fi
}

# BOX V1-KEY V2-KEY: of memory.stat, in bytes.
memory_stat() {
	local key=$2
	is_v2 memory && key=$3
	awk -v key="$key" '$1 == key { print $2 }' "$(cgroup memory "$1")/memory.stat"
}

# BOX: "USER SYSTEM" in microseconds.
cpu_time() {
	if is_v2 cpu; then
		awk '/^user_usec/ { u = $2 } /^system_usec/ { s = $2 } END { print u, s }' \
			"$(cgroup cpu "$1")/cpu.stat"
	else
		awk 'NR > 1 { u += $2; s += $3 } END { printf "%.0f %.0f\n", u / 1000, s / 1000 }' \
			"$(cgroup cpuacct "$1")/cpuacct.usage_all"
	fi
}

# --- boxes -------------------------------------------------------------------

# BOX CGROUPS [OPTION-OF-BOX]...: an init in the cgroups of a box (its own or another's).
start_init() {
	local box=$1 groups=${groups_of[$2]} pid_file=$dir/${1//\//.}.pid
	shift 2
	rm -f "$pid_file"
	# shellcheck disable=SC2086 # many words
	"$dir/box" -p "$pid_file" $groups "$@" sleep infinity </dev/null >>"$log" 2>&1 &
	helpers+=("$!")
	wait_for test -s "$pid_file" || return 1
	init_of[$box]=$(<"$pid_file")
	wait_for grep -qx sleep "/proc/${init_of[$box]}/comm"
}

# BOX BYTES [OPTION-OF-BOX]...
start_box() {
	local box=$1 bytes=$2
	shift 2
	make_cgroups "$box" && set_memory "$box" "$bytes" && start_init "$box" "$box" "$@"
}

end_box() { # BOX
	kill -9 "${init_of[$1]}" && wait_gone "${init_of[$1]}"
	unset "init_of[$1]"
	wait_for remove_cgroups "$1"
}

# BOX COMMAND...
inside() {
	local box=$1
	shift
	# shellcheck disable=SC2086 # many words
	"$dir/box" -e "${init_of[$box]}" ${groups_of[$box]} "$@"
}

# BOX COMMAND...: in the background, its pid in $behind. Ends with end_behind.
start_behind() {
	local box=$1
	shift
	# shellcheck disable=SC2086 # many words
	"$dir/box" -e "${init_of[$box]}" ${groups_of[$box]} "$@" &
	behind=$!
	helpers+=("$behind")
}

# PID: with the process in it, which dies with it.
end_behind() {
	kill -9 "$1"
	wait "$1" 2>/dev/null
	[ $? -eq 137 ]
}

# BOX COMMAND...: of the host, in the cgroups of the box.
in_cgroups_of() {
	local box=$1
	shift
	# shellcheck disable=SC2086 # many words
	"$dir/box" -e $$ ${groups_of[$box]} "$@"
}

# BOX FILE: what the box reads there; of another instance with $view set.
shown() {
	inside "$1" "$dir/work" cat "${view:-$mnt}/$2"
}

remove_boxes() {
	local box helper
	for box in "${!init_of[@]}"; do
		kill -9 "${init_of[$box]}" 2>/dev/null
	done
	for helper in "${helpers[@]}"; do
		kill -9 "$helper" 2>/dev/null
		wait "$helper" 2>/dev/null
	done
	wait_for remove_cgroups ''
}

# --- comparing ---------------------------------------------------------------

# A number of the output of a view: LABEL TEXT, "MemTotal" -> its kB. (No processes: in an
# emulated machine each costs as much as many a test.)
field() {
	local label value
	while read -r label value _; do
		[ "$label" != "$1:" ] || { echo "$value"; return; }
	done <<<"$2"
}

host_memory() { # LABEL
	field "$1" "$(</proc/meminfo)"
}

expand() { # LIST: "0-2,5" -> "0,1,2,5"
	local part cpu list=
	for part in ${1//,/ }; do
		for ((cpu = ${part%-*}; cpu <= ${part#*-}; cpu++)); do
			list+=,$cpu
		done
	done
	echo "${list#,}"
}

# BOX LIST: every file that names CPUs names these. $view: the instance.
cpus_agree() {
	inside "$1" "$dir/work" cpus "${view:-$mnt}" "$(expand "$2")"
}

equal() { # WHAT GOT WANTED
	[ "$2" = "$3" ] && return
	echo "$1: got '$2', wanted '$3'"
	return 1
}

# WHAT LEAST VALUE MOST
between() {
	if [[ $2$3$4 =~ ^[0-9]+$ ]] && [ -n "$3" ]; then
		[ "$2" -le "$3" ] && [ "$3" -le "$4" ]
	else
		awk -v a="$2" -v b="$3" -v c="$4" 'BEGIN { exit !(b != "" && a <= b && b <= c) }'
	fi && return
	echo "$1: got '$3', wanted $2 to $4"
	return 1
}

compile() { # PROGRAM
	cc -static -O2 -Wall -Werror -D_GNU_SOURCE -o "$dir/$1" "$here/$1.c" -lpthread
}

begin() {
	local hierarchy
	find_hierarchies
	trap 'remove_boxes; cleanup' EXIT
	for hierarchy in "${hierarchies[@]}"; do
		mkdir "$hierarchy/$top" || exit 1
		hand_down "$hierarchy/$top"
	done
	compile box && compile work || exit 1
	chmod 755 "$dir" # for those who are nobody there
}
begin
