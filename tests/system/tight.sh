#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What keeper and worker may do, how much they may take, and what of it one container can
# take away from others. Speaks TAP.
# usage: tight.sh BUILD
# shellcheck disable=SC1091,SC2016,SC2154,SC2317 # the library has them; check calls by name
if [ -z "${TIGHT_INSIDE-}" ]; then
	# It mounts something over a file of a cgroup.
	TIGHT_INSIDE=1 exec unshare -m --propagation private "$BASH" "$0" "$@"
fi
unit=$(realpath "$1")/config/lxcfs.service
. "$(dirname "$0")/lib.bash"
MIB=$((1 << 20))
many=10000 # open files
[ ! -e /run/guest ] || many=1500 # emulated, with twice the patience

# As bits: DAC_OVERRIDE... as src/sandbox.c says, and for the keeper SYS_ADMIN.
worker_capabilities=88000f
poller_capabilities=188000f
keeper_capabilities=1a8000f

skip() { # WHAT WHY
	count=$((count + 1))
	echo "ok $count - $1 # SKIP $2"
}

status_of() { # PID KEY
	awk -v key="$2:" '$1 == key { print $2 }' "/proc/$1/status"
}

threads_of() {
	find "/proc/$1/task" -maxdepth 1 -name '[0-9]*' -printf '%f\n'
}

files_of() {
	find "/proc/$1/fd" -mindepth 1 | wc -l
}

# --- rights ------------------------------------------------------------------

has_only() { # PID MASK
	local key own has
	own=0x$(status_of $$ CapPrm)
	for key in CapPrm CapEff; do
		has=0x$(status_of "$1" $key)
		equal "$key of $1" $((has)) $((own & 0x$2)) || return 1
	done
	equal "CapInh of $1" "$(status_of "$1" CapInh)" 0000000000000000 &&
		equal "NoNewPrivs of $1" "$(status_of "$1" NoNewPrivs)" 1
}

every_thread_is_filtered() {
	local thread threads
	mapfile -t threads < <(threads_of "$(worker)")
	[ ${#threads[@]} -gt 2 ] || return 1
	for thread in "${threads[@]}"; do
		equal "Seccomp of $thread" "$(status_of "$thread" Seccomp)" 2 &&
			equal "NoNewPrivs of $thread" "$(status_of "$thread" NoNewPrivs)" 1 || return 1
	done
}

cgroup_mounts() {
	grep -E ' - cgroup2? ' /proc/self/mountinfo
}

mounts_are_as_before() {
	equal "the cgroup file systems' mounts" "$(cgroup_mounts)" "$mounts_before"
}

# One file of power/ has an error to tell on most machines, as on the host.
everything_reads() {
	inside a sh -c 'find "$1/proc" "$1/sys" -type f ! -path "*/power/*" -exec cat {} + >/dev/null &&
		find "$1/cgroup" -name "*.stat" -exec cat {} + >/dev/null' - "$mnt"
}

# In v1's cpuset the kernel asks the mover for CAP_SYS_NICE.
moves_in_cpuset() {
	inside a sh -c 'cd "$1" && mkdir sub && cat cpuset.cpus >sub/cpuset.cpus &&
		cat cpuset.mems >sub/cpuset.mems && echo $$ >sub/cgroup.procs &&
		grep -q "cpuset:.*/sub$" /proc/self/cgroup && echo $$ >cgroup.procs && rmdir sub' \
		- "$mnt/cgroup/cpuset/$top/a"
}

changes_no_device_rules() {
	local rules=$mnt/cgroup/devices/$top/a
	[ -e "$rules/devices.deny" ] || return 1
	! inside a sh -c 'echo "c 1:3 rwm" >"$1/devices.deny"' - "$rules" &&
		grep -qx 'a \*:\* rwm' "/sys/fs/cgroup/devices/$top/a/devices.list"
}

# A poller would hold up the suspend of the machine if the worker was asked; while it is
# stopped it answers nobody.
poll_asks_nobody() {
	timeout 10 python3 - "$mnt/proc/meminfo" "$(worker)" <<-'END'
		import os, select, signal, sys
		fd, worker = os.open(sys.argv[1], os.O_RDONLY), int(sys.argv[2])
		p = select.poll()
		p.register(fd, select.POLLIN)
		p.poll(1000) # the answer to the very first of the mount is: never ask again
		os.kill(worker, signal.SIGSTOP)
		try:
		    signal.alarm(5)
		    sys.exit(p.poll(1000) != [(fd, select.POLLIN)])
		finally:
		    os.kill(worker, signal.SIGCONT)
	END
}

# Every point that the analysis deducts is named in a comment of the unit, with the reason.
exceptions_are_explained() {
	local line name
	LC_ALL=C.UTF-8 systemd-analyze security --offline=true --no-pager "$unit" >"$dir/security" 2>&1
	grep -q '^→ Overall exposure' "$dir/security" || { cat "$dir/security"; return 1; }
	while read -r _ line; do
		name=${line%%=*}=
		grep '^#' "$unit" | grep -qF -e "$name" || { echo "not explained: $line"; return 1; }
	done < <(grep '^✗' "$dir/security")
	between exposure 0 "$(grep -o 'service: [0-9.]*' "$dir/security" | cut -d' ' -f2)" 4.4
}

# --- bounds ------------------------------------------------------------------

soft_limit_is_raised() {
	(ulimit -Sn 128 && start) || return 1
	equal "open files" "$(awk '/^Max open files/ { print $4 == $5 }' "/proc/$(worker)/limits")" 1
}

# Thirty containers keep more files open than there may be.
few_files_do() {
	local i round
	(ulimit -n 160 && start) || return 1
	for ((i = 0; i < 30; i++)); do
		start_box "few$i" $(((20 + i) * MIB)) || return 1
	done
	for round in 1 2; do
		for ((i = 0; i < 30; i++)); do
			equal "MemTotal of box $i, round $round" \
				"$(field MemTotal "$(shown "few$i" proc/meminfo)")" $(((20 + i) << 10)) || return 1
			shown "few$i" proc/stat >/dev/null && shown "few$i" proc/diskstats >/dev/null || return 1
		done
	done
	between "open files" 1 "$(files_of "$(worker)")" 125
	local kept=$?
	for ((i = 0; i < 30; i++)); do
		end_box "few$i" || return 1
	done
	return $kept
}

resident() { # PID: kB, with what it shares
	awk '/^Rss:/ { print $2 }' "/proc/$1/smaps_rollup"
}

# Right, every time, and none of 100 reads takes two seconds. (The guest is emulated.)
box_reads_at_ease() { # BOX MIB
	inside "$1" timeout 60 python3 - "$mnt/proc/meminfo" $(($2 << 10)) <<-'END'
		import sys, time
		worst = 0
		for i in range(100):
		    start = time.monotonic()
		    with open(sys.argv[1]) as f:
		        assert f.readline().split()[1] == sys.argv[2]
		    worst = max(worst, time.monotonic() - start)
		print(f"the longest read took {worst:.3f} s")
		sys.exit(worst >= 2)
	END
}

flood_takes_nothing() {
	local before files during w tries=0
	w=$(worker)
	everything_reads # so that what is set up once is there
	before=$(resident "$w") files=$(files_of "$w")
	rm -f "$dir/go" "$dir/done"
	start_behind a python3 "$here/tight_flood.py" "$mnt" $many "$dir/go" "$dir/done"
	until wait_for test -e "$dir/go" || [ $((tries += 1)) -gt 5 ]; do :; done
	if [ ! -e "$dir/go" ]; then
		end_behind "$behind"
		return 1
	fi
	box_reads_at_ease b 48 || return 1
	during=$(resident "$w")
	echo "resident: $before kB before, $during kB during"
	between "files during" 1 "$(files_of "$w")" $((files + 40)) || return 1
	touch "$dir/done"
	wait "$behind" || return 1
	[ "$sanitized" -eq 0 ] || return 0 # it keeps what was freed
	between "kB more" 0 $((during > before ? during - before : 0)) $((80 << 10)) || return 1
	# What was closed is forgotten, but for a page for each of the latest 4096.
	wait_for is_small_again "$w" "$before"
}

is_small_again() { # PID BEFORE
	[ "$(resident "$1")" -le $(($2 + (24 << 10))) ]
}

# A third box, with a file in its cgroup that never answers: one of a FUSE server that does
# nothing. Who opens it sleeps in the kernel, and only a SIGKILL ends that.
start_stuck_box() {
	start_box c $((32 * MIB)) || return 1
	stuck_file=$(cgroup memory c)/memory.stat
	"$BASH" -c 'exec 9<>/dev/fuse &&
		mount -i -t fuse -o fd=9,rootmode=100444,user_id=0,group_id=0,allow_other stuck "$0" &&
		exec sleep 1000' "$stuck_file" </dev/null >/dev/null 2>&1 &
	server=$!
	helpers+=("$server")
	wait_for grep -q " $stuck_file fuse " /proc/self/mounts
}

# COUNT reads that need it, all at once. Fails unless each ends within ten seconds, with EIO.
are_told() {
	local i pids=() told=0
	for ((i = 0; i < $1; i++)); do
		inside c timeout -s KILL 10 "$dir/work" cat "$mnt/proc/meminfo" >"$dir/stuck.$i" 2>&1 &
		pids+=("$!")
	done
	for ((i = 0; i < $1; i++)); do
		wait "${pids[i]}" || grep -q 'Input/output error' "$dir/stuck.$i" && told=$((told + 1))
	done
	equal "readers told EIO" "$told" "$1"
}

# While the box tries again and again, each time in a way that is not forbidden yet.
stuck_box_blocks_nobody() {
	start_behind c sh -c 'while :; do
		for file in meminfo swaps uptime stat; do timeout 30 cat "$0/proc/$file"; done
	done >/dev/null 2>&1' "$mnt"
	box_reads_at_ease b 48
	local calm=$?
	end_behind "$behind"
	return $calm
}

# Four times as many readers as there are threads. The kernel serves who comes first, so
# others wait until it is found out, which takes a second.
all_stuck_is_over_soon() {
	local threads
	threads=$(($(threads_of "$(worker)" | wc -l) - 1))
	are_told $((4 * threads)) &
	box_reads_at_ease b 48 && wait $!
}

# By now that is not even tried, for as long as its threads are stuck.
box_is_refused_at_once() {
	local before
	before=$(grep -c 'is stuck' "$log")
	are_told 1 && equal "times that it got stuck" "$(grep -c 'is stuck' "$log")" "$before"
}

# What was stuck is not tried again for a minute.
stuck_box_is_free_again() {
	local until=$((SECONDS + 75))
	kill -9 "$server" && umount -l "$stuck_file" && wait_for threads_are "$1" || return 1
	until equal MemTotal "$(field MemTotal "$(shown c proc/meminfo)")" $((32 << 10)); do
		[ $SECONDS -lt $until ] || return 1
		sleep 1
	done
}

threads_are() {
	[ "$(threads_of "$(worker)" | wc -l)" -eq "$1" ]
}

# Nor does a pipe that nobody writes to hold a thread: that sleep is one to be interrupted.
pipe_holds_no_thread() {
	local before
	before=$(threads_of "$(worker)" | wc -l)
	start_box p $((36 * MIB)) && mkfifo "$dir/pipe" &&
		mount --bind "$dir/pipe" "$(cgroup memory p)/memory.stat" || return 1
	! inside p "$dir/work" cat "$mnt/proc/meminfo" >"$dir/told" 2>&1 || return 1
	grep -q 'Input/output error' "$dir/told" && wait_for threads_are "$before"
}

worker_is() {
	equal "the worker" "$(worker)" "$1"
}

# --- under other rules -------------------------------------------------------

# Nobody may attach to anybody. There is no way back from that, so only where nothing is lost.
yama_forbids_all() {
	echo 3 >/proc/sys/kernel/yama/ptrace_scope && [ "$(</proc/sys/kernel/yama/ptrace_scope)" = 3 ]
}

mounts_before=$(cgroup_mounts)
sanitized=$(ldd "$dir/lxcfs" | grep -cE 'lib[at]san')
check "starts" start
check "a box" start_box a $((32 * MIB))
check "another" start_box b $((48 * MIB))
check "the keeper's capabilities" has_only "$(keeper)" $keeper_capabilities
check "the worker's capabilities" has_only "$(worker)" $worker_capabilities
if [ "$sanitized" -eq 0 ]; then
	check "every thread of the worker is filtered" every_thread_is_filtered
else
	skip "every thread of the worker is filtered" "built with a sanitizer"
fi
check "a box reads everything" everything_reads
if [ -e /sys/fs/cgroup/cpuset/cpuset.cpus ]; then
	check "a box moves its processes in v1's cpuset" moves_in_cpuset
else
	skip "a box moves its processes in v1's cpuset" "not here"
fi
if [ -e /sys/fs/cgroup/devices/devices.list ]; then
	check "device rules are not changed for it" changes_no_device_rules
else
	skip "device rules are not changed for it" "not here"
fi
check "polling asks nobody" poll_asks_nobody
check "$many open files take nothing from another box" flood_takes_nothing
check "a box whose cgroup does not answer" start_stuck_box
serving=$(worker) threads=$(threads_of "$serving" | wc -l)
check "all threads stuck in it are another box's again soon" all_stuck_is_over_soon
check "at once the next time" box_is_refused_at_once
check "what else the box reads blocks nobody" stuck_box_blocks_nobody
check "all by the same worker" worker_is "$serving"
check "once it answers it is served, by as many threads" stuck_box_is_free_again "$threads"
check "a pipe in its place holds no thread" pipe_holds_no_thread
check "stops" stop
check "no cgroup file system was mounted or changed" mounts_are_as_before

check "a low soft limit of open files is raised" soft_limit_is_raised
check "stops" stop
check "where open files are few, no more are used" few_files_do
check "stops" stop
check "starts with --enable-psi-poll" start --enable-psi-poll
check "the worker's capabilities with it" has_only "$(worker)" $poller_capabilities
if [ -e /run/guest ] && [ -e /proc/sys/kernel/yama/ptrace_scope ]; then
	check "a box" start_box d $((56 * MIB))
	check "Yama forbids every attach" yama_forbids_all
	check "the box reads on" box_reads_at_ease d 56
	check "stops" stop
	check "starts under Yama" start
	check "another box" start_box e $((60 * MIB))
	check "it reads its own" box_reads_at_ease e 60
else
	skip "Yama" "not here, or not to be undone"
fi
check "stops" stop
if command -v systemd-analyze >/dev/null; then
	check "what the unit leaves open is explained in it" exceptions_are_explained
else
	skip "what the unit leaves open is explained in it" "no systemd here"
fi
finish
