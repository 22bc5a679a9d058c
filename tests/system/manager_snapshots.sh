#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Snapshots, copies, moves, publication, backups and schedules with the real client, on a dir and a
# btrfs pool, and a daemon that is killed inside each of them.
# usage: manager_snapshots.sh BUILD    (root; speaks TAP)
# shellcheck disable=SC1091,SC2034,SC2154,SC2317 # the library has or wants them; check calls its
# functions by name
. "$(dirname "$0")/manager_lib.bash"
needs lxc curl jq mkfs.btrfs busybox
dir=$(mktemp -d)
chmod 0711 "$dir" # containers are below it
all_in_dir
patience=60

cleanup() {
	local name
	for name in $(timeout 30 lxc list -f csv -c n 2>/dev/null </dev/null); do
		timeout 60 lxc delete -f "$name" </dev/null >/dev/null 2>&1
	done
	timeout 60 lxc storage delete bt </dev/null >/dev/null 2>&1
	[ -z "$lxd" ] || kill "$lxd" 2>/dev/null
	wait 2>/dev/null
	umount -l "$LXD_DIR"/storage-pools/* "$LXD_DIR/shmounts" "$LXD_DIR/devlxd" 2>/dev/null
	rm -rf "$dir"
}
trap cleanup EXIT

lxc() {
	timeout 120 lxc "$@"
}

root() { # NAME [PROJECT_]: where its files are
	echo "$LXD_DIR/containers/$1/rootfs"
}

snapshots() { # NAME
	api GET "/1.0/instances/$1/snapshots?recursion=1" | jq -r '.metadata[].name' | tr '\n' ' '
}

# --- snapshots --------------------------------------------------------------------------

make_one() { # POOL
	lxc init bb c1 -s "$1" && touch "$(root c1)/a" && lxc snapshot c1 &&
		touch "$(root c1)/b" && lxc snapshot c1 s1 && touch "$(root c1)/c" &&
		[ "$(snapshots c1)" = 'snap0 s1 ' ] &&
		refused 'already exists' lxc snapshot c1 s1 &&
		refused 'Cannot contain' lxc snapshot c1 'x y'
}

rename_delete() {
	lxc rename c1/snap0 c1/old && [ "$(snapshots c1)" = 'old s1 ' ] &&
		lxc snapshot c1 gone && lxc delete c1/gone && [ "$(snapshots c1)" = 'old s1 ' ] &&
		refused 'InstanceSnapshot not found' lxc query /1.0/instances/c1/snapshots/gone
}

expiry() {
	local url=/1.0/instances/c1/snapshots
	lxc config set c1 snapshots.expiry=1d && lxc snapshot c1 e &&
		[ "$(api GET "$url/e" | jq '.metadata | (.expires_at[0:19] + "Z" | fromdate) -
			(.created_at[0:19] + "Z" | fromdate)')" -ge 86399 ] &&
		lxc query --wait -X PUT -d '{"expires_at": "2031-02-03T04:05:06Z"}' "$url/e" &&
		[ "$(api GET "$url/e" | jq -r .metadata.expires_at)" = 2031-02-03T04:05:06Z ] &&
		lxc query --wait -X PATCH -d '{}' "$url/e" &&
		[ "$(api GET "$url/e" | jq -r .metadata.expires_at)" = 2031-02-03T04:05:06Z ] &&
		lxc delete c1/e && lxc config unset c1 snapshots.expiry
}

pattern() {
	lxc config set c1 snapshots.pattern "d-{{ creation_date|date:'2006-01-02' }}" &&
		lxc snapshot c1 && lxc snapshot c1 &&
		[ "$(snapshots c1)" = "old s1 d-$(date +%F) d-$(date +%F)-0 " ] &&
		lxc delete "c1/d-$(date +%F)" && lxc delete "c1/d-$(date +%F)-0" &&
		lxc config unset c1 snapshots.pattern
}

restore() {
	lxc config set c1 user.now=1 && lxc restore c1 old &&
		[ -e "$(root c1)/a" ] && [ ! -e "$(root c1)/b" ] &&
		[ -z "$(lxc config get c1 user.now)" ] &&
		lxc restore c1 s1 && [ -e "$(root c1)/b" ] && [ ! -e "$(root c1)/c" ] &&
		refused 'does not exist' lxc restore c1 none
}

running() {
	lxc start c1 && lxc snapshot c1 live && lxc restore c1 live &&
		[ "$(lxc list -f csv -c s c1)" = RUNNING ] && lxc stop -f c1 && lxc delete c1/live
}

# --- copies and moves ----------------------------------------------------------------------

copies() { # OTHER POOL
	lxc copy c1 c2 && [ "$(snapshots c2)" = 'old s1 ' ] && [ -e "$(root c2)/b" ] &&
		lxc copy c1/old c3 && [ ! -e "$(root c3)/b" ] && [ -e "$(root c3)/a" ] &&
		lxc copy c1 c4 -s "$1" --instance-only && [ -z "$(snapshots c4)" ] &&
		[ -e "$LXD_DIR/storage-pools/$1/containers/c4/rootfs/b" ] &&
		refused 'already exists' lxc copy c1 c2 &&
		refused 'Instance not found' lxc copy c0 c9 &&
		[ "$(lxc config get c1 volatile.uuid)" != "$(lxc config get c2 volatile.uuid)" ]
}

refresh() { # OTHER POOL
	touch "$(root c1)/later" && lxc snapshot c1 s2 && lxc delete c1/old &&
		lxc copy c1 c2 --refresh && [ "$(snapshots c2)" = 's1 s2 ' ] &&
		[ -e "$(root c2)/later" ] &&
		lxc copy c1 c4 --refresh -s "$1" && [ "$(snapshots c4)" = 's1 s2 ' ] &&
		lxc restore c4 s1 && [ ! -e "$(root c4)/later" ]
}

moves() { # POOL OTHER POOL
	lxc move c2 -s "$2" && [ -e "$LXD_DIR/storage-pools/$2/containers/c2/rootfs/b" ] &&
		[ ! -e "$LXD_DIR/storage-pools/$1/containers/c2" ] &&
		[ "$(snapshots c2)" = 's1 s2 ' ] && lxc restore c2 s1 &&
		lxc project create pr -c features.profiles=false -c features.images=false &&
		lxc copy c1 c1 --target-project pr && lxc move c3 --target-project pr &&
		[ "$(lxc list --project pr -f csv -c n | tr '\n' ' ')" = 'c1 c3 ' ] &&
		[ -e "$(root pr_c3)/a" ] && [ ! -e "$(root c3)" ] &&
		lxc delete --project pr c1 && lxc delete --project pr c3 && lxc project delete pr &&
		lxc start c4 && refused 'must not be running' lxc query --wait -X POST \
			-d "{\"migration\": true, \"pool\": \"$1\"}" /1.0/instances/c4 &&
		lxc stop -f c4
}

# --- images and backups -----------------------------------------------------------------------

publishes() {
	lxc publish c1 --alias mine --public one=two && lxc publish c1/s1 --alias snap &&
		[ "$(lxc image get-property mine one)" = two ] &&
		lxc launch mine p1 && lxc exec p1 -- test -e /later &&
		[ "$(lxc exec p1 -- stat -c %u /bin/busybox)" = 0 ] &&
		lxc exec p1 -- chown 1000:1000 /later && refused 'currently running' lxc publish p1 &&
		lxc publish p1 --force --alias again --compression zstd &&
		lxc delete -f p1 && lxc init again p2 &&
		[ "$(stat -c %u "$(root p2)/later")" = 1000 ] && lxc delete p2 &&
		lxc image delete again && lxc image delete mine && lxc image delete snap
}

backups() { # OTHER POOL
	lxc export c1 "$dir/c1.tgz" && [ "$(tar tf "$dir/c1.tgz" | head -n 1)" = backup/index.yaml ] &&
		lxc import "$dir/c1.tgz" i1 && [ "$(snapshots i1)" = 's1 s2 ' ] &&
		lxc import "$dir/c1.tgz" i2 -s "$1" && lxc restore i2 s1 &&
		[ ! -e "$LXD_DIR/storage-pools/$1/containers/i2/rootfs/later" ] &&
		refused 'already exists' lxc import "$dir/c1.tgz" &&
		lxc start i2 && lxc delete -f i2 && lxc delete i1 &&
		lxc export c1 "$dir/only.tzst" --instance-only --compression zstd &&
		lxc import "$dir/only.tzst" i3 && [ -z "$(snapshots i3)" ] && lxc delete i3 &&
		[ -z "$(api GET /1.0/instances/c1/backups | jq -r '.metadata[]')" ]
}

hostile() { # archives that want out
	rm -rf "$dir/bad" && mkdir -p "$dir/bad/backup/container/rootfs" &&
		tar -C "$dir" -xOf "$dir/c1.tgz" backup/index.yaml >"$dir/index" &&
		sed 's/^- s1$/- ..\/..\/x/' "$dir/index" >"$dir/bad/backup/index.yaml" &&
		tar -C "$dir/bad" -cf "$dir/bad.tar" backup/index.yaml backup/container &&
		refused 'Cannot contain' lxc import "$dir/bad.tar" h1 &&
		sed '/^- s[12]$/d; s/^snapshots:$/snapshots: []/' "$dir/index" \
			>"$dir/bad/backup/index.yaml" &&
		ln -s "$dir" "$dir/bad/backup/container/rootfs/out" &&
		tar -C "$dir/bad" -cf "$dir/bad.tar" backup/index.yaml backup/container &&
		rm "$dir/bad/backup/container/rootfs/out" &&
		mkdir "$dir/bad/backup/container/rootfs/out" &&
		touch "$dir/bad/backup/container/rootfs/out/escaped" &&
		tar -C "$dir/bad" -rf "$dir/bad.tar" backup/container/rootfs/out/escaped || return 1
	lxc import "$dir/bad.tar" h1
	[ ! -e "$dir/escaped" ] || return 1
	lxc delete h1 2>/dev/null
	tar -C "$dir/bad" -cf "$dir/bad.tar" --transform 's,backup/container/rootfs/out,../../../up,' \
		backup/index.yaml backup/container/rootfs/out/escaped
	lxc import "$dir/bad.tar" h1
	[ -z "$(find "$dir" -path "$dir/bad" -prune -o -name escaped -print)" ] || return 1
	lxc delete h1 2>/dev/null
	head -c 100000 /dev/urandom >"$dir/bad.tar"
	refused 'backup/index.yaml' lxc import "$dir/bad.tar" h1 &&
		! lxc info h1 && [ ! -e "$LXD_DIR/containers/h1" ]
}

backup_objects() {
	lxc query --wait -X POST -d '{"name": "x"}' /1.0/instances/c1/backups &&
		lxc query --wait -X POST -d '{"name": "y"}' /1.0/instances/c1/backups/x &&
		lxc rename c1 r1 &&
		[ "$(api GET /1.0/instances/r1/backups | jq -r '.metadata[]')" = \
			/1.0/instances/r1/backups/y ] &&
		api GET /1.0/instances/r1/backups/y/export -f -o "$dir/y" &&
		tar tf "$dir/y" >"$dir/names" && grep -q '^backup/snapshots/s1/' "$dir/names" &&
		lxc rename r1 c1 && lxc query --wait -X DELETE /1.0/instances/c1/backups/y &&
		[ -z "$(find "$LXD_DIR/backups" -type f)" ]
}

# --- by the clock --------------------------------------------------------------------------

at_start() {
	lxc config set c1 snapshots.schedule=@startup && lxc start c1 && lxc stop -f c1 &&
		snapshots c1 | grep -q snap0 && lxc delete c1/snap0 &&
		lxc config unset c1 snapshots.schedule
}

by_minute() { # one is made, and one that is past its time goes
	local end=$((SECONDS + 75))
	lxc snapshot c1 past && lxc query --wait -X PUT -d '{"expires_at": "2020-01-01T00:00:00Z"}' \
		/1.0/instances/c1/snapshots/past &&
		lxc config set c1 snapshots.schedule='* * * * *' snapshots.schedule.stopped=true || return 1
	until snapshots c1 | grep -q snap0; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 1
	done
	lxc config unset c1 snapshots.schedule && ! snapshots c1 | grep -q past &&
		lxc delete c1/snap0
}

# --- killed -----------------------------------------------------------------------------------

# Rows and disk say the same: every instance and snapshot has its volume and nothing else is there.
in_order() {
	local pool names disk
	for pool in default bt; do
		names=$(api GET '/1.0/instances?recursion=1' | jq -r ".metadata[] |
			select(.expanded_devices.root.pool == \"$pool\") | .name" | sort)
		disk=$(find "$LXD_DIR/storage-pools/$pool/containers" -mindepth 1 -maxdepth 1 \
			-printf '%f\n' | sort)
		[ "$names" = "$disk" ] || { echo "$pool: rows $names; disk $disk"; return 1; }
		for name in $names; do
			disk=$(find "$LXD_DIR/storage-pools/$pool/containers-snapshots/$name" \
				-mindepth 1 -maxdepth 1 -printf '%f\n' 2>/dev/null | sort | tr '\n' ' ')
			names=$(snapshots "$name" | tr ' ' '\n' | sed '/^$/d' | sort | tr '\n' ' ')
			[ "$names" = "$disk" ] || { echo "$name: rows $names; disk $disk"; return 1; }
		done
	done
	disk=$(find "$LXD_DIR/backups" -type f | wc -l)
	[ "$disk" = 0 ] || { echo "backups: $disk files"; return 1; }
}

# KILLS COMMAND...: the daemon dies in the middle of it
killed_in() {
	local n=$1
	shift
	while [ $((n--)) -gt 0 ]; do
		"$@" >/dev/null 2>&1 </dev/null &
		sleep "0.$(printf %03d $((RANDOM % 300 + 5)))"
		kill_lxd
		wait $! 2>/dev/null
		start_lxd && in_order || return 1
		lxc delete k1 2>/dev/null
		lxc delete c1/k 2>/dev/null
	done
	return 0
}

move_there_and_back() {
	lxc move k2 -s bt
	lxc move k2 -s default
}

mkdir -p "$LXD_DIR"
"$make_image" "$dir/image" none || exit 1
start_lxd || bail_out "the daemon does not start"
if ! { lxc storage create default dir </dev/null >/dev/null 2>&1 &&
	lxc storage create bt btrfs size=300MB </dev/null >/dev/null &&
	lxc profile device add default root disk path=/ pool=default </dev/null >/dev/null &&
	lxc image import "$dir/image" --alias bb </dev/null >/dev/null; }; then
	bail_out "no pools"
fi

for pool in default bt; do
	other=bt
	[ "$pool" = default ] || other=default
	check "$pool: made" make_one "$pool"
	check "$pool: renamed and deleted" rename_delete
	check "$pool: dated" expiry
	check "$pool: named by a pattern" pattern
	check "$pool: gone back to" restore
	check "$pool: of one that runs" running
	check "$pool: copied" copies "$other"
	check "$pool: brought up to date" refresh "$other"
	check "$pool: moved" moves "$pool" "$other"
	check "$pool: published" publishes
	check "$pool: exported and imported" backups "$other"
	check "$pool: a backup is an object" backup_objects
	check "$pool: at its start" at_start
	if [ "$pool" = default ]; then
		check "archives that want out" hostile
		check "by the minute" by_minute
		lxc delete c1 </dev/null
		lxc delete c2 </dev/null
		lxc delete c4 </dev/null
	fi
done
check "rows and disks agree" in_order
head -c 30M /dev/urandom >"$(root c1)/big"
lxc copy c1 k2 -s default </dev/null
check "killed in a snapshot" killed_in 4 lxc snapshot k2 k
check "killed in a restore" killed_in 4 lxc restore k2 s1
check "killed in a copy" killed_in 4 lxc copy c1 k1 -s default
check "killed in a move" killed_in 4 move_there_and_back
check "killed in a publication" killed_in 3 lxc publish c1 --alias k
check "killed in an export" killed_in 3 lxc export c1 "$dir/k.tgz"
check "killed in an import" killed_in 4 lxc import "$dir/c1.tgz" k1
finish
