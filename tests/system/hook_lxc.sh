#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The hook in real containers: configured as installed, privileged, unprivileged, nested.
# usage: hook_lxc.sh BUILD    (root; speaks TAP; every mount lives in a private namespace)
# shellcheck disable=SC2317 # check calls its functions by name
set -u
PATH=$PATH:/usr/sbin:/sbin

if [ -z "${HOOK_LXC_INSIDE-}" ]; then
	build=$(realpath "${1:?usage: hook_lxc.sh BUILD}")
	dir=$(mktemp -d)
	trap 'rmdir "$dir"' EXIT
	HOOK_LXC_INSIDE=1 unshare -m --propagation private "$BASH" "$0" "$build" "$dir"
	exit
fi

build=$1 dir=$2
id=lxcfs-hook.$$
lxcfs=''
failed=0
idmap=100000 # the first id of an unprivileged container

check() { # WHAT COMMAND...
	local what=$1
	shift
	if "$@" >"$dir/out" 2>&1; then
		echo "ok - $what"
	else
		echo "not ok - $what"
		sed 's/^/# /' "$dir/out"
		failed=1
	fi
}

await() {
	local end=$((SECONDS + 20))
	until "$@" 2>/dev/null; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.02
	done
}

overlay() { # DIRECTORY: what is made there from now on is not made on the host
	local up
	up=$(mktemp -d "$dir/overlay.XXXX")
	mkdir "$up/upper" "$up/work"
	mount -t overlay -o "lowerdir=$1,upperdir=$up/upper,workdir=$up/work" overlay "$1"
}

# The build's hook and configuration in the places where liblxc finds them.
install_hook() {
	mount -t tmpfs -o mode=755 "$id" "$dir"
	overlay /usr/share && overlay /var/lib && mount -t tmpfs "$id" /run || exit 1
	mkdir -p /usr/share/lxcfs /var/lib/lxcfs
	rm -f /usr/share/lxc/config/common.conf.d/00-lxcfs.conf
	cp "$build/lxc.mount.hook" /usr/share/lxcfs/
	sed 's|= .*/lxc.mount.hook$|= /usr/share/lxcfs/lxc.mount.hook|' "$build/config/00-lxcfs.conf" \
		>/usr/share/lxc/config/common.conf.d/00-lxcfs.conf
}

start_lxcfs() {
	"$build/lxcfs" -p "$dir/pid" /var/lib/lxcfs >"$dir/log" 2>&1 </dev/null &
	lxcfs=$!
	await test -e /var/lib/lxcfs/proc/meminfo || {
		sed 's/^/# /' "$dir/log"
		echo "not ok - lxcfs is mounted"
		exit 1
	}
}

root_of() { # DIRECTORY: a root below which the host's programs run
	local path
	mkdir -p "$1"/{dev,etc,proc,run,sys,tmp,usr,var/lib/lxc,var/lib/lxcfs}
	for path in /bin /sbin /lib /lib64; do
		cp -d "$path" "$1/"
	done
	echo "$id" >"$1/proc/no-lxcfs"
}

is_unified() {
	local mount
	mount=$(findmnt -fn -t cgroup2 -o TARGET) && grep -qw memory "$mount/cgroup.controllers"
}

memory_limit() { # BYTES
	if is_unified; then
		echo "lxc.cgroup2.memory.max = $1"
	else
		echo "lxc.cgroup.memory.limit_in_bytes = $1"
	fi
}

configuration() { # NAME DIRECTORY BYTES
	cat <<-END
		lxc.include = /usr/share/lxc/config/common.conf
		lxc.uts.name = $1
		lxc.rootfs.path = dir:$2
		lxc.init.cmd = /usr/bin/sleep infinity
		lxc.net.0.type = empty
		lxc.tty.max = 0
		lxc.cgroup.dir.container = $1
		lxc.cgroup.dir.monitor = $1.monitor
		lxc.cgroup.dir.monitor.pivot = $1.pivot
		lxc.mount.entry = /usr usr none ro,rbind 0 0
		lxc.mount.entry = /etc etc none ro,bind 0 0
	END
	memory_limit "$3"
}

start() { # NAME
	timeout 20 lxc-start -n "$1" -f "$dir/$1.conf" -o "$dir/$1.log" -l DEBUG </dev/null ||
		{ tail -n 20 "$dir/$1.log"; return 1; }
}

attach() { # NAME COMMAND
	timeout 20 lxc-attach -n "$1" --clear-env -- /bin/sh -c "$2" </dev/null
}

reads_limit() { # NAME BYTES
	[ "$(attach "$1" "sed -n 's/^MemTotal: *//p' /proc/meminfo")" = "$(($2 >> 10)) kB" ]
}

is_lxcfs() { # NAME PATH
	attach "$1" "grep ' $2 fuse.lxcfs ' /proc/self/mounts"
}

# Every file that lxcfs offers and the kernel has is lxcfs' in the container.
reads_all() { # NAME
	local file
	for file in /var/lib/lxcfs/proc/*; do
		file=/proc/${file##*/}
		[ -e "$file" ] || continue
		is_lxcfs "$1" "$file" || { echo "$file is not lxcfs'"; return 1; }
	done
	is_lxcfs "$1" /sys/devices/system/cpu && is_lxcfs "$1" /var/lib/lxcfs
}

said_nothing() { # NAME
	! grep 'lxcfs hook:' "$dir/$1.log"
}

stop() { # NAME
	timeout 20 lxc-stop -k -n "$1" </dev/null
}

cgroups() {
	find -H /sys/fs/cgroup -depth -type d -path "*/$id*" 2>/dev/null
}

remove_cgroups() {
	local cgroup
	while read -r cgroup; do
		rmdir "$cgroup" 2>/dev/null
	done < <(cgroups)
	[ -z "$(cgroups)" ]
}

leave() {
	local status=$? name
	for name in "$id.p" "$id.u" "$id.o" "$id.n"; do
		stop "$name" >/dev/null 2>&1
	done
	await remove_cgroups
	if [ -n "$lxcfs" ]; then
		kill "$lxcfs"
		wait "$lxcfs"
		umount -l /var/lib/lxcfs 2>/dev/null
	fi
	cd / && umount -l "$dir"
	exit "$status"
}

milliseconds() {
	echo $(($(date +%s%N) / 1000000))
}

# The mean of 20 runs in milliseconds, each in a fresh mount namespace as at a start.
mean() { # COMMAND
	local begin
	begin=$(milliseconds)
	for _ in {1..20}; do
		unshare -m env LXC_ROOTFS_MOUNT="$dir/timed" LXC_CGNS_AWARE=1 "$1"
	done
	echo $((($(milliseconds) - begin) / 20))
}

# Measured in processes that do nothing, as the guest is many times slower than its host.
time_hook() {
	mkdir -p "$dir"/timed/{proc,sys,var/lib/lxcfs}
	mount -t proc proc "$dir/timed/proc" && mount -t sysfs sysfs "$dir/timed/sys" || return 1
	nothing=$(mean true)
	took=$(mean /usr/share/lxcfs/lxc.mount.hook)
	umount "$dir/timed/proc" "$dir/timed/sys"
	[ "$took" -lt $((10 * nothing + 10)) ]
}

# --- the tests ---------------------------------------------------------------

install_hook
trap leave EXIT
start_lxcfs

root_of "$dir/$id.p"
configuration "$id.p" "$dir/$id.p" $((96 << 20)) >"$dir/$id.p.conf"
check "a container with Debian's configuration starts" start "$id.p"
check "the hook had nothing to say" said_nothing "$id.p"
check "the container has every file from lxcfs" reads_all "$id.p"
check "and reads its own limit" reads_limit "$id.p" $((96 << 20))
check "it stops" stop "$id.p"

root_of "$dir/$id.u"
chown -R $idmap:$idmap "$dir/$id.u"
{
	configuration "$id.u" "$dir/$id.u" $((80 << 20))
	echo "lxc.include = /usr/share/lxc/config/userns.conf"
	echo "lxc.idmap = u 0 $idmap 65536"
	echo "lxc.idmap = g 0 $idmap 65536"
} >"$dir/$id.u.conf"
# Without newuidmap in its path liblxc, as root, writes the map itself and asks no /etc/subuid.
start_mapped() {
	local lxc_start
	lxc_start=$(command -v lxc-start)
	PATH=/nonexistent "$lxc_start" -n "$id.u" -f "$dir/$id.u.conf" -o "$dir/$id.u.log" -l DEBUG \
		</dev/null
}
check "an unprivileged container starts" start_mapped
check "the hook had nothing to say" said_nothing "$id.u"
check "the container has every file from lxcfs" reads_all "$id.u"
check "and reads its own limit" reads_limit "$id.u" $((80 << 20))
check "it stops" stop "$id.u"

# A container whose /proc is not what it seems: the start goes on, with what can be had.
rm -rf "${dir:?}/$id.p/var/lib/lxcfs"
ln -s /etc "$dir/$id.p/var/lib/lxcfs"
check "a container with a link in the place of /var/lib/lxcfs starts" start "$id.p"
check "its /etc is left alone" attach "$id.p" 'test -e /etc/passwd'
check "it reads its own limit" reads_limit "$id.p" $((96 << 20))
check "it stops" stop "$id.p"

# Nested: the outer container is limited less than the inner one, whose hook binds what it
# finds in the outer's /var/lib/lxcfs. The outer does what an init would: mounts its cgroups and,
# as v2 gives controllers only to cgroups whose parent has no process, leaves the topmost for
# the one that liblxc knows to be an init's.
# shellcheck disable=SC2016 # expands inside
mount_cgroups='
	mount -t tmpfs tmpfs /sys/fs/cgroup
	if [ -n "$UNIFIED" ]; then
		mount -t cgroup2 cgroup2 /sys/fs/cgroup
		mkdir /sys/fs/cgroup/init.scope
	else
		while IFS=: read -r _ controllers _; do
			[ -n "$controllers" ] || continue
			mkdir "/sys/fs/cgroup/${controllers#name=}"
			mount -t cgroup -o "$controllers" cgroup "/sys/fs/cgroup/${controllers#name=}"
		done </proc/self/cgroup
	fi'
# shellcheck disable=SC2016 # expands inside
leave_top='
	[ ! -d /sys/fs/cgroup/init.scope ] || while read -r process; do
		echo "$process" >/sys/fs/cgroup/init.scope/cgroup.procs
	done </sys/fs/cgroup/cgroup.procs'
root_of "$dir/$id.o"
root_of "$dir/$id.o/inner"
{
	configuration "$id.o" "$dir/$id.o" $((128 << 20))
	echo "lxc.include = /usr/share/lxc/config/nesting.conf"
	echo "lxc.mount.entry = tmpfs run tmpfs rw 0 0"
} >"$dir/$id.o.conf"
configuration "$id.n" /inner $((48 << 20)) >"$dir/$id.o/inner.conf"
check "an outer container starts" start "$id.o"
check "it reads its own limit" reads_limit "$id.o" $((128 << 20))
unified=$(is_unified && echo yes)
check "its cgroups can be mounted" attach "$id.o" "UNIFIED=$unified; $mount_cgroups"
check "a container starts inside it" attach "$id.o" \
	"$leave_top; lxc-start -n $id.n -f /inner.conf -o /inner.log -l DEBUG || { tail -n 20 /inner.log; false; }"
inner_limit() {
	[ "$(attach "$id.o" "lxc-attach -n $id.n -- sed -n 's/^MemTotal: *//p' /proc/meminfo")" = \
		"$((48 << 10)) kB" ]
}
check "which reads its own limit" inner_limit
inner_nothing() {
	! attach "$id.o" "grep 'lxcfs hook:' /inner.log"
}
check "and whose hook had nothing to say" inner_nothing
check "it stops" attach "$id.o" "lxc-stop -k -n $id.n"
check "the outer one stops" stop "$id.o"

nothing='' took=''
check "the hook takes no longer than ten processes that do nothing" time_hook
echo "# the hook, with its process and mount namespace: $took ms; true: $nothing ms"
check "no cgroup is left" await remove_cgroups
exit $failed
