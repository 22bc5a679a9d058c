#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Containers of runc with the views bound over their files as "docker run -v" does it; and of
# podman, where it is installed. Speaks TAP.
# usage: runc.sh BUILD
# shellcheck disable=SC1091,SC2016,SC2154,SC2317 # the library has them; check calls by name
. "$(dirname "$0")/lib.bash"
MIB=$((1 << 20))
name=$top-runc
bundle=$dir/bundle
views=(proc/{meminfo,cpuinfo,stat,uptime,swaps,diskstats,loadavg,slabinfo}
	sys/devices/system/cpu)
cpus=$(grep -c ^processor /proc/cpuinfo)
last=$(awk '/^processor/ { n = $3 } END { print n }' /proc/cpuinfo)

# The host's programs in a root of their own, and an init that waits.
make_bundle() {
	local root=$bundle/rootfs path
	mkdir -p "$root"/{dev,etc,proc,sys,tmp,usr}
	for path in /bin /sbin /lib /lib64; do
		[ ! -e "$path" ] || cp -d "$path" "$root/"
	done
	(cd "$bundle" && runc spec) && python3 - "$bundle/config.json" "$mnt" "$name" "$last" \
		"$1" "${views[@]}" <<-'END'
		import json, sys
		path, mnt, name, cpu, memory, *views = sys.argv[1:]
		with open(path) as f:
		    c = json.load(f)
		c["process"].update(terminal=False, args=["sleep", "infinity"], rlimits=[])
		c["root"]["readonly"] = False
		c["linux"]["cgroupsPath"] = "/" + name
		c["linux"]["resources"].update(memory={"limit": int(memory)}, cpu={"cpus": cpu})
		# as Docker, whose masks and read-only paths come last
		c["linux"]["maskedPaths"] = ["/proc/kcore", "/proc/keys", "/proc/timer_list"]
		c["linux"]["namespaces"] = [n for n in c["linux"]["namespaces"] if n["type"] != "network"]
		c["mounts"] += [dict(destination="/usr", type="bind", source="/usr", options=["rbind", "ro"])]
		c["mounts"] += [dict(destination="/" + v, type="bind", source=mnt + "/" + v,
		                     options=["rbind", "rw"]) for v in views]
		with open(path, "w") as f:
		    json.dump(c, f)
	END
}

runc_() {
	timeout 30 runc --root "$dir/runc" "$@" </dev/null
}

starts() {
	runc_ run -d --bundle "$bundle" "$name" >"$dir/runc.log" 2>&1 || { cat "$dir/runc.log"; return 1; }
}

in_runc() {
	runc_ exec "$name" "$@"
}

total_is_limit() { # BYTES
	equal MemTotal "$(in_runc free -k | awk '/^Mem:/ { print $2 }')" $(($1 >> 10))
}

one_cpu() {
	equal nproc "$(in_runc nproc)" 1 &&
		equal _NPROCESSORS_CONF "$(in_runc getconf _NPROCESSORS_CONF)" 1 &&
		equal online "$(in_runc cat /sys/devices/system/cpu/online)" "$last" &&
		equal cpuinfo "$(in_runc grep -P '^processor\t: ' /proc/cpuinfo | tr -dc 0-9)" "$last" &&
		equal stat "$(in_runc grep -o '^cpu[0-9]*' /proc/stat | paste -sd' ')" "cpu cpu$last"
}

young() {
	between uptime 0 "$(in_runc cut -d. -f1 /proc/uptime)" 60
}

# Every view is the container's own: all but slabinfo differ from the host's, and all are ours.
all_ours() {
	local view
	for view in "${views[@]}"; do
		in_runc grep -q " /$view fuse.lxcfs " /proc/self/mounts || { echo "$view"; return 1; }
	done
	in_runc bash -c 'cat /proc/{meminfo,cpuinfo,stat,uptime,swaps,diskstats,loadavg,slabinfo}
		ls -R /sys/devices/system/cpu' >"$dir/all"
}

# Lowered and raised by runc update, which shows at the next read.
update_shows() {
	local limit
	for limit in $((80 * MIB)) $((112 * MIB)); do
		runc_ update --memory "$limit" "$name" && total_is_limit "$limit" || return 1
	done
}

cpus_update_shows() {
	runc_ update --cpuset-cpus "$(cat /sys/devices/system/cpu/online)" "$name" &&
		equal nproc "$(in_runc nproc)" "$cpus" &&
		equal cpuinfo "$(in_runc grep -c '^processor' /proc/cpuinfo)" "$cpus"
}

# The mounts of a running container outlive the server's worker.
survives() {
	local before
	before=$(worker)
	kill -9 "$before"
	total_is_limit $((112 * MIB)) && wait_for is_other_than worker "$before"
}

second_container_starts() {
	ends && make_json_limit $((48 * MIB)) && starts && total_is_limit $((48 * MIB))
}

make_json_limit() {
	sed -i "s/\"limit\": [0-9]*/\"limit\": $1/" "$bundle/config.json"
}

ends() {
	runc_ delete --force "$name"
}

podman_() {
	timeout 60 podman --root "$dir/podman" --runroot "$dir/podman-run" --storage-driver vfs \
		--cgroup-manager cgroupfs --events-backend file --runtime runc "$@" </dev/null
}

podman_reads() {
	local out volumes=() view
	mkdir -p "$dir/image/bin" && cp /bin/busybox "$dir/image/bin/busybox" &&
		ln -s busybox "$dir/image/bin/sh" && ln -s busybox "$dir/image/bin/grep" &&
		tar -C "$dir/image" -c . | podman_ import - lxcfs-test >/dev/null || return 1
	for view in "${views[@]}"; do
		volumes+=(-v "$mnt/$view:/$view")
	done
	out=$(podman_ run --rm --network none -m 64m --ulimit nofile=1024:1024 \
		--ulimit nproc=1000:1000 "${volumes[@]}" lxcfs-test /bin/grep MemTotal /proc/meminfo)
	equal MemTotal "$(field MemTotal "$out")" 65536
}

leave() {
	[ ! -d "$dir/runc/$name" ] || ends
	remove_boxes
	cleanup
}
trap leave EXIT

check "lxcfs starts" start -l
check "a bundle" make_bundle $((96 * MIB))
check "a container starts" starts
check "every view is bound" all_ours
check "free says the limit" total_is_limit $((96 * MIB))
check "one CPU in every file" one_cpu
check "the uptime is its own" young
check "runc update of the limit shows" update_shows
check "runc update of the CPUs shows" cpus_update_shows
check "the views outlive a worker" survives
check "another container of the same name" second_container_starts
check "it ends" ends
# Docker's kin, where it is: ./test does not install it, for what it needs is large.
if command -v podman >/dev/null; then
	check "podman -v" podman_reads
fi
check "lxcfs ends" stop
finish
