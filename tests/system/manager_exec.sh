#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Commands, consoles, files and logs of containers with the real client: streams, terminals, exit
# codes, clients that go away, big files in a small daemon, and containers that want out.
# usage: manager_exec.sh BUILD    (root; speaks TAP)
# shellcheck disable=SC1091,SC2016,SC2154,SC2317 # the library has them; $ is the containers'; check
# calls its functions by name
. "$(dirname "$0")/manager_lib.bash"
needs lxc curl jq script busybox sftp python3
on_disk
dir=$(mktemp -d)
chmod 755 "$dir"
all_in_dir
export TERM=xterm

cleanup() {
	local name
	for name in c1 c2; do
		timeout 30 lxc delete -f "$name" >/dev/null 2>&1 </dev/null
	done
	[ -z "$lxd" ] || kill "$lxd" 2>/dev/null
	wait 2>/dev/null
	rm -rf --one-file-system "$dir"
}
trap cleanup EXIT

header() { # NAME PATH
	curl -sS -I --unix-socket "$LXD_DIR/unix.socket" "http://lxd$2" |
		tr -d '\r' | grep -i "^$1:" | cut -d' ' -f2-
}

inside() { # SHELL-COMMAND
	timeout 60 lxc exec c1 -- sh -c "$1" </dev/null
}

exits() { # STATUS COMMAND...
	local got wanted=$1
	shift
	timeout 60 "$@" </dev/null
	got=$?
	[ "$got" = "$wanted" ] || { echo "exit status $got"; return 1; }
}

is() { # WANTED GOT
	[ "$1" = "$2" ] || { printf 'wanted %q\ngot    %q\n' "$1" "$2"; return 1; }
}

# --- commands ----------------------------------------------------------------------

streams_apart() {
	inside 'echo out; echo err >&2' >"$dir/1" 2>"$dir/2"
	is out "$(cat "$dir/1")" && is err "$(cat "$dir/2")"
}

stdin_through() { # 20 MB there and back
	# shellcheck disable=SC2094 # nothing is written to it
	timeout 60 lxc exec c1 -- cat <"$dir/big" | cmp - "$dir/big"
}

much_output() {
	is 104857600 "$(inside 'head -c 104857600 /dev/zero' | wc -c)"
}

statuses() {
	exits 0 lxc exec c1 -- true && exits 7 lxc exec c1 -- sh -c 'exit 7' &&
		exits 127 lxc exec c1 -- /nope && exits 126 lxc exec c1 -- /etc/passwd &&
		exits 137 lxc exec c1 -- sh -c 'kill -9 $$'
}

environment() {
	lxc exec c1 --env A=b -- env </dev/null | grep -E '^(container|HOME|LANG|USER|A)=' | sort \
		>"$dir/1"
	printf '%s\n' A=b HOME=/root LANG=C.UTF-8 USER=root container=lxc | sort | cmp - "$dir/1" &&
		lxc config set c1 environment.FROM config && is config "$(inside 'echo $FROM')"
}

another_user() {
	is "77 78 /tmp " "$(lxc exec c1 --user 77 --group 78 --cwd /tmp -- \
		sh -c 'echo $(id -u) $(id -g) $(pwd) $HOME' </dev/null | sed 's/$/ /' | tr -s ' ')" &&
		is out "$(lxc exec c1 --user 77 -- sh -c 'echo out >/dev/stdout' </dev/null)"
}

on_terminal() { # SHELL-COMMAND: what the client shows
	timeout 30 script -qec "stty rows 33 cols 99; lxc exec c1 -- sh -c '$1'" /dev/null \
		</dev/null | tr -d '\r\0'
}

terminal() {
	on_terminal 'tty; stty size' | tee "$dir/tty" && grep -q /dev/pts/ "$dir/tty" &&
		grep -qx '33 99' "$dir/tty"
}

terminal_ends() { # though a child keeps it
	local begin=$SECONDS
	on_terminal 'setsid sleep 1234 & echo here' | grep -q here && [ $((SECONDS - begin)) -lt 15 ]
	inside 'kill $(pidof sleep)' || :
}

interrupt() { # what is typed
	{ sleep 2; printf '\003'; sleep 1; } | timeout 30 script -qec \
		"lxc exec c1 -- sh -c 'trap \"echo interrupted; exit 3\" INT; sleep 60'" /dev/null |
		grep -q interrupted
}

signalled() {
	local client
	lxc exec c1 -- sh -c 'trap "exit 5" TERM; echo ready; while :; do sleep 0.1; done' \
		</dev/null >"$dir/1" &
	client=$!
	await grep -q ready "$dir/1" || return 1
	kill -TERM "$client"
	wait "$client"
	is 5 $?
}

client_killed() {
	local client
	lxc exec c1 -- sh -c 'echo $$; exec sleep 4321' </dev/null >"$dir/1" &
	client=$!
	await grep -q . "$dir/1" || return 1
	kill -9 "$client"
	wait "$client" 2>/dev/null
	await eval '! inside "kill -0 $(cat "$dir/1")"'
}

run() { # JSON: the operation when it is over
	local op
	op=$(api POST /1.0/instances/c1/exec -d "$1" | jq -r .operation)
	api GET "$op/wait?timeout=30" | jq .metadata
}

recorded() {
	local out err
	run '{"command":["sh","-c","echo one; echo two >&2; exit 4"],"record-output":true}' >"$dir/op"
	out=$(jq -r '.metadata.output["1"]' "$dir/op")
	err=$(jq -r '.metadata.output["2"]' "$dir/op")
	is 4 "$(jq .metadata.return "$dir/op")" && is one "$(api GET "$out")" &&
		is two "$(api GET "$err")" && is 200 "$(status DELETE "$out")" &&
		is 404 "$(status DELETE "$out")"
}

nobody_comes() {
	local begin=$SECONDS
	run '{"command":["touch","/root/ran"],"wait-for-websocket":true}' >"$dir/op"
	is "Timed out waiting for websockets to connect" "$(jq -r .err "$dir/op")" &&
		[ $((SECONDS - begin)) -ge 4 ] && ! inside 'test -e /root/ran'
}

not_without_secret() {
	local op
	op=$(api POST /1.0/instances/c1/exec -d \
		'{"command":["true"],"wait-for-websocket":true,"interactive":true}' | jq -r .operation)
	is 403 "$(status GET "$op/websocket?secret=$(printf '%064d' 1)" \
		-H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' \
		-H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==')"
}

not_running() {
	is 'Instance is not running' "$(api POST /1.0/instances/c2/exec -d '{"command":["true"]}' |
		jq -r .error)" &&
		is 404 "$(status POST /1.0/instances/none/exec -d '{"command":["true"]}')" &&
		lxc pause c1 && is 'Instance is frozen' "$(api POST /1.0/instances/c1/exec \
			-d '{"command":["true"]}' | jq -r .error)"
	lxc start c1
}

# --- consoles ----------------------------------------------------------------------

console_log() {
	inside 'echo shown on the console >/dev/console' &&
		await eval 'lxc console c1 --show-log | grep -q "shown on the console"' &&
		is 200 "$(status DELETE /1.0/instances/c1/console)" &&
		! lxc console c1 --show-log | grep -q shown
}

console_attached() {
	inside 'setsid sh -c "exec sh </dev/console >/dev/console 2>&1" >/dev/null 2>&1 &' || return 1
	{ sleep 2; printf 'echo con$((40+2))\r'; sleep 2; printf '\001q'; sleep 1; } |
		timeout 30 script -qec 'lxc console c1' /dev/null >"$dir/1"
	cat "$dir/1"
	grep -q con42 "$dir/1"
}

# --- files --------------------------------------------------------------------------

F='/1.0/instances/c1/files?path='

pushed_and_pulled() {
	echo some text >"$dir/f"
	lxc file push "$dir/f" c1/root/f --uid 12 --gid 13 --mode 0640 &&
		lxc file pull c1/root/f "$dir/g" && cmp "$dir/f" "$dir/g" &&
		is "12 13 640" "$(inside 'stat -c "%u %g %a" /root/f')" &&
		is 0640 "$(header X-LXD-mode "${F}/root/f")" &&
		echo other >"$dir/f" && lxc file push "$dir/f" c1/root/f --uid 5 --mode 0600 &&
		is "12 13 640" "$(inside 'stat -c "%u %g %a" /root/f')" &&
		is other "$(inside 'cat /root/f')"
}

appended() {
	api POST "${F}/root/f" -H 'X-LXD-write: append' --data-binary 'more' &&
		is "$(printf 'other\nmore')" "$(inside 'cat /root/f')"
}

edited() {
	echo edited | lxc file edit c1/root/f && is edited "$(inside 'cat /root/f')"
}

deleted() {
	lxc file delete c1/root/f && is 404 "$(status GET "${F}/root/f")" &&
		is 404 "$(status DELETE "${F}/root/f")"
}

whole_trees() { # a symlink comes back as where it leads
	mkdir -p "$dir/tree/a/b" "$dir/back" && echo 1 >"$dir/tree/a/one" &&
		echo 2 >"$dir/tree/a/b/two" && ln -sf one "$dir/tree/a/link" &&
		lxc file push -r -p "$dir/tree" c1/root/deep/er &&
		lxc file pull -r c1/root/deep/er/tree "$dir/back" &&
		is one "$(inside 'readlink /root/deep/er/tree/a/link')" &&
		is /root/deep/er/tree/a/one "$(readlink "$dir/back/tree/a/link")" &&
		rm "$dir/tree/a/link" "$dir/back/tree/a/link" &&
		diff -r "$dir/tree/a" "$dir/back/tree/a"
}

ranges() {
	printf 0123456789 | api POST "${F}/root/r" --data-binary @- &&
		is 345 "$(api GET "${F}/root/r" -r 3-5)" &&
		is 416 "$(status GET "${F}/root/r" -r 20-)"
}

made_by_the_kernel() { # and of no size
	api GET "${F}/proc/1/status" | grep -q '^Name:'
}

big_files() { # 100 MB there and back; the daemon stays small
	local before peak
	before=$(awk '/VmRSS/ { print $2 }' "/proc/$lxd/status")
	echo 5 >"/proc/$lxd/clear_refs"
	head -c 104857600 /dev/urandom >"$dir/huge"
	lxc file push "$dir/huge" c1/root/huge &&
		lxc file pull c1/root/huge - | cmp - "$dir/huge" || return 1
	peak=$(awk '/VmHWM/ { print $2 }' "/proc/$lxd/status")
	inside 'rm /root/huge'
	rm "$dir/huge"
	echo "from $before to $peak kB"
	[ $((peak - before)) -lt "$room" ]
}

stopped() {
	echo text >"$dir/f"
	lxc file push "$dir/f" c2/root/f --uid 12 && lxc file pull c2/root/f - | grep -qx text &&
		lxc start c2 && is 12 "$(lxc exec c2 -- stat -c %u /root/f </dev/null)" &&
		lxc stop -f c2
}

mounted() { # through the client's own SFTP server
	local client port=$((20000 + RANDOM % 20000))
	lxc file mount c1 --listen "127.0.0.1:$port" --no-auth >"$dir/mount" 2>&1 </dev/null &
	client=$!
	await grep -q listening "$dir/mount"
	printf 'put %s /root/by-sftp\nget /root/by-sftp %s\nln -s by-sftp /root/l\nls -l /root\nrm /root/l\n' \
		"$dir/big" "$dir/got" >"$dir/batch"
	timeout 60 sftp -P "$port" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
		-o PreferredAuthentications=none -b "$dir/batch" 127.0.0.1
	kill "$client"
	wait "$client" 2>/dev/null
	cmp "$dir/big" "$dir/got"
}

# --- containers that want out ----------------------------------------------------------

host_is_out_of_reach() {
	echo secret >"$dir/secret"
	inside "ln -s '$dir' /root/host; ln -s '$dir/secret' /root/s; ln -s ../../../../../..$dir /root/up"
	is 404 "$(status GET "${F}/root/host/secret")" && is 404 "$(status GET "${F}/root/up/secret")" &&
		is 404 "$(status POST "${F}/root/host/new" --data-binary x)" &&
		is 404 "$(status POST "${F}/root/s" --data-binary x)" &&
		is 404 "$(status DELETE "${F}/root/host/secret")" &&
		is "$dir/secret" "$(api GET "${F}/root/s")" && is secret "$(cat "$dir/secret")" &&
		[ ! -e "$dir/new" ] &&
		is 404 "$(status GET "${F}/../../../../../..$dir/secret")"
}

nothing_waits() { # for pipes, nor for devices
	inside 'mkfifo /root/fifo' || mkfifo "$dir/lxd/containers/c1/rootfs/root/fifo"
	is 500 "$(status GET "${F}/root/fifo" -m 10)" &&
		is 500 "$(status POST "${F}/root/fifo" -m 10 --data-binary x)" &&
		is 500 "$(status GET "${F}/dev/console" -m 10)"
}

no_setid() {
	inside 'cp /bin/busybox /root/suid; chmod 6755 /root/suid'
	is 0755 "$(header X-LXD-mode "${F}/root/suid")"
}

names() {
	local long
	long=$(printf 'n%.0s' $(seq 255))
	is 200 "$(status POST "${F}/root/$long" --data-binary x)" &&
		is 200 "$(status GET "${F}/root/$long")" &&
		is 500 "$(status POST "${F}/root/${long}n" --data-binary x)" &&
		inside 'mkdir /root/odd; touch "/root/odd/new
line" /root/odd/$(printf "\377\376") "/root/odd/quo\"te"' &&
		is 3 "$(api GET "${F}/root/odd" | jq '.metadata | length')" &&
		is 200 "$(status GET "${F}/root/odd/new%0Aline")"
}

helper_killed() { # while a file is read: an end, and no hang
	local client
	inside 'head -c 50000000 /dev/zero >/root/zeros'
	curl -s -m 30 --limit-rate 1M --unix-socket "$LXD_DIR/unix.socket" -o "$dir/part" \
		"http://lxd${F}/root/zeros" &
	client=$!
	await test -s "$dir/part" || return 1
	kill -9 "$(pgrep -P "$lxd" -f 'lxd-container files')" || return 1
	! wait "$client" && is 200 "$(status GET "${F}/root/r")"
}

stopped_meanwhile() {
	local client
	lxc start c2 || return 1
	lxc exec c2 -- sleep 1000 </dev/null &
	client=$!
	await lxc exec c2 -- pidof sleep
	lxc stop -f c2
	wait "$client"
	is 137 $?
}

nothing_left() { # no helper lives on
	await eval '! pgrep -P "$lxd" -f "lxd-container (files|exec)"'
}

# --- logs -----------------------------------------------------------------------------------

logs() {
	local url=/1.0/instances/c1/logs
	api GET "$url" | jq -r '.metadata[]' | grep -qx "$url/lxc.log" &&
		is 200 "$(status GET "$url/lxc.conf")" && is 400 "$(status GET "$url/console.log")" &&
		is 400 "$(status GET "$url/..%2Fc2%2Flxc.log")" && is 400 "$(status DELETE "$url/lxc.log")" &&
		is 500 "$(status GET "$url/exec_nope")" && lxc info c1 --show-log | grep -q ^Log:
}

mkdir -p "$LXD_DIR"
"$make_image" "$dir/image" || exit 1
head -c 20000000 /dev/urandom >"$dir/big"
# sanitizers keep what was freed
room=$(nm -D "$build/src/manager/lxd" | grep -q __asan && echo 400000 || echo 12000)
start_lxd || bail_out "the daemon does not start"
{
	lxc storage create default dir
	lxc profile device add default root disk path=/ pool=default
	lxc image import "$dir/image" --alias bb
	lxc launch bb c1
	lxc init bb c2
} >"$dir/out" 2>&1 </dev/null || { cat "$dir/out"; bail_out "no container"; }
check "stdout and stderr apart" streams_apart
check "stdin" stdin_through
check "much output" much_output
check "exit statuses" statuses
check "the environment" environment
check "another user, group and directory" another_user
check "a terminal of the client's size" terminal
check "a terminal ends with its command" terminal_ends
check "an interrupt that is typed" interrupt
check "a signal to the client" signalled
check "a killed client takes its command along" client_killed
check "output that is recorded" recorded
check "nobody comes for the streams" nobody_comes
check "no stream without its secret" not_without_secret
check "no command in what is stopped or frozen" not_running
check "the console's log" console_log
check "the console attached to" console_attached
check "files pushed and pulled" pushed_and_pulled
check "a file appended to" appended
check "a file edited" edited
check "a file deleted" deleted
check "whole trees with symlinks" whole_trees
check "a part of a file" ranges
check "files that the kernel makes" made_by_the_kernel
check "100 MB in a small daemon" big_files
check "files of a stopped container" stopped
check "files mounted over SFTP" mounted
check "the host is out of reach" host_is_out_of_reach
check "nothing waits for pipes and devices" nothing_waits
check "no set-id bits for clients" no_setid
check "odd and long names" names
check "a killed file server" helper_killed
check "a container stopped under its command" stopped_meanwhile
check "no process left" nothing_left
check "logs" logs
finish
