#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What real programs print in a container, against the cgroup's own numbers: 300 MiB of
# memory, one CPU of the set and half of its time; once more with --enable-cfs, where the
# set is whole and the quota leaves one CPU. Speaks TAP.
# usage: programs.sh BUILD
# shellcheck disable=SC1091,SC2154,SC2317 # the library has them; check calls by name
. "$(dirname "$0")/lib.bash"
MIB=$((1 << 20))
total=$((300 * MIB))
anon=$((100 * MIB)) # what the container uses, its programs apart
slack=$((48 * MIB)) # what those may use
cfs=$dir/cfs
mapfile -t cpus < <(grep -oP '^processor\s*: \K\d+' /proc/cpuinfo)
host_swap=$(awk '$1 == "SwapTotal:" { print $2 * 1024 }' /proc/meminfo)
swap=$host_swap
port=$((20000 + $$ % 20000))
said=$dir/said

# --- the container -----------------------------------------------------------

# So much more than its share that it gets its quota on a busy machine, too.
prefer() { # BOX
	local cgroup
	for cgroup in "$(cgroup cpu "$1")" "$(cgroup cpu "")"; do
		if is_v2 cpu; then
			echo 10000 >"$cgroup/cpu.weight"
		else
			echo 200000 >"$cgroup/cpu.shares"
		fi
	done
}

limit_swap() { # BOX: only v2 can limit it apart from memory
	is_v2 memory || return 0
	echo $((64 * MIB)) >"$(cgroup memory "$1")/memory.swap.max"
	swap=$((host_swap < 64 * MIB ? host_swap : 64 * MIB))
}

# shellcheck disable=SC2016 # expanded inside
bind_views='
for path in "$0"/proc/*; do
	[ ! -e "/proc/${path##*/}" ] || mount --bind "$path" "/proc/${path##*/}" || exit 1
done
mount --bind "$0/sys/devices/system/cpu" /sys/devices/system/cpu && mount -t tmpfs tmpfs /run'

# BOX CPUS MOUNTPOINT [OPTION-OF-BOX]...
start_container() {
	box=$1
	make_cgroups "$box" && set_memory "$box" $total && limit_swap "$box" &&
		set_cpus "$box" "$2" && set_quota "$box" 50000 100000 && prefer "$box" || return 1
	begun=$EPOCHREALTIME # its init starts between this and $started
	start_init "$box" "$box" "${@:4}" && inside "$box" bash -c "$bind_views" "$3" || return 1
	started=$EPOCHREALTIME
	start_behind "$box" "$dir/work" anon $anon
	wait_for is_filled
	filled=$EPOCHREALTIME
}

is_filled() {
	[ "$(memory_used "$box")" -ge $anon ]
}

start_cfs() {
	mkdir "$cfs" || return 1
	"$dir/lxcfs" --enable-cfs "$cfs" -p "$dir/pid-cfs" 2>>"$log" &
	cfs_keeper=$!
	wait_for test -e "$cfs/proc/uptime"
}

end_cfs() {
	kill "$cfs_keeper" && wait "$cfs_keeper"
}

# COMMAND...: in the container, its output in $said.
say() {
	LC_ALL=C TERM=xterm inside "$box" timeout 60 "$@" >"$said" 2>"$dir/err" </dev/null ||
		{ cat "$said" "$dir/err"; return 1; }
}

say_shell() {
	say bash -c "$1"
}

# VALUE: in bytes, what the container uses besides caches.
is_memory_used() {
	between "used memory" $((anon)) "${1:-0}" $((anon + slack))
}

# VALUE: in bytes, what the limit leaves; caches count as used.
is_memory_free() {
	local left=$((total - $(memory_used "$box")))
	between "free memory" $((left - slack / 3)) "${1:-0}" $((left + slack / 3))
}

# SECONDS SINCE 1970, with a fraction: how long ago, in whole seconds.
since() {
	echo $((${EPOCHREALTIME%.*} - ${1%.*}))
}

# SECONDS LEAST: of the container, which was at least so old before the program ran.
is_age() {
	between "uptime" $(($2 - 2)) "${1:--1}" $(($(since "$begun") + 2))
}

# SECONDS SINCE 1970: when the container started.
is_start() {
	between "start" $((${begun%.*} - 2)) "${1:-0}" $((${started%.*} + 2))
}

# --- memory ------------------------------------------------------------------

free_does() {
	local mem swaps
	say free -b && read -r _ mem used free _ < <(grep ^Mem: "$said") &&
		read -r _ swaps _ < <(grep ^Swap: "$said") || return 1
	equal total "$mem" $total && is_memory_used "$used" && is_memory_free "$free" &&
		equal swap "$swaps" "$swap"
}

# A share of all memory is a share of the container's; and who is there.
ps_does() {
	local share
	say ps -e -o %mem=,comm= || return 1
	share=$(awk '$2 == "work" { print $1 }' "$said")
	between "%MEM" 33 "$share" 36 &&
		equal processes "$(wc -l <"$said")" $(($(wc -l <"$(cgroup memory "$box")/cgroup.procs") + 2))
}

sar_memory_does() {
	local free used
	say sar -r 1 1 || return 1
	read -r free used < <(awk '/^Average/ { print $2 * 1024, $4 * 1024 }' "$said")
	is_memory_free "$free" && is_memory_used "$used"
}

# --- CPUs --------------------------------------------------------------------

counts_one_cpu() { # COMMAND...
	say "$@" && equal "$*" "$(cat "$said")" 1
}

lscpu_does() {
	say lscpu || return 1
	equal "CPU(s)" "$(awk -F ': *' '$1 == "CPU(s)" { print $2 }' "$said")" 1 &&
		equal on-line "$(awk -F ': *' '/^On-line/ { print $2 }' "$said")" "$cpu" &&
		! grep -q ^Off-line "$said"
}

# --- uptime ------------------------------------------------------------------

uptime_does() {
	local least
	say uptime -s && is_start "$(date -d "$(cat "$said")" +%s)" || return 1
	least=$(since "$started")
	say uptime && [[ $(cat "$said") =~ up\ +([0-9]+)\ min ]] &&
		between minutes $(((least - 1) / 60)) "${BASH_REMATCH[1]}" $((($(since "$begun") + 1) / 60))
}

# --- several at once ---------------------------------------------------------

psutil_does() {
	local cpus cores total_memory used boot swaps
	say /usr/bin/python3 -c '
import psutil
m = psutil.virtual_memory()
print(psutil.cpu_count(), psutil.cpu_count(logical=False), m.total, m.total - m.available,
      psutil.boot_time(), psutil.swap_memory().total)' &&
		read -r cpus cores total_memory used boot swaps <"$said" || return 1
	equal cpus "$cpus" 1 && equal cores "$cores" 1 && equal total "$total_memory" $total &&
		is_memory_used "$used" && is_start "$boot" && equal swap "$swaps" "$swap"
}

node_does() {
	local cpus memory free uptime least
	least=$(since "$started")
	say node -e 'const os = require("os");
		console.log(os.cpus().length, os.totalmem(), os.freemem(), os.uptime())' &&
		read -r cpus memory free uptime <"$said" || return 1
	equal cpus "$cpus" 1 && equal total "$memory" $total &&
		between free $((total - anon - 2 * slack)) "$free" $((total - anon + slack)) &&
		is_age "$uptime" "$least"
}

# It goes to the cgroup files itself, by way of the kernel's /proc/self: the views must not
# be in its way.
java_does() {
	say_shell 'java -Xshare:auto -XX:TieredStopAtLevel=1 -XshowSettings:system -version 2>&1' || return 1
	equal memory "$(awk -F ': *' '/Memory Limit/ { print $2 }' "$said")" 300.00M &&
		equal cpus "$(awk -F ': *' '/Effective CPU Count/ { print $2 }' "$said")" 1
}

exporter_says() { # NAME
	awk -v name="$1" '$1 == name { printf "%.3f\n", $2 }' "$said"
}

# It fills gaps between the numbers with CPUs that never did anything.
exporter_cpus() {
	grep -oP '^node_cpu_seconds_total\{cpu="\K\d+(?=".* 0*[1-9.])' "$said" | sort -u
}

exporter_does() {
	local exporter user system seconds
	LC_ALL=C start_behind "$box" prometheus-node-exporter --collector.disable-defaults \
		--collector.meminfo --collector.cpu --collector.stat \
		--web.listen-address="127.0.0.1:$port" 2>>"$dir/exporter.log"
	exporter=$behind
	wait_for scrape
	end_behind "$exporter"
	read -r user system < <(cpu_time "$box")
	equal total "$(exporter_says node_memory_MemTotal_bytes)" $total.000 &&
		is_memory_free "$(exporter_says node_memory_MemFree_bytes)" &&
		is_start "$(exporter_says node_boot_time_seconds)" &&
		equal cpus "$(exporter_cpus)" "$cpu" || return 1
	seconds=$(awk '/^node_cpu_seconds_total.*mode="(user|system)"/ { s += $2 } END { print s }' "$said")
	between "CPU time" "$(awk -v us=$((user + system)) 'BEGIN { print us / 1e6 - 3 }')" "$seconds" \
		"$(awk -v us=$((user + system)) 'BEGIN { print us / 1e6 }')"
}

scrape() {
	/usr/bin/python3 - "http://127.0.0.1:$port/metrics" >"$said" 2>/dev/null <<-'END'
		import sys, urllib.request
		sys.stdout.write(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())
	END
}

# --- how busy the CPU is -----------------------------------------------------

# COMMAND...: says it, and in $busy the percentage of the shown CPU that was used meanwhile.
measure() {
	local user system before start
	read -r user system < <(cpu_time "$box")
	before=$((user + system)) start=$EPOCHREALTIME
	say "$@" || return 1
	read -r user system < <(cpu_time "$box")
	busy=$(awk -v used=$((user + system - before)) -v start="$start" -v now="$EPOCHREALTIME" \
		-v capacity="$capacity" 'BEGIN {
			share = used / 1e4 / (now - start) / capacity
			printf "%.1f", (share > 100 ? 100 : share)
		}')
}

# PERCENTAGE
is_busy() {
	between "busy" "$(awk -v b="$busy" 'BEGIN { print b - 15 }')" "${1:--1}" \
		"$(awk -v b="$busy" 'BEGIN { print b + 15 }')" ||
		{ tail -n 6 "$said"; return 1; }
}

top_does() {
	local idle
	measure top -b -n 2 -d 1.5 -w 120 || return 1
	idle=$(grep -oP '^%Cpu.* \K[\d.]+(?= id)' "$said" | tail -n 1)
	is_busy "$(awk -v idle="${idle:-200}" 'BEGIN { print 100 - idle }')" &&
		grep -qE '^MiB Mem : +300\.0 total' "$said" &&
		equal first "$(awk '$1 == "PID" { n++; next } n == 2 && $12 == "work" { print $12; exit }' \
			"$said")" work
}

vmstat_does() {
	local free idle
	measure vmstat 2 2 || return 1
	read -r free idle < <(awk 'END { print $4 * 1024, $15 }' "$said")
	is_memory_free "$free" && is_busy $((100 - idle))
}

mpstat_does() {
	local idle
	measure mpstat -P ALL 2 1 || return 1
	idle=$(awk '/^Average: +all/ { print $NF }' "$said")
	grep -qF '(1 CPU)' "$said" && is_busy "$(awk -v i="$idle" 'BEGIN { print 100 - i }')" &&
		equal rows "$(awk '/^Average: +[0-9]/ { print $2 }' "$said")" "$cpu"
}

sar_cpu_does() {
	local idle
	measure sar -u 2 1 || return 1
	idle=$(awk '/^Average/ { print $NF }' "$said")
	grep -qF '(1 CPU)' "$said" && is_busy "$(awk -v i="$idle" 'BEGIN { print 100 - i }')"
}

iostat_cpu_does() {
	local idle
	measure iostat -c 2 2 || return 1
	idle=$(awk '/^ +[0-9.]+ / { idle = $NF } END { print idle }' "$said")
	grep -qF '(1 CPU)' "$said" && is_busy "$(awk -v i="$idle" 'BEGIN { print 100 - i }')"
}

psutil_cpu_does() {
	measure /usr/bin/python3 -c 'import psutil; print(psutil.cpu_percent(2))' &&
		is_busy "$(cat "$said")"
}

# HOME TMUX...: htop on a terminal of its own, as it looks after four seconds by its own clock.
# shellcheck disable=SC2016 # expanded inside
htop_screen='
export HOME=$1; shift
"$@" new-session -d -x 100 -y 30 "exec htop -d 15 -C" || exit 1
for i in {1..200}; do
	sleep 0.2
	screen=$("$@" capture-pane -p)
	clock=$(grep -oP "Uptime: 00:\K[\d:]+" <<<"$screen") || continue
	seconds=$((10#${clock%:*} * 60 + 10#${clock#*:}))
	[ $((seconds - ${first:=$seconds})) -lt 4 ] || break
done
echo "$screen"
"$@" kill-server'

# Its meters: "CPU[||||  49.0%]", "Mem[|||  105M/300M]".
htop_does() {
	local percent
	rm -f "$dir/tmux"
	measure bash -c "$htop_screen" - "$dir" tmux -S "$dir/tmux" -f /dev/null || return 1
	percent=$(grep -oP '^ *(CPU|\d+)\[\D*\K[\d.]+(?=%\])' "$said")
	# A CPU that is not in the set is "offline" if its number lies below one that is.
	equal "CPU meters" "$(wc -w <<<"$percent")" 1 && is_busy "$percent" &&
		grep -qE 'Mem\[.*/300M\]' "$said" && grep -qE 'Uptime: 00:0[0-9]:' "$said" && return
	head -n 6 "$said"
	return 1
}

# --- disks -------------------------------------------------------------------

# A directory on a disk whose I/O is counted: the guest's root is no disk.
disk_directory() {
	if mountpoint -q /scratch; then
		echo /scratch
	else
		echo /var/tmp
	fi
}

written() { # MAJOR:MINOR: bytes, by the cgroup
	if is_v2 io; then
		awk -v d="$1" '$1 == d { sub(/.*wbytes=/, ""); print $1 }' "$(cgroup io "$box")/io.stat"
	else
		awk -v d="$1" '$1 == d && $2 == "Write" { print $3 }' \
			"$(cgroup blkio "$box")/blkio.throttle.io_service_bytes"
	fi
}

# iostat asks /sys/block for whole disks, and /proc/diskstats for partitions too.
disks_do() {
	local file device name before seen
	file=$(mktemp "$(disk_directory)/lxcfs-test.XXXXXX")
	device=$(stat -c %Hd:%Ld "$file")
	say dd if=/dev/zero of="$file" bs=1M count=4 oflag=direct
	rm -f "$file"
	name=$(basename "$(realpath "/sys/dev/block/$device")")
	before=$(($(written "$device") / 1024))
	# The file system's own writes for the container may follow late.
	between "written by the container" 4096 $before 40960 && say vmstat -d || return 1
	seen=$(awk -v n="$name" '$1 == n { print $8 / 2 }' "$said")
	between "vmstat -d" $before "$seen" $(($(written "$device") / 1024)) &&
		say iostat -d -k -p ALL || return 1
	seen=$(awk -v n="$name" '$1 == n { print $7 }' "$said")
	between "iostat -d" $before "$seen" $(($(written "$device") / 1024))
}

# --- a time namespace --------------------------------------------------------

# There the kernel counts the age of processes as the views count the container's.
ps_knows_ages() {
	local least elapsed
	least=$(since "$filled")
	say ps -C work -o etimes= && elapsed=$(tr -d ' ' <"$said") || return 1
	between age $((least - 2)) "$elapsed" $(($(since "$started") + 2))
}

# --- all of it ---------------------------------------------------------------

numbers() { # WHAT-IS-SPECIAL
	check "free$1" free_does
	check "ps$1" ps_does
	check "sar -r$1" sar_memory_does
	check "lscpu$1" lscpu_does
	check "getconf _NPROCESSORS_ONLN$1" counts_one_cpu getconf _NPROCESSORS_ONLN
	check "getconf _NPROCESSORS_CONF$1" counts_one_cpu getconf _NPROCESSORS_CONF
	check "uptime$1" uptime_does
	check "psutil$1" psutil_does
	check "node$1" node_does
	check "java$1" java_does
	check "prometheus-node-exporter$1" exporter_does
	start_behind "$box" "$dir/work" user 600
	check "top$1" top_does
	check "htop$1" htop_does
	check "vmstat$1" vmstat_does
	check "mpstat$1" mpstat_does
	check "sar -u$1" sar_cpu_does
	check "iostat -c$1" iostat_cpu_does
	check "psutil.cpu_percent$1" psutil_cpu_does
}

cpu=${cpus[-1]} capacity=1
check "lxcfs starts" start
check "a container" start_container a "$cpu" "$mnt"
numbers ""
check "nproc" counts_one_cpu nproc
check "vmstat -d, iostat -d" disks_do
check "the container ends" end_box a

cpu=${cpus[0]} capacity=0.5
check "lxcfs starts with --enable-cfs" start_cfs
check "a container with a quota" start_container b "$(paste -sd, <<<"$(printf '%s\n' "${cpus[@]}")")" "$cfs"
numbers " with a quota"
check "the container with a quota ends" end_box b
check "lxcfs with --enable-cfs ends" end_cfs

check "a container with a clock of its own" start_container c "$cpu" "$mnt" -b "-$(cut -d. -f1 /proc/uptime)"
check "ps in a time namespace" ps_knows_ages
check "uptime in a time namespace" uptime_does
check "the container with a clock ends" end_box c
check "lxcfs stops" stop
finish
