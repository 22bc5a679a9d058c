#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Instances with the real client against our lxd: their life, their devices, their limits, kills
# of the daemon in the middle, and the views inside when lxcfs is served.
# usage: manager_instances.sh BUILD    (root; speaks TAP; every mount lives in a private namespace)
# shellcheck disable=SC1091,SC2034,SC2154,SC2317 # the library has or wants them; check calls its
# functions by name
. "$(dirname "$0")/manager_lib.bash"
needs lxc
on_disk
in_private "$@"
all_in_dir
id=i$$ # what instances here are called begins with it
views=''
patience=30

is_ready() {
	[ "$(status GET /internal/ready -m 5)" = 200 ]
}

start_lxd() {
	run_lxd --logfile "$dir/lxd.log"
	await is_ready
}

state() { # NAME
	lxc list -f csv -c ns | sed -n "s/^$1,//p"
}

is() { # NAME STATE
	[ "$(state "$1")" = "$2" ]
}

init_of() { # NAME
	lxc query "/1.0/instances/$1/state" | sed -n 's/.*"pid": \([0-9]*\).*/\1/p'
}

inside() { # NAME COMMAND...
	local name=$1
	shift
	timeout 20 lxc-attach -P "$LXD_DIR/containers" -n "$name" --clear-env -- \
		/bin/busybox env PATH=/bin:/sbin "$@" </dev/null
}

key() { # NAME KEY
	lxc config get "$1" "$2"
}

# Nothing of an instance that is gone is on the host.
no_trace() { # NAME
	local left
	left=$(find "$LXD_DIR"/{containers,devices,logs,shmounts,security,storage-pools/*/containers} \
		-maxdepth 2 -name "*$1*" 2>/dev/null
		grep -F "$LXD_DIR" /proc/self/mountinfo | grep -F "$1")
	[ -z "$left" ] || { echo "$left"; return 1; }
}

# --- life -----------------------------------------------------------------------------

set_up() {
	mkdir -p "$LXD_CONF" && start_lxd &&
		"$make_image" "$dir/image" &&
		lxc storage create p dir && lxc profile device add default root disk path=/ pool=p &&
		lxc image import "$dir/image" --alias bb
}

launched() { # NAME OPTION...
	lxc launch bb "$@" && is "$1" RUNNING && [ "$(inside "$1" hostname)" = "$1" ] &&
		[ "$(inside "$1" cat /etc/hostname)" = "$1" ]
}

unprivileged() {
	[ "$(awk '{print $2}' "/proc/$(init_of "$1")/uid_map")" -ge 100000 ] &&
		[ "$(inside "$1" stat -c %u /)" = 0 ]
}

life() {
	launched "$id-a" && unprivileged "$id-a" && lxc restart -f "$id-a" &&
		lxc pause "$id-a" && is "$id-a" FROZEN && lxc start "$id-a" && is "$id-a" RUNNING &&
		lxc stop -f "$id-a" && is "$id-a" STOPPED && lxc start "$id-a"
}

errors() {
	refused 'already exists' lxc init bb "$id-a" &&
		refused 'Unknown configuration key: limits.foo' lxc config set "$id-a" limits.foo 1 &&
		refused 'Renaming of running container not allowed' lxc move "$id-a" "$id-x" &&
		refused 'Instance not found' lxc start "$id-none" &&
		refused 'not found' lxc launch none "$id-x" &&
		refused 'Invalid instance name' lxc init bb "${id}_x" && is "$id-a" RUNNING &&
		no_trace "$id-x"
}

ends_by_itself() {
	inside "$id-a" halt -f
	await is "$id-a" STOPPED && await test "$(key "$id-a" volatile.last_state.power)" = STOPPED &&
		lxc start "$id-a"
}

is_other() { # NAME PID
	local pid
	pid=$(init_of "$1")
	[ "${pid:-0}" -gt 0 ] && [ "$pid" != "$2" ]
}

reboots() {
	local before
	before=$(init_of "$id-a")
	inside "$id-a" reboot -f
	await is_other "$id-a" "$before" && await is "$id-a" RUNNING
}

ephemeral() {
	lxc launch bb "$id-e" -e && lxc restart -f "$id-e" && is "$id-e" RUNNING &&
		lxc stop -f "$id-e" && is "$id-e" '' && no_trace "$id-e" &&
		lxc launch bb "$id-e" -e && { inside "$id-e" halt -f; await is "$id-e" ''; } &&
		await no_trace "$id-e"
}

renamed() {
	lxc init bb "$id-r" && lxc move "$id-r" "$id-s" && is "$id-s" STOPPED && no_trace "$id-r" &&
		lxc start "$id-s" && [ "$(inside "$id-s" cat /etc/hostname)" = "$id-s" ] &&
		lxc delete -f "$id-s" && no_trace "$id-s"
}

# --- configuration ------------------------------------------------------------------------

limit_of() { # NAME V1-FILE V2-FILE: the value in its cgroup
	local pid path
	pid=$(init_of "$1")
	path=$(sed -n "s/^[0-9]*:\([^:]*,\)\?${2%%.*}\(,[^:]*\)\?:\(.*\)/\3/p" "/proc/$pid/cgroup")
	if [ -n "$path" ]; then
		cat /sys/fs/cgroup/"${2%%.*}${path%/init.scope}/$2"
	else
		cat "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$pid/cgroup")/$3"
	fi
}

limits() {
	lxc config set "$id-a" limits.memory=64MiB limits.processes=50 &&
		[ "$(limit_of "$id-a" memory.limit_in_bytes memory.max)" = 67108864 ] &&
		[ "$(limit_of "$id-a" pids.max pids.max)" = 50 ] &&
		lxc config set "$id-a" limits.memory 128MiB &&
		[ "$(limit_of "$id-a" memory.limit_in_bytes memory.max)" = 134217728 ] &&
		lxc config set "$id-a" limits.cpu 1 &&
		[ "$(limit_of "$id-a" cpuset.cpus cpuset.cpus | wc -c)" -le 4 ] &&
		lxc config unset "$id-a" limits.cpu && lxc config unset "$id-a" limits.processes &&
		[ "$(limit_of "$id-a" pids.max pids.max)" = max ]
}

profile_follows() {
	lxc profile create "$id-p" && lxc profile add "$id-a" "$id-p" &&
		lxc profile set "$id-p" limits.processes 77 &&
		[ "$(limit_of "$id-a" pids.max pids.max)" = 77 ] &&
		lxc profile remove "$id-a" "$id-p" &&
		[ "$(limit_of "$id-a" pids.max pids.max)" = max ] && lxc profile delete "$id-p"
}

conflicts() {
	local etag
	etag=$(curl -si --unix-socket "$LXD_DIR/unix.socket" "lxd/1.0/instances/$id-a" |
		tr -d '\r' | sed -n 's/^[Ee][Tt]ag: //p')
	lxc config set "$id-a" user.x 1 &&
		curl -s --unix-socket "$LXD_DIR/unix.socket" -X PATCH -H "If-Match: $etag" \
			-d '{"config":{"user.x":"2"}}' "lxd/1.0/instances/$id-a" | grep "doesn't match" &&
		[ "$(key "$id-a" user.x)" = 1 ]
}

disk() {
	mkdir -p "$dir/share" && echo here >"$dir/share/file"
	lxc config device add "$id-a" data disk source="$dir/share" path=/mnt/data &&
		[ "$(inside "$id-a" cat /mnt/data/file)" = here ] &&
		lxc restart -f "$id-a" && [ "$(inside "$id-a" cat /mnt/data/file)" = here ] &&
		lxc config device remove "$id-a" data && ! inside "$id-a" test -e /mnt/data/file &&
		refused 'Missing source path' lxc config device add "$id-a" d disk source=/nowhere \
			path=/mnt/d
}

node() {
	lxc config device add "$id-a" zero unix-char source=/dev/zero path=/dev/my-zero mode=0666 &&
		[ "$(inside "$id-a" head -c 5 /dev/my-zero | wc -c)" = 5 ] &&
		lxc config device remove "$id-a" zero && ! inside "$id-a" test -e /dev/my-zero
}

nic() {
	local mac
	lxc config device add "$id-a" n0 nic nictype=p2p host_name="v$$" &&
		mac=$(key "$id-a" volatile.n0.hwaddr) && [ -e "/sys/class/net/v$$" ] &&
		inside "$id-a" ip link show eth0 | grep -i "$mac" && lxc restart -f "$id-a" &&
		inside "$id-a" ip link show eth0 | grep -i "$mac" &&
		lxc list -f json | grep -qF "\"host_name\":\"v$$\"" &&
		lxc config device remove "$id-a" n0 && [ ! -e "/sys/class/net/v$$" ] &&
		! inside "$id-a" ip link show eth0
}

privileged() {
	lxc launch bb "$id-b" -c security.privileged=true &&
		[ "$(awk '{print $2}' "/proc/$(init_of "$id-b")/uid_map")" = 0 ] &&
		lxc delete -f "$id-b"
}

protected() {
	lxc init bb "$id-b" -c security.protection.delete=true &&
		refused 'Instance is protected' lxc delete "$id-b" &&
		lxc config unset "$id-b" security.protection.delete && lxc delete "$id-b" &&
		no_trace "$id-b"
}

projects() {
	lxc project create q -c features.images=false -c features.profiles=false &&
		lxc launch bb "$id-a" --project q && [ "$(lxc list -f csv -c n --project q)" = "$id-a" ] &&
		[ -L "$LXD_DIR/containers/q_$id-a" ] &&
		[ "$(lxc list --all-projects -f csv -c n | grep -c "^$id-a\$")" = 2 ] &&
		lxc project set q limits.instances 1 &&
		refused 'Reached maximum number of instances' lxc init bb "$id-c" --project q &&
		lxc delete -f "$id-a" --project q && lxc project delete q
}

all_at_once() {
	lxc init bb "$id-b" && lxc start --all && is "$id-b" RUNNING && lxc stop -f --all &&
		is "$id-a" STOPPED && is "$id-b" STOPPED && lxc delete "$id-b" && lxc start "$id-a"
}

metadata() {
	lxc config metadata show "$id-a" | grep -q 'os: Busybox' &&
		lxc config template list "$id-a" | grep -q hostname.tpl &&
		[ "$(lxc config template show "$id-a" hostname.tpl)" = '{{ container.name }}' ]
}

# --- kills --------------------------------------------------------------------------------

readopted() {
	local before
	before=$(init_of "$id-a")
	kill_lxd && kill -0 "$before" && start_lxd && is "$id-a" RUNNING &&
		[ "$(init_of "$id-a")" = "$before" ] && lxc restart -f "$id-a"
}

# It ended while there was no daemon: the next one starts what ran.
ended_meanwhile() {
	local before
	before=$(init_of "$id-a")
	kill_lxd
	kill -9 "$before"
	start_lxd && await is_other "$id-a" "$before" && await is "$id-a" RUNNING
}

whole_or_not_there() { # NAME
	case $(state "$1") in
	'') no_trace "$1" ;;
	*) { is "$1" RUNNING || lxc start "$1"; } && [ "$(inside "$1" hostname)" = "$1" ] ;;
	esac
}

# Kills it a little later each time, from before the request to after its end.
killed_in() { # WHAT COUNT: WHAT is a function that gets a name
	local i name
	for ((i = 0; i < $2; i++)); do
		name=$id-k$i
		"$1_before" "$name" || return 1
		"$1" "$name" >/dev/null 2>&1 &
		sleep "0.$(printf %03d $((i * 150 / $2)))"
		kill_lxd
		wait $! 2>/dev/null
		if ! start_lxd || ! "$1_after" "$name"; then echo "$1, $i of $2" && return 1; fi
		state "$name" | grep -q . && { lxc delete -f "$name" || return 1; }
		no_trace "$name" || { echo "$1, $i of $2, deleted"; return 1; }
	done
}

creating_before() { :; }
creating() {
	api POST /1.0/instances \
		-d "{\"name\":\"$1\",\"source\":{\"type\":\"image\",\"alias\":\"bb\"}}"
}
creating_after() { whole_or_not_there "$1"; }

starting_before() { lxc init bb "$1" -c boot.autostart=false; }
starting() { api PUT "/1.0/instances/$1/state" -d '{"action":"start"}'; }
starting_after() { state "$1" | grep -q . && whole_or_not_there "$1"; }

renaming_before() { lxc init bb "$1"; }
renaming() { api POST "/1.0/instances/$1" -d "{\"name\":\"$1x\"}"; }
renaming_after() {
	if state "$1x" | grep -q .; then
		[ -z "$(state "$1")" ] && whole_or_not_there "$1x" && lxc delete -f "$1x"
	else
		state "$1" | grep -q . && whole_or_not_there "$1" && no_trace "$1x"
	fi
}

deleting_before() { lxc init bb "$1"; }
deleting() { api DELETE "/1.0/instances/$1"; }
deleting_after() { whole_or_not_there "$1"; }

# --- the host goes down and comes up ------------------------------------------------------------

down_and_up() {
	lxc config set "$id-a" boot.host_shutdown_timeout 1 &&
		lxc init bb "$id-b" -c boot.autostart=true -c boot.autostart.priority=9 &&
		api PUT '/internal/shutdown' && wait "$lxd" &&
		! pgrep -f "lxc monitor.* $LXD_DIR/containers" &&
		start_lxd && await is "$id-a" RUNNING && await is "$id-b" RUNNING &&
		lxc delete -f "$id-b"
}

views_inside() {
	local kib
	lxc config set "$id-a" limits.memory 64MiB && lxc restart -f "$id-a" &&
		kib=$(inside "$id-a" sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo) &&
		[ "$kib" = 65536 ] && lxc config set "$id-a" limits.memory 32MiB &&
		kib=$(inside "$id-a" sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo) &&
		[ "$kib" = 32768 ]
}

overlay() { # DIRECTORY: what is made there from now on is not made on the host
	local up
	up=$(mktemp -d "$dir/overlay/XXXX") && mkdir "$up/upper" "$up/work" &&
		mount -t overlay -o "lowerdir=$1,upperdir=$up/upper,workdir=$up/work" overlay "$1"
}

# The build's lxcfs and its hook, where the installed ones would be.
serve_views() {
	mkdir "$dir/overlay" && mount -t tmpfs tmpfs "$dir/overlay" && overlay /usr/share &&
		overlay /var/lib && mount -t tmpfs tmpfs /run &&
		mkdir -p /usr/share/lxcfs /var/lib/lxcfs || return 1
	rm -f /usr/share/lxcfs/lxc.mount.hook
	cp "$build/lxc.mount.hook" /usr/share/lxcfs/
	"$build/lxcfs" -p "$dir/views.pid" /var/lib/lxcfs >"$dir/views.log" 2>&1 </dev/null &
	views=$!
	await test -e /var/lib/lxcfs/proc/meminfo
}

ends_alone() {
	local before
	before=$(init_of "$id-a")
	stop_lxd && [ "$before" -gt 0 ] && kill -0 "$before"
}

tear_down() {
	local name
	[ -n "$lxd" ] || start_lxd || return 0
	for name in $(lxc list -f csv -c n); do
		timeout 30 lxc delete -f "$name"
	done
	kill "$lxd" 2>/dev/null
	wait "$lxd" 2>/dev/null
	[ -z "$views" ] || { kill "$views"; wait "$views"; } 2>/dev/null
	umount -l /var/lib/lxcfs 2>/dev/null
	return 0
}
trap tear_down EXIT

set_up >"$dir/out" 2>&1 || { sed 's/^/# /' "$dir/out" "$dir/lxd.out"; echo "not ok - set up"; exit 1; }
check 'launch, restart, pause, stop and start' life
check 'what cannot be is refused in the known words' errors
check 'one that halts is stopped' ends_by_itself
check 'one that reboots runs again' reboots
check 'ephemeral ones are gone without a trace' ephemeral
check 'a new name' renamed
check 'limits change while it runs' limits
check 'a profile changes what its users run with' profile_follows
check 'two clients do not overwrite each other' conflicts
check 'disks come and go' disk
check 'device nodes come and go' node
check 'interfaces come and go, with one address' nic
check 'privileged' privileged
check 'protected from deletion' protected
check 'projects are apart, and limited' projects
check 'all at once' all_at_once
check 'metadata and templates' metadata
check 'a killed daemon finds what runs' readopted
check 'what ended without a daemon is started again' ended_meanwhile
check 'killed while it creates' killed_in creating 12
check 'killed while it starts' killed_in starting 8
check 'killed while it renames' killed_in renaming 6
check 'killed while it deletes' killed_in deleting 6
check 'the host goes down and comes up' down_and_up
if [ -x "$build/lxcfs" ] && serve_views; then
	check 'the views inside follow the limits' views_inside
else
	echo 'ok - the views inside follow the limits # SKIP no lxcfs'
fi
check 'the daemon ends when asked, its instances do not' ends_alone
if grep -E 'runtime error|AddressSanitizer' "$dir/lxd.out" >"$dir/out"; then
	sed 's/^/# /' "$dir/out"
	echo 'not ok - no complaint of a sanitizer'
	failed=1
fi
exit "$failed"
