#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every view against the kernel's own numbers, for callers in every kind of namespace, on
# whatever layout of cgroups this machine has. Speaks TAP.
# usage: views.sh BUILD [--long]    (--long: watches for minutes and not for seconds)
# shellcheck disable=SC1091,SC2016,SC2154,SC2317 # the library has them; check calls by name
watch_seconds=12
[ "${2-}" = --long ] && watch_seconds=120
. "$(dirname "$0")/lib.bash"
cfs=$dir/cfs
MIB=$((1 << 20))
disk=''
read -r host_online </sys/devices/system/cpu/online
mapfile -t cpus < <(grep -oP '^processor\s*: \K\d+' /proc/cpuinfo)
first=${cpus[0]} last=${cpus[-1]}

start_cfs() {
	mkdir "$cfs" || return 1
	"$dir/lxcfs" --enable-cfs --disable-swap "$cfs" -p "$dir/pid-cfs" 2>>"$log" &
	cfs_keeper=$!
	wait_for test -e "$cfs/proc/uptime"
}

end_cfs() {
	kill "$cfs_keeper" && wait "$cfs_keeper"
}

# --- memory ------------------------------------------------------------------

# What the box reads, between what the kernel says before and after, half a MiB about it
# for the reader itself.
memory_is() { # LABEL V1-KEY V2-KEY: of box a
	local before after shown
	before=$(memory_stat a "$2" "$3")
	shown=$(shown a proc/meminfo) || return 1
	after=$(memory_stat a "$2" "$3")
	[ "$before" -le "$after" ] || { local swap=$before; before=$after after=$swap; }
	between "$1" $(((before >> 10) - 512)) "$(field "$1" "$shown")" $(((after >> 10) + 512))
}

same_lines_as_host() {
	diff <(shown a proc/meminfo | awk '{ print $1, $3, length }') \
		<(awk '{ print $1, $3, length }' /proc/meminfo)
}

free_is_limit_less_usage() {
	local before after shown
	before=$(memory_used a)
	shown=$(shown a proc/meminfo) || return 1
	after=$(memory_used a)
	[ "$before" -le "$after" ] || { local swap=$before; before=$after after=$swap; }
	equal MemTotal "$(field MemTotal "$shown")" $((96 << 10)) &&
		between MemFree $(((96 << 10) - (after >> 10) - 512)) "$(field MemFree "$shown")" \
			$(((96 << 10) - (before >> 10) + 512))
}

limits_show_at_once() {
	local i limit
	for ((i = 0; i < 20; i++)); do
		limit=$(((64 + i * 3) * MIB))
		set_memory a $limit || return 1
		equal "limit $i" "$(field MemTotal "$(shown a proc/meminfo)")" $((limit >> 10)) || return 1
	done
	set_memory a $((96 * MIB))
}

# KIND LABEL: a process of the box that holds 24 MiB of it, and what the view says then.
holding_shows() {
	local before after worker
	before=$(field "$2" "$(shown a proc/meminfo)")
	: >"$dir/ready"
	start_behind a "$dir/work" "$1" $((24 * MIB)) >"$dir/ready" 2>>"$log"
	worker=$behind
	wait_for grep -q ready "$dir/ready" || return 1
	after=$(field "$2" "$(shown a proc/meminfo)")
	end_behind "$worker"
	between "$2" $((before + 23 * 1024)) "$after" $((before + 26 * 1024))
}

# On v1 and on v2 the pages of a file in tmpfs are shmem and cached.
tmpfs_is_shmem() {
	local before after
	mkdir "$dir/tmpfs"
	mount -t tmpfs tmpfs "$dir/tmpfs" || return 1
	before=$(shown a proc/meminfo)
	in_cgroups_of a dd if=/dev/zero of="$dir/tmpfs/x" bs=1M count=16 2>>"$log"
	after=$(shown a proc/meminfo)
	umount "$dir/tmpfs"
	# "before" may still have pages of the last test: the kernel batches its counters
	between Shmem $(($(field Shmem "$before") + 14 * 1024)) "$(field Shmem "$after")" \
		$(($(field Shmem "$before") + 17 * 1024)) &&
		between Cached $(($(field Cached "$before") + 15 * 1024)) "$(field Cached "$after")" \
			$(($(field Cached "$before") + 19 * 1024))
}

# What is written and not yet on the disk, as the kernel counts it.
dirty_pages_show() {
	inside a dd if=/dev/zero of="$disk/dirty" bs=1M count=8 2>>"$log" || return 1
	memory_is Dirty total_dirty file_dirty
	local status=$?
	between Dirty 1 "$(field Dirty "$(shown a proc/meminfo)")" 16384 || status=1
	rm "$disk/dirty"
	return $status
}

# Swap: what the box may use, never more than the host has.
swap_is() {
	local shown host
	shown=$(shown a proc/meminfo)
	host=$(host_memory SwapTotal)
	if is_v2 memory; then
		equal "SwapTotal, unlimited" "$(field SwapTotal "$shown")" "$host" || return 1
		echo $((32 * MIB)) >"$(cgroup memory a)/memory.swap.max"
		shown=$(shown a proc/meminfo)
		[ "$host" -gt 32768 ] && host=32768
		equal SwapTotal "$(field SwapTotal "$shown")" "$host" &&
			equal "swaps" "$(shown a proc/swaps | awk 'NR == 2 { print $3 }')" "$host"
	else # v1 limits swap with memory; that of the host is the most
		between SwapTotal 0 "$(field SwapTotal "$shown")" "$host"
	fi && equal "swaps' header" "$(shown a proc/swaps | head -n 1)" "$(head -n 1 /proc/swaps)" &&
		equal "with --disable-swap" "$(field SwapTotal "$(view=$cfs shown a proc/meminfo)")" 0
}

# Only v2 allows a limit that what is used exceeds: by processes that may not be killed for it.
# Nothing in there can open a file then, so it is asked from outside.
usage_above_limit() {
	local worker status
	is_v2 memory || return 0 # v1 refuses such a limit (mem_cgroup_resize_max(), EBUSY)
	make_cgroups over && set_memory over $((96 * MIB)) || return 1
	echo 0 >"$(cgroup memory over)/memory.swap.max"
	(
		echo -1000 >/proc/self/oom_score_adj
		start_init over over && wait
	) &
	helpers+=("$!")
	wait_for test -s "$dir/over.pid"
	init_of[over]=$(<"$dir/over.pid")
	wait_for grep -qx sleep "/proc/${init_of[over]}/comm"
	: >"$dir/ready"
	start_behind over bash -c "echo -1000 >/proc/self/oom_score_adj
		exec $dir/work anon $((48 * MIB))" >"$dir/ready" 2>>"$log"
	worker=$behind
	wait_for grep -q ready "$dir/ready" || return 1
	set_memory over $((24 * MIB))
	equal "usage is above" $(($(memory_used over) > 24 * MIB)) 1
	status=$?
	"$1/lxcfs-inspect" "${init_of[over]}" /proc/meminfo >"$dir/over"
	equal MemFree "$(field MemFree "$(<"$dir/over")")" 0 || status=1
	equal MemTotal "$(field MemTotal "$(<"$dir/over")")" $((24 << 10)) || status=1
	set_memory over $((96 * MIB))
	end_behind "$worker"
	end_box over && return $status
}

# --- CPU ---------------------------------------------------------------------

# What programs count, with the views in their places.
programs_agree() { # BOX COUNT
	local got
	got=$(inside "$1" bash -c "mount --bind $mnt/proc/stat /proc/stat
		mount --bind $mnt/proc/cpuinfo /proc/cpuinfo
		mount --bind $mnt/sys/devices/system/cpu /sys/devices/system/cpu
		getconf _NPROCESSORS_ONLN; getconf _NPROCESSORS_CONF
		lscpu -p=CPU | grep -vc '^#'
		umount /sys/devices/system/cpu /proc/cpuinfo /proc/stat" | paste -sd' ')
	equal "getconf, lscpu" "$got" "$2 $2 $2"
}

cpuset_counts() {
	set_cpus a "$last" && cpus_agree a "$(effective_cpus a)" &&
		equal effective "$(effective_cpus a)" "$last" && programs_agree a 1 &&
		set_cpus a "$first" && cpus_agree a "$first" && set_cpus a "$host_online" &&
		programs_agree a ${#cpus[@]}
}

quota_counts() {
	local count=${#cpus[@]}
	set_quota a 50000 100000 || return 1
	cpus_agree a "$host_online" && view=$cfs cpus_agree a "$first" &&
		set_quota a 150000 100000 && view=$cfs cpus_agree a "${cpus[0]},${cpus[1]}" &&
		set_quota a $((count * 300000)) 100000 && view=$cfs cpus_agree a "$host_online" &&
		set_quota a -1 100000 && view=$cfs cpus_agree a "$host_online"
}

cpu_line() { # FIELD (2 user, 4 system, 5 idle) TEXT
	awk -v field="$1" '$1 == "cpu" { print $field }' <<<"$2"
}

# What box b, which has all CPUs all the time, reads of itself lies between what the kernel
# says before and after.
cpu_time_is() {
	local user1 system1 user2 system2 shown
	read -r user1 system1 < <(cpu_time b)
	shown=$(shown b proc/stat) || return 1
	read -r user2 system2 < <(cpu_time b)
	between user $((user1 / 10000 - 1)) "$(cpu_line 2 "$shown")" $((user2 / 10000 + 1)) &&
		between system $((system1 / 10000 - 1)) "$(cpu_line 4 "$shown")" \
			$((system2 / 10000 + 1))
}

# MODE FIELD: a second of work shows as a second, there and nowhere else
burning_shows() {
	local before after
	before=$(shown b proc/stat)
	inside b "$dir/work" "$1" 1 || return 1
	after=$(shown b proc/stat)
	between "$1" 80 $(($(cpu_line "$2" "$after") - $(cpu_line "$2" "$before"))) 150 && cpu_time_is
}

# All CPU time there was since the start: busy or idle, on every CPU; the lines add up.
idle_is_the_rest() {
	local stat uptime
	stat=$(shown b proc/stat) && uptime=$(shown b proc/uptime) || return 1
	awk -v uptime="${uptime% *}" -v idle="${uptime#* }" -v count=${#cpus[@]} '
		$1 == "cpu" { total = ($2 + $4 + $5) / 100; all_idle = $5 / 100; all = $2 + $4 + $5 }
		/^cpu[0-9]/ { sum += $2 + $4 + $5 }
		END {
			print "uptime", uptime, "total", total, "idle", all_idle, idle
			exit !(total > uptime * count - 1 && total < uptime * count + 1 &&
				idle > all_idle - 0.1 && idle < all_idle + 2 &&
				sum > all - 2 * count - 1 && sum < all + 2 * count + 1)
		}' <<<"$stat"
}

# Counters and all else, read by one process while others work: nothing is ever untrue.
true_under_load() {
	local burner status
	start_behind a "$dir/work" user 3
	burner=$behind
	inside a "$dir/work" watch 3 "$mnt" $((96 << 10)) "$(expand "$host_online")"
	status=$?
	wait "$burner"
	return $status
}

# --- time, tasks, I/O --------------------------------------------------------

started() { # BOX: when, in seconds since boot
	awk '{ sub(/.*\) /, ""); print $20 / 100 }' "/proc/${init_of[$1]}/stat"
}

uptime_is() {
	local start now
	start=$(started a)
	read -r now _ </proc/uptime
	between uptime "$(awk "BEGIN { print $now - $start - 0.02 }")" \
		"$(shown a proc/uptime | cut -d' ' -f1)" \
		"$(awk -v start="$start" '{ print $1 - start + 0.02 }' /proc/uptime)" || {
		# awk read the clock before the box did: by no more than that took
		read -r now _ </proc/uptime
		between uptime 0 "$(shown a proc/uptime | cut -d' ' -f1)" \
			"$(awk "BEGIN { print $now - $start + 1 }")"
	}
}

btime_is() {
	local btime age
	btime=$(shown a proc/stat | awk '/^btime/ { print $2 }')
	age=$(shown a proc/uptime | cut -d. -f1)
	between "btime + uptime" $(($(date +%s) - 3)) $((btime + age)) $(($(date +%s) + 2))
}

time_namespace_is() {
	start_box ahead $((64 * MIB)) -b 5000 || return 1
	local first_column
	first_column=$(shown ahead proc/uptime | cut -d. -f1)
	# as the clock of its processes: CLOCK_BOOTTIME of the host and 5000 seconds
	between uptime $(($(cut -d. -f1 /proc/uptime) + 4995)) "$first_column" \
		$(($(cut -d. -f1 /proc/uptime) + 5001))
	local status=$?
	end_box ahead && return $status
}

# A box in which one process computes for a while, and nothing else does.
load_begins() {
	start_box load $((64 * MIB)) && shown load proc/loadavg || return 1 # now it is sampled
	start_behind load "$dir/work" user 600
	load_worker=$behind load_started=$(now)
}

now() {
	cut -d' ' -f1 /proc/uptime
}

# The kernel's formula; samples are taken every 5 s, so the load may be of a sample more or less.
load_shows() {
	local shown running
	while [ $(($(now | cut -d. -f1) - ${load_started%.*})) -lt 14 ]; do sleep 0.2; done
	shown=$(shown load proc/loadavg)
	running=$(cut -d' ' -f4 <<<"$shown")
	awk -v t="$(now)" -v start="$load_started" -v shown="${shown%% *}" 'BEGIN {
		t -= start
		least = 1 - exp(-(t - 6) / 60) - 0.02
		most = 1 - exp(-(t + 6) / 60) + 0.02
		print shown, "after", t, "s; wanted", least, "to", most
		exit !(least <= shown && shown <= most)
	}' && between running 1 "${running%/*}" 2 &&
		equal tasks "${running#*/}" 3 && # init, the worker and the reader
		end_behind "$load_worker" && end_box load
}

# The number of the last process is the container's own.
last_pid_is_small() {
	between "last pid" 1 "$(shown b proc/loadavg | cut -d' ' -f5)" 50 &&
		between processes 1 "$(shown b proc/stat | awk '/^processes/ { print $2 }')" 50
}

make_disk() {
	disk=$dir/disk
	mkdir "$disk"
	truncate -s 64M "$dir/image" && mkfs.ext4 -qF "$dir/image" &&
		loop=$(losetup -f --show "$dir/image") && mount "$loop" "$disk"
}

remove_disk() {
	umount "$disk" && losetup -d "$loop" && loop=''
}

io_of() { # BOX DEVICE: "READ-BYTES WRITTEN-BYTES READS WRITES" by the kernel
	if is_v2 io; then
		sed -n "s/^$2 rbytes=\([0-9]*\) wbytes=\([0-9]*\) rios=\([0-9]*\) wios=\([0-9]*\) .*/\1 \2 \3 \4/p" \
			"$(cgroup io "$1")/io.stat"
	else
		local at
		at=$(cgroup blkio "$1")
		awk -v device="$2" '$1 == device && $2 ~ /^(Read|Write)$/ { print $3 }' \
			"$at/blkio.throttle.io_service_bytes_recursive" \
			"$at/blkio.throttle.io_serviced_recursive" | paste -sd' '
	fi
}

# v1 counts requests from the moment on that a limit was set for the device (kernel 6.10).
count_io() { # BOX DEVICE
	is_v2 io || echo "$2 1000000000000" >"$(cgroup blkio "$1")/blkio.throttle.read_bps_device"
}

io_shows() {
	local device name line want
	name=${loop#/dev/}
	device=$(<"/sys/block/$name/dev")
	count_io a "$device" && inside a dd if=/dev/zero of="$disk/x" bs=64k count=48 oflag=direct 2>>"$log" &&
		inside a dd if="$disk/x" of=/dev/null bs=64k count=32 iflag=direct 2>>"$log" || return 1
	line=$(shown a proc/diskstats | awk -v name="$name" '$3 == name')
	read -r rbytes wbytes reads writes < <(io_of a "$device")
	want="$reads 0 $((rbytes / 512)) 0 $writes 0 $((wbytes / 512)) 0"
	equal "$name" "$(awk '{ print $4, $5, $6, $7, $8, $9, $10, $11 }' <<<"$line")" "$want" &&
		between "bytes read" $((32 * 65536)) "$rbytes" $((33 * 65536)) &&
		between "bytes written" $((48 * 65536)) "$wbytes" $((60 * 65536)) &&
		equal columns "$(awk '{ print NF }' <<<"$line")" \
			"$(awk -v name="$name" '$3 == name { print NF }' /proc/diskstats)"
}

others_io_is_hidden() {
	equal "devices of box b" "$(shown b proc/diskstats | grep -c "${loop#/dev/}")" 0
}

# The averages move every two seconds: so between two readings that are the same.
pressure_is() { # KIND
	local before after shown i
	for ((i = 0; i < 20; i++)); do
		before=$(<"$unified/$top/a/$1.pressure")
		shown=$(shown a "proc/pressure/$1")
		after=$(<"$unified/$top/a/$1.pressure")
		[ "$before" != "$after" ] || [ "$shown" != "$before" ] || return 0
	done
	printf '%s\n' "$before" "$shown" "$after"
	return 1
}

# The total of waiting for a CPU goes on while the box waits itself, for its reader.
pressure_of_cpu_is() {
	local before after shown
	before=$(grep -oP 'some.*total=\K\d+' "$unified/$top/a/cpu.pressure")
	shown=$(shown a proc/pressure/cpu | grep -oP 'some.*total=\K\d+')
	after=$(grep -oP 'some.*total=\K\d+' "$unified/$top/a/cpu.pressure")
	between "total" "$before" "$shown" "$after"
}

slabinfo_is_for_root_alone() {
	equal mode "$(stat -c %a "$mnt/proc/slabinfo")" 400 &&
		equal "header" "$(shown a proc/slabinfo | head -n 2)" "$(head -n 2 /proc/slabinfo)" &&
		! inside a setpriv --reuid 65534 --regid 65534 --clear-groups \
			cat "$mnt/proc/slabinfo"
}

# --- who asks ----------------------------------------------------------------

# BOX BYTES...: its MemTotal is this
total_is() {
	equal "MemTotal of $1" "$(field MemTotal "$(shown "$1" proc/meminfo)")" $(($2 >> 10))
}

# The least limit of all ancestors counts; what a box does below its own cgroup does not.
ancestors_count() {
	make_cgroups outer && set_memory outer $((80 * MIB)) &&
		start_box outer/inner $((500 * MIB)) && total_is outer/inner $((80 * MIB)) &&
		set_memory outer/inner $((48 * MIB)) && total_is outer/inner $((48 * MIB)) &&
		set_memory outer $((40 * MIB)) && total_is outer/inner $((40 * MIB)) &&
		{ is_v2 cpuset || set_cpus outer/inner "$last"; } && # v1: EBUSY with a larger child
		set_cpus outer "$last" && cpus_agree outer/inner "$(effective_cpus outer/inner)" &&
		equal effective "$(effective_cpus outer/inner)" "$last" &&
		end_box outer/inner && remove_cgroups outer
}

# As systemd has it: init in /init.scope, the others beside it, with limits of their own.
sub_cgroups_are_ignored() {
	make_cgroups systemd && set_memory systemd $((72 * MIB)) && make_cgroups systemd/init.scope &&
		make_cgroups systemd/service && set_memory systemd/service $((32 * MIB)) &&
		start_init systemd systemd/init.scope || return 1
	# shellcheck disable=SC2086 # many words
	total=$("$dir/box" -e "${init_of[systemd]}" ${groups_of[systemd/service]} \
		awk '/^MemTotal/ { print $2 }' "$mnt/proc/meminfo")
	equal MemTotal "$total" $((72 << 10)) && end_box systemd
}

# A pod: two containers in one pid namespace, each its own.
pods_are_not_one() {
	local total
	start_box pause $((16 * MIB)) && make_cgroups app && set_memory app $((56 * MIB)) || return 1
	# shellcheck disable=SC2086 # many words
	total=$("$dir/box" -e "${init_of[pause]}" ${groups_of[app]} \
		awk '/^MemTotal/ { print $2 }' "$mnt/proc/meminfo")
	equal "MemTotal of app" "$total" $((56 << 10)) && total_is pause $((16 * MIB)) &&
		remove_cgroups app && end_box pause
}

host_reads_host() {
	equal "MemTotal for nobody" "$(setpriv --reuid 65534 --regid 65534 --clear-groups \
		awk '/^MemTotal/ { print $2 }' "$mnt/proc/meminfo")" \
		"$(host_memory MemTotal)" &&
		equal MemTotal "$(field MemTotal "$(<"$mnt/proc/meminfo")")" \
		"$(host_memory MemTotal)" &&
		equal cpuinfo "$(grep -c ^processor "$mnt/proc/cpuinfo")" ${#cpus[@]} &&
		equal partitions "$(awk '{ print $3 }' "$mnt/proc/diskstats" | head -n 1)" \
			"$(awk '{ print $3 }' /proc/diskstats | head -n 1)"
}

# A process of the host in a cgroup, as a service is: its own.
services_read_their_own() {
	local total
	total=$(in_cgroups_of b awk '/^MemTotal/ { print $2 }' "$mnt/proc/meminfo")
	equal MemTotal "$total" $((64 << 10))
}

# A container without limits of its own, in the cgroups of this very process.
unlimited_reads_host() {
	groups_of[free]=''
	start_init free free || return 1
	equal MemTotal "$(field MemTotal "$(shown free proc/meminfo)")" "$(host_memory MemTotal)" &&
		equal cpuinfo "$(shown free proc/cpuinfo | grep -c ^processor)" ${#cpus[@]} &&
		equal stat "$(shown free proc/stat | grep -c '^cpu[0-9]')" ${#cpus[@]}
	local status=$?
	kill -9 "${init_of[free]}"
	unset 'init_of[free]'
	return $status
}

user_namespace_is_the_same() {
	start_box user $((52 * MIB)) -u 100000 -C || return 1
	total_is user $((52 * MIB)) && cpus_agree user "$host_online" &&
		equal "who reads" "$(inside user id -u)" 0 &&
		inside user cat "$mnt"/proc/{stat,uptime,swaps,diskstats,loadavg,cpuinfo} >/dev/null
	local status=$?
	end_box user && return $status
}

cgroup_namespace_is_the_same() {
	start_box cgroup $((44 * MIB)) -C && total_is cgroup $((44 * MIB)) &&
		cpus_agree cgroup "$host_online" && end_box cgroup
}

# The same name again, with another limit: nothing of the first one is left. Its cgroups could
# be removed at once, and a process that has ended is no error either.
names_come_back() {
	local i
	for i in 1 2 3; do
		start_box again $((i * 20 * MIB)) && total_is again $((i * 20 * MIB)) &&
			cpus_agree again "$host_online" && end_box again || return 1
	done
}

signal_toggles() {
	local k
	k=$(keeper)
	kill -USR2 "$k"
	shows_host() { [ "$(field MemTotal "$(shown a proc/meminfo)")" = \
		"$(host_memory MemTotal)" ]; }
	wait_for shows_host && equal cpus "$(shown a proc/cpuinfo | grep -c ^processor)" ${#cpus[@]} ||
		return 1
	kill -USR2 "$k"
	shows_own() { total_is a $((96 * MIB)); }
	wait_for shows_own
}

# Many readers of two containers at once: no answer is ever the other's.
no_mix_ups() {
	local i readers=() failed=0 reader
	set_cpus a "$first"
	set_cpus b "$last"
	for i in 1 2 3 4 5; do
		start_behind a "$dir/work" watch $watch_seconds "$mnt" $((96 << 10)) "$first" \
			>"$dir/watch.a$i"
		readers+=("$behind")
		start_behind b "$dir/work" watch $watch_seconds "$mnt" $((64 << 10)) "$last" \
			>"$dir/watch.b$i"
		readers+=("$behind")
	done
	for reader in "${readers[@]}"; do
		wait "$reader" || failed=$((failed + 1))
	done
	[ $failed -eq 0 ] || { head -v -n 20 "$dir"/watch.*; return 1; }
	reads=$(cat "$dir"/watch.* | awk '{ n += $1 } END { print n }')
	set_cpus a "$host_online" && set_cpus b "$host_online"
}

loop=''
leave() {
	[ -z "$loop" ] || { umount -l "$disk"; losetup -d "$loop"; }
	remove_boxes
	pgrep -f -- "-p $dir/pid-cfs\$" | xargs -r kill -9 2>/dev/null
	umount -l "$cfs" 2>/dev/null
	cleanup
}
trap leave EXIT

check "lxcfs starts" start -l
check "and another with --enable-cfs" start_cfs
check "a disk" make_disk # before the containers' mount namespaces
check "a container of 96 MiB" start_box a $((96 * MIB))
check "a container of 64 MiB" start_box b $((64 * MIB))

check "meminfo: the host's lines" same_lines_as_host
check "meminfo: total is the limit, free the limit less what is used" free_is_limit_less_usage
check "meminfo: new limits show at the next read" limits_show_at_once
check "meminfo: private memory" holding_shows anon AnonPages
check "meminfo: shared memory" holding_shows shared Shmem
check "meminfo: files in memory" tmpfs_is_shmem
check "meminfo: dirty pages" dirty_pages_show
check "meminfo: Cached is the kernel's" memory_is Cached total_cache file
check "meminfo: AnonPages is the kernel's" memory_is AnonPages total_rss anon
check "meminfo: Mapped is the kernel's" memory_is Mapped total_mapped_file file_mapped
check "meminfo: Active(file) is the kernel's" memory_is 'Active(file)' total_active_file active_file
check "meminfo, swaps: swap" swap_is
check "meminfo: more is used than allowed" usage_above_limit "$1"

check "a container with work to do" load_begins
check "the set of CPUs in every file" cpuset_counts
check "the quota counts with --enable-cfs alone" quota_counts
check "stat: times are the kernel's" cpu_time_is
check "stat: nothing untrue under load" true_under_load
check "loadavg" load_shows
check "stat: work of a program" burning_shows user 2
check "stat: work of the kernel" burning_shows system 4
check "stat, uptime: the rest is idle" idle_is_the_rest
check "uptime: since init started" uptime_is
check "stat: btime with uptime is now" btime_is
check "uptime: of a time namespace" time_namespace_is
check "loadavg, stat: process numbers of the container" last_pid_is_small
check "diskstats: I/O of the container" io_shows
check "diskstats: not that of others" others_io_is_hidden
check "pressure/memory is the cgroup's" pressure_is memory
check "pressure/io is the cgroup's" pressure_is io
check "pressure/cpu is the cgroup's" pressure_of_cpu_is
check "slabinfo: for root alone" slabinfo_is_for_root_alone

check "limits of ancestors count" ancestors_count
check "sub-cgroups of the container are ignored" sub_cgroups_are_ignored
check "containers of a pod read their own" pods_are_not_one
check "the host reads the host's" host_reads_host
check "a service of the host reads its own" services_read_their_own
check "a container without limits reads the host's" unlimited_reads_host
check "a user namespace" user_namespace_is_the_same
check "a cgroup namespace" cgroup_namespace_is_the_same
check "a container of the same name reads its own" names_come_back
check "SIGUSR2 switches the views off and on" signal_toggles
check "10 readers of two containers at once" no_mix_ups
echo "# ${reads-no} checked reads in $watch_seconds s"
check "the second lxcfs ends" end_cfs
check "the containers go" remove_boxes
check "the disk goes" remove_disk
check "lxcfs ends" stop
finish
