#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The daemon itself and the commands of lxd: starts, kills, sockets from a service manager, init,
# sql, events, two clients at once, and its end.
# usage: manager_daemon.sh BUILD    (root; speaks TAP; every mount lives in a private namespace)
# shellcheck disable=SC1091,SC2016,SC2034,SC2154,SC2317 # the library has them; check calls
# functions by name, eval the rest
. "$(dirname "$0")/manager_lib.bash"
needs lxc
in_private "$@"
all_in_dir
unset LISTEN_FDS LISTEN_PID NOTIFY_SOCKET
patience=30

start_lxd() {
	run_lxd --logfile "$dir/lxd.log"
	timeout 30 "$program" waitready --timeout 30
}

says() { # WORDS COMMAND...
	local words=$1
	shift
	"$@" >"$dir/said" 2>&1 || { cat "$dir/said"; return 1; }
	grep -qF -- "$words" "$dir/said" || { cat "$dir/said"; return 1; }
}

# --- starts ---------------------------------------------------------------------------

mkdir -p "$LXD_CONF"

no_daemon() {
	refused "still not running after 1s timeout" timeout 60 "$program" waitready --timeout 1 &&
		"$program" activateifneeded && [ ! -e "$LXD_DIR" ]
}

is_lean() {
	! ldd "$program" | grep -E 'libarchive|libxml2|libicu'
}

second_is_refused() {
	refused "LXD is already running" timeout 60 "$program" --group root &&
		[ "$(status GET /internal/ready)" = 200 ]
}

survives_kill() {
	lxc config set user.kept yes && kill_lxd && start_lxd &&
		[ "$(lxc config get user.kept)" = yes ]
}

# A socket file that a dead daemon left is replaced, and one of a living one never.
socket_is_private() {
	[ "$(stat -c '%a %G' "$LXD_DIR/unix.socket")" = "660 root" ]
}

# Listens, and becomes the daemon at the first connection, as a service manager would.
cat >"$dir/activate" <<'END'
import os, select, socket, sys
path = sys.argv[1]
server = socket.socket(socket.AF_UNIX)
server.bind(path)
server.listen(64)
print("listening", flush=True)
select.select([server], [], [])
if server.fileno() != 3:
    os.dup2(server.fileno(), 3)
os.set_inheritable(3, True)
os.environ["LISTEN_FDS"] = "1"
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
END

activated_by_socket() {
	rm -f "$LXD_DIR/unix.socket"
	python3 "$dir/activate" "$LXD_DIR/unix.socket" "$program" --group root >"$dir/activated" 2>&1 &
	lxd=$!
	await grep -q listening "$dir/activated" && says '"api_version": "1.0"' lxc query /1.0 &&
		stop_lxd && [ -S "$LXD_DIR/unix.socket" ] && rm "$LXD_DIR/unix.socket"
}

# Tells the service manager when it is ready and when it stops.
cat >"$dir/notified" <<'END'
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
s.settimeout(30)
print("listening", flush=True)
for _ in range(2):
    print(s.recv(100).decode(), flush=True)
END

notifies() {
	local listener
	python3 "$dir/notified" "$dir/notify" >"$dir/notes" 2>&1 &
	listener=$!
	await grep -q listening "$dir/notes" || return 1
	NOTIFY_SOCKET=$dir/notify start_lxd && stop_lxd && wait "$listener" &&
		[ "$(tr '\n' ' ' <"$dir/notes")" = "listening READY=1 STOPPING=1 " ]
}

# In a /dev of its own, where the log's socket is ours.
syslogged() {
	unshare -m --propagation private "$BASH" -c '
		mkdir -p "$1/dev" && mount -t tmpfs none "$1/dev" || exit 1
		for node in null zero random urandom; do
			: >"$1/dev/$node" && mount --bind "/dev/$node" "$1/dev/$node" || exit 1
		done
		mount --rbind "$1/dev" /dev || exit 1
		python3 "$1/notified" /dev/log >"$1/logged" 2>&1 &
		until grep -q listening "$1/logged"; do sleep 0.02; done
		"$2" --group root --syslog --verbose >"$1/lxd.out" 2>&1 </dev/null &
		lxd=$!
		"$2" waitready --timeout 30 && kill "$lxd" && wait "$lxd"' "$0" "$dir" "$program" &&
		await grep -q 'lxd\[[0-9]*\]: LXD is ready' "$dir/logged"
}

# --- init -----------------------------------------------------------------------------

preseed() {
	"$program" init --preseed <<-'END' &&
		config:
		  images.auto_update_interval: "15"
		storage_pools:
		- name: first
		  driver: dir
		profiles:
		- name: default
		  config:
		    limits.cpu: "1"
		  devices:
		    root: {path: /, pool: first, type: disk}
		projects:
		- name: other
		  config: {features.profiles: "false"}
	END
		[ "$(lxc config get images.auto_update_interval)" = 15 ] &&
		[ "$(lxc profile get default limits.cpu)" = 1 ] &&
		[ "$(lxc storage list -f csv | cut -d, -f1,2)" = first,dir ] &&
		lxc project list -f csv | grep -q '^other,'
}

dump() {
	"$program" init --dump >"$dir/dump" && grep -q 'images.auto_update_interval: "15"' "$dir/dump" &&
		grep -q 'name: first' "$dir/dump" && grep -q 'pool: first' "$dir/dump" &&
		"$program" init --preseed <"$dir/dump" && "$program" init --dump >"$dir/dump2" &&
		cmp "$dir/dump" "$dir/dump2"
}

# All or nothing: what came before the bad line is taken back.
bad_preseed() {
	! "$program" init --preseed 2>"$dir/err" <<-'END' || return 1
		config:
		  images.auto_update_interval: "20"
		storage_pools:
		- name: second
		  driver: nosuch
	END
	[ "$(lxc config get images.auto_update_interval)" = 15 ] && ! lxc storage show second
}

auto_in_a_fresh_one() {
	local before=$LXD_DIR one=$lxd ok=1
	export LXD_DIR=$dir/auto
	start_lxd && "$program" init --auto && says "| default " lxc storage list &&
		says "pool: default" lxc profile show default && stop_lxd && ok=0
	export LXD_DIR=$before
	lxd=$one
	return "$ok"
}

# --- its commands ---------------------------------------------------------------------

sql() {
	says "| limits.cpu |" "$program" sql global \
		'SELECT key FROM profiles_config WHERE key = "limits.cpu"' &&
		says "Rows affected: 1" "$program" sql local \
			'INSERT INTO config (key, value) VALUES ("user.sql", "1")' &&
		says "CREATE TABLE instances " "$program" sql global .schema &&
		says 'INSERT INTO' "$program" sql global .dump &&
		refused "syntax error" timeout 60 "$program" sql global 'SELEC 1' &&
		refused "" timeout 60 "$program" sql nosuch 'SELECT 1'
}

resources() {
	says "CPU (" lxc info --resources && says "Total: " lxc info --resources &&
		[ "$(lxc query /1.0/resources | sed -n 's/^\t"\([a-z]*\)": {$/\1/p' | tr '\n' ' ')" = \
			"cpu gpu memory network pci storage system usb " ]
}

warned() {
	lxc warning list -f csv --columns=tspu >"$dir/warnings" || return 1
	[ -d /sys/kernel/security/apparmor ] || grep -q AppArmor "$dir/warnings"
}

query() {
	says '"yes"' lxc query /1.0 --raw &&
		refused "Error: not found" timeout 60 lxc query /1.0/nosuch &&
		lxc query -X PATCH -d '{"config":{"user.q":"2"}}' /1.0 &&
		[ "$(lxc config get user.q)" = 2 ] && says "| ID |" lxc operation list
}

# Every event of a hundred changes comes to each listener in the order in which they happened.
events() {
	local i listener other
	timeout 60 lxc monitor --type lifecycle --format json >"$dir/events1" 2>&1 &
	listener=$!
	timeout 60 lxc monitor --type lifecycle --format json >"$dir/events2" 2>&1 &
	other=$!
	listen_or_knock() { # both hear a knock
		lxc profile set default user.knock "$RANDOM"
		[ -s "$dir/events1" ] && [ -s "$dir/events2" ]
	}
	await listen_or_knock || return 1
	for i in $(seq 100); do
		api POST /1.0/profiles -d "{\"name\":\"p$i\"}" >"$dir/answer"
	done
	api POST /1.0/profiles -d '{"name":"last"}' >"$dir/answer"
	await grep -q 'profiles/last' "$dir/events1" && await grep -q 'profiles/last' "$dir/events2"
	kill "$listener" "$other"
	wait "$listener" "$other"
	for i in 1 2; do
		[ "$(grep profile-created "$dir/events$i" |
			sed -n 's|.*/1.0/profiles/p\([0-9]*\)".*|\1|p')" = "$(seq 100)" ] || return 1
	done
}

# Both read, both change, one is told that it is too late; then a hundred at once lose nothing.
etag_conflict() {
	local etag i n=0 pids=()
	etag=$(api GET /1.0/profiles/last -D - -o /dev/null | tr -d '\r' |
		sed -n 's/^[Ee][Tt]ag: //p')
	[ -n "$etag" ] &&
		[ "$(status PUT /1.0/profiles/last -d '{"config":{"user.a":"1"}}' -H "If-Match: $etag")" = 200 ] &&
		[ "$(status PUT /1.0/profiles/last -d '{"config":{"user.b":"1"}}' -H "If-Match: $etag")" = 412 ] &&
		[ "$(lxc profile get last user.a)" = 1 ] || return 1
	etag=$(api GET /1.0/profiles/last -D - -o /dev/null | tr -d '\r' |
		sed -n 's/^[Ee][Tt]ag: //p')
	for i in $(seq 20); do
		status PUT /1.0/profiles/last -d "{\"config\":{\"user.n\":\"$i\"}}" \
			-H "If-Match: $etag" >"$dir/race.$i" &
		pids+=($!)
	done
	wait "${pids[@]}"
	for i in $(seq 20); do
		[ "$(cat "$dir/race.$i")" != 200 ] || n=$((n + 1))
	done
	[ "$n" = 1 ] || { echo "$n won"; return 1; }
}

idle() { # two seconds without a tick of CPU time
	local before after
	sleep 1
	before=$(awk '{print $14 + $15}' "/proc/$lxd/stat")
	sleep 2
	after=$(awk '{print $14 + $15}' "/proc/$lxd/stat")
	[ "$before" = "$after" ] || { echo "$((after - before)) ticks"; return 1; }
}

# --- its database is lost ----------------------------------------------------------------

lose_database() {
	lxc init tiny r1 -c user.r=1 && lxc snapshot r1 s0 && lxc config set r1 user.after=2 &&
		lxc --project other image import "$dir/image" --alias tiny &&
		lxc --project other init tiny r2 -c user.r=2 && stop_lxd &&
		rm "$LXD_DIR"/database/lxd.db* && start_lxd && [ -z "$(lxc list -f csv)" ] &&
		[ -z "$(lxc storage list -f csv)" ]
}

recover() { # LINES...: what is answered
	printf '%s\n' "$@" | timeout 60 "$program" recover
}

recover_misses() { # and makes nothing
	! recover yes first dir "$LXD_DIR/storage-pools/first" '' no yes >"$dir/said" 2>&1 &&
		grep -qF 'Container "r1" on pool "first" in project "default" (includes 1 snapshots)' \
			"$dir/said" && grep -qF ' - Project "other"' "$dir/said" &&
		[ -z "$(lxc list -f csv)" ] && [ -z "$(lxc storage list -f csv)" ]
}

recovered() {
	lxc project create other && says 'Starting recovery' \
		recover yes first dir "$LXD_DIR/storage-pools/first" '' no yes yes &&
		[ "$(lxc config get r1 user.r) $(lxc config get r1 user.after)" = "1 2" ] &&
		[ "$(lxc --project other config get r2 user.r)" = 2 ] &&
		lxc info r1 | grep -q '^| s0 ' &&
		lxc file pull r1/bin/busybox "$dir/pulled" && cmp "$dir/pulled" "$(command -v busybox)" &&
		[ -L "$LXD_DIR/containers/r1" ] && [ -L "$LXD_DIR/containers/other_r2" ]
}

recovered_again() {
	says 'No unknown volumes found. Nothing to do.' recover no yes
}

# What was recovered is as good as what was made: it is changed and goes without a trace.
recovered_lives() {
	kill_lxd && start_lxd && lxc restore r1 s0 && lxc delete r1 &&
		lxc --project other delete r2 && [ -z "$(ls "$LXD_DIR/storage-pools/first/containers")" ]
}

# A backup file that does not tell the truth about whose it is recovers nothing.
recover_refuses() {
	local at=$LXD_DIR/storage-pools/first/containers/liar
	mkdir -p "$at/rootfs" && printf 'container:\n  name: other\n  project: default\n' \
		>"$at/backup.yaml" || return 1
	! recover no yes >"$dir/said" 2>&1 && grep -q 'different name in its backup file' "$dir/said" &&
		ln -sf /etc/shadow "$at/backup.yaml" && ! recover no yes >"$dir/said" 2>&1 &&
		grep -q 'Failed reading backup file' "$dir/said" && rm -r "$at"
}

# --- its end ---------------------------------------------------------------------------

# While an operation holds it up, what changes something is refused and what reads is answered.
stopping() {
	local starter down
	printf '#!/bin/sh\nwhile [ ! -e %s/go ]; do sleep 0.1; done\nexit 1\n' "$dir" >"$dir/hook"
	chmod +x "$dir/hook"
	lxc init tiny held -c raw.lxc="lxc.hook.pre-start=$dir/hook" || return 1
	timeout 60 lxc start held &
	starter=$!
	is_held() { lxc operation list -f csv | grep -q RUNNING; }
	await is_held || return 1
	"$program" shutdown --timeout 30 &
	down=$!
	refuses() { [ "$(status POST /1.0/profiles -d '{"name":"late"}')" = 503 ]; }
	await refuses
	local late=$?
	api POST /1.0/profiles -d '{"name":"late"}' | grep -q 'LXD is shutting down' &&
		[ "$(status GET /1.0/operations)" = 200 ] || late=1
	touch "$dir/go"
	wait "$starter"
	wait "$down" && wait "$lxd" && [ "$late" = 0 ] && [ ! -e "$LXD_DIR/unix.socket" ]
}

shut_down() {
	"$program" shutdown --timeout 30 && wait "$lxd" && [ ! -e "$LXD_DIR/unix.socket" ] &&
		refused "" timeout 60 "$program" shutdown --timeout 1
}

check "without a daemon its commands say so and make nothing" no_daemon
check "nothing but a container's or an archive's work loads the big libraries" is_lean
check "a daemon starts and waitready tells" start_lxd
check "the socket is the group's alone" socket_is_private
check "a second daemon in the same directory is refused, the first goes on" second_is_refused
check "killed and started again: what was said stays said" survives_kill
check "init --preseed makes pools, profiles, projects and configuration" preseed
check "init --dump is what init --preseed takes" dump
check "a preseed that fails leaves nothing of it" bad_preseed
check "init --auto sets up a fresh daemon, beside this one" auto_in_a_fresh_one
check "sql: queries, changes, schema, dump, errors" sql
check "lxc info --resources, and all eight parts of it" resources
check "the host's lacks are warned of" warned
check "lxc query and operation list" query
check "events come to every listener, all of them, in order" events
check "two clients, one object: one wins, the other knows" etag_conflict
check "an image for what follows" \
	eval '"$make_image" "$dir/image" && lxc image import "$dir/image" --alias tiny'
check "an idle daemon uses no CPU" idle
check "a database is lost, and its pool is still there" lose_database
check "recover tells what it finds and what is missing" recover_misses
check "recover brings instances back, with snapshots and in their projects" recovered
check "recover finds nothing more" recovered_again
check "what came back is restored and deleted like any other" recovered_lives
check "recover is not told lies" recover_refuses
check "an image and a pool again" \
	eval 'lxc image import "$dir/image" --alias tiny &&
		lxc profile device add default root disk path=/ pool=first'
check "while it stops it refuses changes, and waits for what runs" stopping
check "nobody wants it: activateifneeded leaves a stopped one alone" \
	eval 'start_lxd && stop_lxd && "$program" activateifneeded && [ ! -e "$LXD_DIR/unix.socket" ]'
check "a socket from the service manager starts it and outlives it" activated_by_socket
check "the service manager hears that it is ready and that it stops" notifies
check "shutdown ends it, and says when there is none" eval 'start_lxd && shut_down'
check "--syslog: what it says goes there, too" syslogged

[ ! -f "$dir/lxd.out" ] || ! grep -E 'ERROR: (Address|Leak)Sanitizer|runtime error' "$dir/lxd.out" |
	sed 's/^/# /' | grep . || failed=1
finish
