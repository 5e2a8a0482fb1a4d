# shellcheck shell=bash
#
# mount: deployments in folders of the bench, mounted; sourced by scripts/bench.
# A place is a folder with the deployment in state and its mount in mnt.

label[ours_memory]='**convexfs**, memory-backed'
label[ours_disk]='**convexfs**, durable on disk'
label[ours_cat]='**convexfs**'
label[passthrough_cat]='`passthrough_ll` of the same file'

# wait_for_mount DIR PID: until DIR is mounted by the process PID.
wait_for_mount()
{
	local try

	for ((try = 0; try < 200; try++)); do
		mountpoint -q "$1" && ls "$1" >/dev/null && return
		kill -0 "$2" 2>/dev/null || break
		sleep 0.05
	done
	say "the mount of $1 did not come up"
	return 1
}

unmount()
{
	if mountpoint -q "$1" 2>/dev/null; then
		fusermount3 -u "$1" || fusermount3 -uz "$1"
	fi
}

# mount_ours PLACE [BUILD]: the deployment PLACE/state, at PLACE/mnt.
mount_ours()
{
	local place=$1

	mkdir -p "$place/mnt" "$place/cache"
	XDG_CACHE_HOME=$place/cache "${2-$build}/fs/convexfs" mount \
		"local:$place/state" "$place/mnt" -f >>"$log" 2>&1 &
	daemon[$place]=$!
	wait_for_mount "$place/mnt" "${daemon[$place]}"
}

unmount_ours()
{
	local place=$1

	unmount "$place/mnt"
	if [ -n "${daemon[$place]-}" ]; then
		wait "${daemon[$place]}"
		unset "daemon[$place]"
	fi
}

remount_ours()
{
	unmount_ours "$1"
	mount_ours "$1"
}

# An empty table users, however it was before.
clear_users()
{
	mkdir -p "$1/mnt/users" && : >"$1/mnt/users/documents.jsonl"
}

holds_rows()
{
	local found

	found=$(wc -l <"$1/mnt/users/documents.jsonl")
	[ "$found" = "$rows" ] && return
	say "$found documents instead of $rows"
	return 1
}

# The drop of a file into an empty table, committed when cp returns.
run_ours()
{
	clear_users "$1" && sync -f "$1" &&
		timed cp "$input" "$1/mnt/users/" && holds_rows "$1"
}

run_ours_memory()
{
	run_ours "$memory"
}

run_ours_disk()
{
	run_ours "$disk"
}

# The most memory a process has ever used, in KiB.
peak_of()
{
	awk '/^VmHWM:/ { print $2 }' "/proc/$1/status"
}
