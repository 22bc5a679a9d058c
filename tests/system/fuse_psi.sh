#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Pressure triggers: poll(2) on a container's own pressure, past every death of the worker.
# Speaks TAP.
# usage: fuse_psi.sh BUILD
# shellcheck disable=SC1091,SC2154,SC2317 # the library has them; check calls by name
. "$(dirname "$0")/fuse_lib"

# Without --enable-psi-poll writing is no use and polling is always ready.
is_off() {
	! printf 'some 1000 2000000\0' >"$mnt/proc/pressure/cpu" &&
		timeout 5 python3 -c 'import select, sys
f = open(sys.argv[1])
p = select.poll()
p.register(f, select.POLLIN)
sys.exit(p.poll(2000)[0][1] != select.POLLIN)' "$mnt/proc/pressure/cpu"
}

# A cgroup of cgroup v2, where there is pressure; nothing needs to be delegated for it.
make_cgroup() {
	local top
	top=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
	[ -n "$top" ] || return 1
	cgroup=$top/lxcfs-psi-$$
	mkdir "$cgroup" && [ -e "$cgroup/cpu.pressure" ]
}

if ! [ -e /proc/pressure/cpu ] || ! make_cgroup; then
	echo "1..0 # SKIP no pressure on this machine"
	exit 0
fi
check "mounts and serves" start
check "off by default" is_off
check "stops" stop
check "mounts and serves with --enable-psi-poll" start --enable-psi-poll
# shellcheck disable=SC2016 # for the inner shell
if ! timeout 200 bash -c 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"' - "$cgroup" \
	python3 "$here/fuse_psi.py" "$mnt" "$pidfile"; then
	failed=1
fi
check "stops" stop
is_gone() { rmdir "$cgroup" 2>/dev/null; }
wait_for is_gone
exit "$failed"
