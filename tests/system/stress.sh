#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Containers born and dying while they read, cgroups removed under them, pids used
# again, namespaces gone, triggers of any kind: no read fails or shows another
# container's number, the worker lives on, and nothing is left of the dead. Speaks TAP.
# usage: stress.sh BUILD [--long]    (--long: ten minutes and not twenty seconds)
# shellcheck disable=SC1091,SC2154,SC2317 # the library has them; check calls by name
seconds=20
[ "${2-}" = --long ] && seconds=600
. "$(dirname "$0")/fuse_lib"
groups=()

# A cgroup of ours where the memory controller is, and one of v2 where that is another.
make_groups() {
	local target type options memory='' unified=''
	while read -r target type options; do
		[ "$type" = cgroup2 ] && unified=$target
		[[ $type = cgroup && ,$options, = *,memory,* ]] && memory=$target
	done < <(findmnt -rn -t cgroup,cgroup2 -o TARGET,FSTYPE,OPTIONS)
	if [ -z "$memory" ]; then
		memory=$unified unified=''
		echo +memory >"$memory/cgroup.subtree_control" || return 1
	fi
	for group in $memory $unified; do
		groups+=("$group/${dir##*/}")
		mkdir "$group/${dir##*/}" || return 1
	done
	[ -e "${groups[0]}/memory.max" ] || return 0
	echo +memory >"${groups[0]}/cgroup.subtree_control"
}

remove_groups() {
	local group
	for group in "${groups[@]}"; do
		find "$group" -depth -type d -exec rmdir {} + 2>/dev/null
	done
	for group in "${groups[@]}"; do
		[ ! -e "$group" ] || return 1
	done
}
trap 'remove_groups; cleanup' EXIT

storm() { # SECONDS
	timeout $(($1 + 60)) "$dir/stress" "$mnt" "$1" "${groups[@]}" | tee -a "$dir/storm"
	[ "${PIPESTATUS[0]}" -eq 0 ]
}

# "keeper FDS KIB worker FDS KIB"
use() {
	local pid
	for pid in "$(keeper)" "$(worker)"; do
		find "/proc/$pid/fd" -mindepth 1 | wc -l
		awk '/^VmRSS:/ { print $2 }' "/proc/$pid/status"
	done | xargs
}

# What the worker has open, numbers aside.
list_files() {
	find "/proc/$(worker)/fd" -mindepth 1 -printf '%l\n' | sed -E 's/[0-9]+/N/g' | sort | uniq -c |
		sort -rn | head
}

# What was used after the first storm is what is used after all of them, but for a little.
is_as_before() {
	local was now i
	read -ra was <<<"$1"
	read -ra now <<<"$2"
	for i in 0 2; do
		[ "${now[i]}" -le $((was[i] + 64)) ] || { list_files; return 1; }
		[ "$sanitized" -gt 0 ] || # a sanitizer keeps what was freed
			[ "${now[i + 1]}" -le $((was[i + 1] + 2048)) ] || return 1
	done
}

sanitized=$(ldd "$dir/lxcfs" | grep -cE 'lib[at]san')
cc -O2 -Wall -D_GNU_SOURCE -o "$dir/stress" "$here/stress.c" || exit 1
if ! make_groups; then
	echo "1..0 # SKIP no cgroup for memory limits can be made here"
	exit 0
fi
check "mounts and serves" start -l --enable-psi-poll
[ -n "$(worker)" ] || finish
check "a first storm" storm 5
first=$(worker) before=$(use)
check "$seconds seconds of containers that are born and die" storm $seconds
sed 's/^/# /' "$dir/storm"
check "the worker is the one it was" test "$(worker)" = "$first"
after=$(use)
echo "# fds and KiB of keeper and worker: $before, after: $after"
check "fds and memory as after the first storm" is_as_before "$before" "$after"
check "no cgroup is left" remove_groups
check "stops" stop
no_complaint() { ! grep -E 'Sanitizer|runtime error' "$log"; } # of a build that has one
check "no sanitizer complains" no_complaint
finish
