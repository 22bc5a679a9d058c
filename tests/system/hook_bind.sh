#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The mount hook against made-up lxcfs trees and made-up, also hostile, container roots.
# usage: hook_bind.sh BUILD    (root; speaks TAP; every mount lives in a private namespace)
# shellcheck disable=SC2317 # check calls its functions by name
set -u

if [ -z "${HOOK_BIND_INSIDE-}" ]; then
	hook=$(realpath "${1:?usage: hook_bind.sh BUILD}/lxc.mount.hook")
	dir=$(mktemp -d)
	trap 'rmdir "$dir"' EXIT
	HOOK_BIND_INSIDE=1 unshare -m --propagation private "$BASH" "$0" "$hook" "$dir"
	exit
fi

hook=$1 dir=$2
lxcfs=$dir/lxcfs root=$dir/root out=$dir/out
failed=0
unset LXC_ROOTFS_MOUNT LXC_CGNS_AWARE LXC_HOOK_TYPE LXC_NAME LXCFS_TARGET_DIR

check() { # WHAT COMMAND...
	local what=$1
	shift
	if "$@"; then
		echo "ok - $what"
	else
		echo "not ok - $what"
		sed 's/^/# said: /' "$out"
		failed=1
	fi
}
holds() { [ "$(cat "$root/$1" 2>&1)" = "$2" ]; }
said() { grep -qF -- "$1" "$out"; }
silent() { [ ! -s "$out" ]; }
lines() { [ "$(wc -l <"$out")" -eq "$1" ]; }
mounts() { grep -c " $root/" /proc/self/mountinfo; }
mounted() { [ "$(mounts)" -eq "$1" ]; }
answers() { [ "$status" -eq "$1" ]; }

run_hook() { # [VARIABLE=VALUE...] [OPTION...]: as liblxc runs it
	local variables=()
	while [ $# -gt 0 ] && [[ $1 == [A-Z]*=* ]]; do
		variables+=("$1")
		shift
	done
	env LXC_ROOTFS_MOUNT="$root" LXC_NAME=c1 LXC_HOOK_TYPE=mount LXC_CGNS_AWARE=1 \
		LXCFS_TARGET_DIR="$lxcfs" "${variables[@]}" \
		timeout 20 "$hook" "$@" c1 lxc mount >"$out" 2>&1 </dev/null
	status=$?
}

# Two file systems, as in life: the hook takes a file of lxcfs' own device for bound already.
fresh() {
	cd /
	umount -Rl "$dir" 2>/dev/null
	mount -t tmpfs -o mode=755 outside "$dir"
	mkdir "$lxcfs" "$root"
	mount -t tmpfs -o mode=755 lxcfs "$lxcfs"
	mount -t tmpfs -o mode=755 container "$root"
	mkdir -p "$lxcfs"/{proc/pressure,cgroup,sys/devices/system/cpu/cpu0} \
		"$root"/{proc/pressure,etc,var/lib,sys/devices/system/cpu/cpu0,sys/fs/cgroup}
	local f
	for f in proc/{meminfo,stat,uptime,pressure/cpu} sys/devices/system/cpu/{online,uevent}; do
		echo lxcfs >"$lxcfs/$f"
		echo kernel >"$root/$f"
	done
	echo secret >"$dir/victim"
}

fresh
rm "$root/proc/stat"
echo kernel >"$root/proc/version"
run_hook
check "a start with everything in place succeeds" answers 0
check "and says nothing" silent
check "a file that both have is bound" holds proc/meminfo lxcfs
check "a file that the container lacks is not made" [ ! -e "$root/proc/stat" ]
check "a file that lxcfs lacks is left alone" holds proc/version kernel
check "a directory goes whole over its namesake" holds proc/pressure/cpu lxcfs
check "the CPU directory goes whole" holds sys/devices/system/cpu/online lxcfs
check "by one mount" mounted 4
run_hook
check "a second hook of the same lxcfs adds no mount" mounted 4
check "and says nothing" silent

fresh
rm "$lxcfs/sys/devices/system/cpu/uevent"
run_hook
check "an lxcfs without uevent has its CPU files bound" holds sys/devices/system/cpu/online lxcfs
check "and the others left" holds sys/devices/system/cpu/uevent kernel

fresh
run_hook
check "no nesting directory, no nesting" [ ! -e "$root/var/lib/lxcfs" ]
mkdir "$root/var/lib/lxcfs"
run_hook
check "the container's var/lib/lxcfs gets the whole of lxcfs" holds var/lib/lxcfs/proc/stat lxcfs

fresh
rm -r "$root/proc/pressure" "$root/proc/stat" "$root/proc/uptime"
echo kernel >"$root/proc/pressure"
mkdir "$root/proc/stat"
mkfifo "$root/proc/uptime"
run_hook
check "mismatched types do not fail the start" answers 0
check "a directory over a file is named" said "proc/pressure not bound"
check "a file over a directory is named" said "proc/stat not bound"
check "a file over a FIFO is named" said "proc/uptime not bound"
check "each in one line" lines 3
check "the others are bound" holds proc/meminfo lxcfs

fresh
ln -sf "$dir/victim" "$root/proc/meminfo"
ln -sf ../../victim "$root/proc/uptime"
rm -r "$root/sys/devices/system/cpu" "$root/var/lib"
mkdir "$dir/elsewhere" "$dir/elsewhere/lxcfs"
ln -s "$dir/elsewhere" "$root/sys/devices/system/cpu"
ln -s "$dir/elsewhere" "$root/var/lib"
run_hook
check "links that lead out of the container do not fail the start" answers 0
check "what they point at is not covered" [ "$(cat "$dir/victim")" = secret ]
check "nor through links to directories" [ -z "$(ls "$dir/elsewhere/lxcfs")" ]
check "each is named" lines 4
check "as what it is" said "symbolic link"
check "the others are bound" holds proc/stat lxcfs
check "nothing is mounted outside" [ "$(grep -c " $dir/" /proc/self/mountinfo)" -eq $(($(mounts) + 2)) ]

fresh
rm -r "$root/proc"
ln -s ../elsewhere "$root/proc"
mkdir "$dir/elsewhere"
echo secret >"$dir/elsewhere/meminfo"
run_hook
check "a link in the place of proc leads nowhere" [ "$(cat "$dir/elsewhere/meminfo")" = secret ]
check "and the start succeeds" answers 0

hierarchies() {
	fresh
	mkdir "$lxcfs"/cgroup/{memory,cpu,cpuacct,name=systemd}
	mv "$lxcfs/cgroup/cpu" "$lxcfs/cgroup/cpu,cpuacct"
	rmdir "$lxcfs/cgroup/cpuacct"
	local h
	for h in "$lxcfs"/cgroup/*; do echo "${h##*/}" >"$h/tasks"; done
}
hierarchies
mount -t tmpfs cgroup "$root/sys/fs/cgroup"
mkdir "$root/sys/fs/cgroup/memory"
echo kernel >"$root/sys/fs/cgroup/memory/tasks"
run_hook
check "with a cgroup namespace the cgroups stay as they are" holds sys/fs/cgroup/memory/tasks kernel
run_hook LXC_CGNS_AWARE= --skip-cgroup-mounts
check "so they do on request" holds sys/fs/cgroup/memory/tasks kernel
run_hook LXC_CGNS_AWARE=
check "without one each hierarchy is bound" holds sys/fs/cgroup/memory/tasks memory
check "also where there was no directory" holds sys/fs/cgroup/cpu,cpuacct/tasks cpu,cpuacct
check "a joint one has its controllers' names" holds sys/fs/cgroup/cpuacct/tasks cpu,cpuacct
check "a named one has its bare name" holds sys/fs/cgroup/systemd/tasks name=systemd
check "and nothing is said" silent
hierarchies
mount -t ramfs cgroup "$root/sys/fs/cgroup"
run_hook LXC_CGNS_AWARE=
check "what is no tmpfs is no place for hierarchies" [ -z "$(ls "$root/sys/fs/cgroup")" ]
hierarchies
mount -t tmpfs cgroup "$root/sys/fs/cgroup"
ln -s "$dir" "$root/sys/fs/cgroup/memory"
run_hook LXC_CGNS_AWARE=
check "a link in the place of a hierarchy is named" said "sys/fs/cgroup/memory not bound"
check "and leads nowhere" [ ! -e "$dir/tasks" ]
check "the other hierarchies are bound" holds sys/fs/cgroup/systemd/tasks name=systemd
mount -t tmpfs -o ro cgroup "$root/sys/fs/cgroup"
run_hook LXC_CGNS_AWARE=
check "a read-only cgroup directory does not fail the start" answers 0

fresh
run_hook LXCFS_TARGET_DIR="$dir/nowhere" --target="$lxcfs"
check "--target goes before the environment" holds proc/meminfo lxcfs
fresh
run_hook LXC_HOOK_TYPE=post-stop --whatever
check "run as another hook it does nothing" mounted 0
check "successfully" answers 0
fresh
env -i LXC_ROOTFS_MOUNT="$root" LXC_NAME=--odd LXCFS_TARGET_DIR="$lxcfs" "$hook" --odd lxc mount \
	>"$out" 2>&1
check "a container may be called like an option" holds proc/meminfo lxcfs
fresh
run_hook --no-such-option
check "an unknown option is refused" answers 2
run_hook LXC_ROOTFS_MOUNT=
check "so is a run without LXC_ROOTFS_MOUNT" answers 2
check "with the usage" said "usage: "
check "and nothing is mounted" mounted 0
run_hook LXC_ROOTFS_MOUNT="$dir/nowhere"
check "a root that is not there does not fail the start" answers 0

fresh
umount "$lxcfs"
run_hook
check "no lxcfs does not fail the start" answers 0
check "and is told" said "no lxcfs is mounted there"
check "in one line" lines 1
run_hook LXCFS_TARGET_DIR="$dir/nowhere"
check "nor does a missing mount point" answers 0
check "and is told" said "no lxcfs is mounted there"

fresh
mkdir "$dir/dead"
exec 9<>/dev/fuse
mount -i -t fuse -o fd=9,rootmode=40000,user_id=0,group_id=0,allow_other dead "$dir/dead"
before=$SECONDS
run_hook LXCFS_TARGET_DIR="$dir/dead"
check "an lxcfs that does not answer does not fail the start" answers 0
check "which waits for it in vain only for a while" [ $((SECONDS - before)) -lt 10 ]
check "and is told" said "does not answer"
exec 9>&-
run_hook LXCFS_TARGET_DIR="$dir/dead"
check "a dead lxcfs does not fail the start" answers 0
check "and is told" said "lxcfs is dead"
check "in one line" lines 1

fresh
ln -sf "$dir/victim" "$root/proc/meminfo"
exec 8> >(:)
wait $!
LXC_ROOTFS_MOUNT=$root LXCFS_TARGET_DIR=$lxcfs "$hook" 2>&8
status=$?
exec 8>&-
check "nobody listening does not fail the start" answers 0
check "and the others are bound" holds proc/uptime lxcfs

cd /
umount -Rl "$dir"
exit $failed
