#!/usr/bin/env bash
# From `convexfs mount` to the end of the daemon (C-1, C-3 to C-9): what it
# refuses, what it says, and what it leaves behind.
# shellcheck source=tests/mount/lib.sh disable=SC2119,SC2317
. "$(dirname "$0")/lib.sh"

# The daemons that use this case's cache folder; their folders are open.
list_daemons() {
	local comm pid
	for comm in /proc/[0-9]*/comm; do
		pid=${comm//[!0-9]/}
		[ "$(cat "$comm" 2>/dev/null)" = convexfs ] || continue
		! is_server "$pid" || continue
		# One that ends meanwhile is none.
		find "/proc/$pid/fd" -lname "$DIR/*" -printf "$pid\n" -quit \
			2>/dev/null || true
	done
}

is_server() {
	local pid
	for pid in "${held[@]}"; do
		[ "$pid" != "$1" ] || return 0
	done
	return 1
}

# mount_detached [WORD...]: as a user does it.
mount_detached() {
	mkdir -p "$MNT"
	"$CVX_BIN" mount "$@" "$MNT"
	list_daemons >>"$DIR/.daemons"
}

# mount_state [OPTION...]
mount_state() {
	select_deployment "$STATE"
	mount_detached "$@" "${DEPLOYMENT[@]}"
}

# A call that was wrong has made nothing. The folder of a server is there.
expect_no_state() {
	[ "$KIND" = remote ] || test ! -e "$STATE"
}

no_daemons() {
	[ -z "$(list_daemons)" ]
}

unmount_detached() {
	fusermount3 -u "$MNT"
	await 20 no_daemons
}

# expect_no_mount STATUS TEXT WORD...: refused, and nothing is left of it.
expect_no_mount() {
	local status=$1 text=$2
	shift 2
	expect_status "$status" "$CVX_BIN" mount "$@"
	expect_said "^convexfs: .*$text"
	expect_text "lines said" "$(wc -l <said)" 1
	! is_mounted "$MNT" || fail "mounted all the same"
	await 20 no_daemons
}

# --- C-3: going to the background ------------------------------------------

case_C3_mount_returns_when_it_answers() {
	mount_state
	expect_text "listing" "$(listing .)" "README.md _tables "
	seed t 1
	expect_rows t 1
	unmount_detached
	mount_state
	expect_rows t 1
	unmount_detached
}

case_C3_daemon_does_not_hold_the_callers_streams() {
	local said
	select_deployment "$STATE"
	mkdir "$MNT"
	mkfifo pipe
	# Both wait for the end of what the daemon would have open.
	timeout 20 cat <pipe &
	said=$("$CVX_BIN" mount "${DEPLOYMENT[@]}" "$MNT" 2>&1 7>pipe)
	list_daemons >>"$DIR/.daemons"
	wait $!
	expect_text "what mount said" "$said" ""
	unmount_detached
}

case_C3_daemon_keeps_no_folder_busy() {
	embedded_only "a folder is named from where one is"
	mkdir from
	(cd from && mount_detached "local:../state")
	expect_text "state folder" "$(ls -d "$STATE")" "$STATE"
	expect_text "working folder" "$(readlink "/proc/$(list_daemons)/cwd")" /
	unmount_detached
}

end_of_foreground() {
	start_mount
	"$@"
	await_daemon "$DAEMON"
	! is_mounted "$MNT" || fail "still mounted"
}
signal_daemon() {
	kill "-$1" "$DAEMON"
}
add_case C3_foreground_ends_by_SIGTERM end_of_foreground signal_daemon TERM
add_case C3_foreground_ends_by_SIGINT end_of_foreground signal_daemon INT
add_case C3_foreground_ends_by_SIGHUP end_of_foreground signal_daemon HUP

case_C3_foreground_ends_by_unmounting() {
	start_mount
	stop_mount
}

case_C3_background_ends_by_SIGTERM() {
	mount_state
	kill -TERM "$(list_daemons)"
	await 20 no_daemons
	! is_mounted "$MNT" || fail "still mounted"
}

# The second kind takes a snapshot for each.
case_C3_mounts_and_unmounts_many_times() {
	local i rounds
	rounds=$(of_kind 20 5)
	for ((i = 0; i < rounds; i++)); do
		mount_state
		test -e "$MNT/README.md"
		fusermount3 -u "$MNT"
	done
	await 20 no_daemons
}

# --- C-3: the mount helper -------------------------------------------------

case_C3_mount_helper_reads_what_mount_gives_it() {
	select_deployment "$STATE"
	mkdir "$MNT"
	ln -s "$CVX_BIN" mount.convexfs
	./mount.convexfs "$SHOWN" "$MNT" -n -o \
		rw,noexec,nosuid,_netdev,nofail,user,x-systemd.automount,mode=append
	list_daemons >>"$DIR/.daemons"
	seed t 1
	echo '{"n":2}' >"$MNT/t/more.jsonl"
	expect_numbers t 1 2
	expect_match mountinfo "$(grep -F " $MNT " /proc/self/mountinfo)" \
		" fuse\.convexfs $SHOWN "
	unmount_detached
}

case_C3_mount_helper_only_checks_with_fake() {
	select_deployment "$STATE"
	mkdir "$MNT"
	ln -s "$CVX_BIN" mount.convexfs
	./mount.convexfs "$SHOWN" "$MNT" -f
	! is_mounted "$MNT" || fail "mounted"
	expect_status 1 ./mount.convexfs "$SHOWN" "$MNT" -f -o nonsense
	expect_said "unknown option 'nonsense'"
}

# --- C-1: which deployment -------------------------------------------------

case_C1_without_source_is_the_local_one() {
	embedded_only "nothing selects a deployment elsewhere"
	mount_detached
	seed t 1
	unmount_detached
	test -d "$XDG_DATA_HOME/convexfs/local"
	mount_detached local
	expect_rows t 1
	unmount_detached
}

# What is selected and cannot be reached is an error, whatever says it.
case_C1_another_deployment_is_never_replaced() {
	embedded_only "deployments elsewhere that cannot be reached"
	mkdir "$MNT"
	export CONVEX_PROVISION_HOST=nowhere
	expect_no_mount 1 'no key for this URL' \
		https://happy-otter-123.convex.cloud "$MNT"
	expect_no_mount 1 CONVEX_PROVISION_HOST happy-otter-123 "$MNT"
	CONVEX_DEPLOYMENT=dev:happy-otter-123 \
		expect_no_mount 1 CONVEX_PROVISION_HOST "$MNT"
	CONVEX_DEPLOY_KEY='prod:x|SECRET' \
		expect_no_mount 1 CONVEX_PROVISION_HOST "$MNT"
	CONVEX_DEPLOY_KEY='SECRET' expect_no_mount 1 CONVEX_DEPLOY_KEY "$MNT"
	! grep -q SECRET said || fail "a key was repeated"
	echo 'CONVEX_SELF_HOSTED_URL=http://127.0.0.1:3210' >.env.local
	expect_no_mount 1 'CONVEX_SELF_HOSTED_URL in .env.local' "$MNT"
	test ! -e "$XDG_DATA_HOME"
	mount_detached local
	unmount_detached
}

# --- mount points ----------------------------------------------------------

case_C3_mount_point_must_be_a_folder() {
	select_deployment "$STATE"
	touch file
	expect_no_mount 1 "mkdir $DIR/absent" "${DEPLOYMENT[@]}" "$DIR/absent"
	expect_no_mount 1 'not a folder' "${DEPLOYMENT[@]}" "$DIR/file"
	expect_no_state
}

case_C3_folder_need_not_be_empty() {
	mkdir "$MNT"
	echo mine >"$MNT/file"
	mount_state
	test ! -e "$MNT/file"
	unmount_detached
	expect_text "the folder's file" "$(cat "$MNT/file")" mine
}

case_C3_second_mount_on_the_same_folder_is_refused() {
	local odd="$DIR/a b\\c"
	start_mount
	expect_status 1 "$CVX_BIN" mount "${DEPLOYMENT[@]}" "$MNT"
	expect_said "mounted already \($SHOWN\).*fusermount3 -u $MNT"
	ln -s "$MNT" link
	expect_status 1 "$CVX_BIN" mount "${DEPLOYMENT[@]}" link
	expect_said "mounted already"
	expect_alive
	start_mount_odd "$odd"
	expect_status 1 "$CVX_BIN" mount "${DEPLOYMENT[@]}" "$odd"
	expect_said "mounted already"
	fusermount3 -u "$odd"
}
# A name that /proc escapes, which the library does not look for.
start_mount_odd() {
	mkdir "$1"
	"$CVX_BIN" mount "${DEPLOYMENT[@]}" "$1"
	test -e "$1/README.md"
}

case_C3_a_deployment_that_the_mount_would_hide_is_refused() {
	embedded_only "deployments elsewhere have no folder here"
	mkdir "$MNT"
	expect_no_mount 1 'lies in the mount point' "local:$MNT" "$MNT"
	expect_no_mount 1 'lies in the mount point' "local:$MNT/a/b" "$MNT"
}

case_C3_what_the_mount_would_hide_is_refused() {
	mkdir "$MNT"
	select_deployment "$STATE"
	expect_no_mount 1 'cache_dir .* lies in the mount point' \
		-o "cache_dir=$MNT/c" "${DEPLOYMENT[@]}" "$MNT"
	expect_no_mount 1 'log .* lies in the mount point' \
		-o "log=$MNT/log" "${DEPLOYMENT[@]}" "$MNT"
}

case_C8_dead_mount_is_named_with_the_command_that_clears_it() {
	start_mount
	seed t 1 2
	kill -KILL "$DAEMON"
	wait "$DAEMON" 2>/dev/null || :
	unset "daemons[$DAEMON]"
	expect_status 6 "$CVX_BIN" mount "${DEPLOYMENT[@]}" "$MNT"
	expect_said "^convexfs: $MNT .*: fusermount3 -u $MNT\$"
	eval "$(sed 's/.*: //' said)"
	start_mount
	expect_numbers t 1 2
}

# --- C-4 to C-7: options ---------------------------------------------------

case_C4_unknown_option_names_the_closest() {
	select_deployment "$STATE"
	mkdir "$MNT"
	expect_no_mount 1 "did you mean 'allow_delete'" -o alow_delete \
		"${DEPLOYMENT[@]}" "$MNT"
	expect_no_state
}

case_C4_read_only() {
	start_mount
	seed t 1
	stop_mount
	start_mount -o ro
	expect_rows t 1
	expect_refused 'Read-only file system' cp /etc/hostname "$MNT/t/a.csv"
	expect_refused 'Read-only file system' mkdir "$MNT/u"
}

case_C4_owner_and_permissions() {
	need_root
	start_mount -o uid=12,gid=34,umask=027
	seed t 1
	expect_text "root" "$(stat -c '%u %g %a' "$MNT")" "12 34 750"
	expect_text "table" "$(stat -c '%u %g %a' "$MNT/t")" "12 34 750"
	expect_text "documents" "$(stat -c '%u %g %a' "$MNT/t/documents.jsonl")" \
		"12 34 640"
}

case_C4_mode_of_drops() {
	start_mount -o mode=append
	seed t 1
	echo '{"n":2}' >"$MNT/t/a.jsonl"
	expect_numbers t 1 2
	stop_mount
	start_mount -o mode=replace
	echo '{"n":3}' >"$MNT/t/a.jsonl"
	expect_numbers t 3
}

case_C4_component_that_is_not_there() {
	select_deployment "$STATE"
	mkdir "$MNT"
	expect_no_mount 1 waitlist -o component=waitlist "${DEPLOYMENT[@]}" "$MNT"
}

case_C4_log_goes_to_the_file() {
	mount_state -o "log=$DIR/log"
	unmount_detached
	expect_match log "$(cat log)" \
		"info: .*${SHOWN#local:}: mounted at $MNT" \
		"info: .*${SHOWN#local:}: the mount at $MNT ends"
	expect_text "its mode" "$(stat -c %a log)" 600
	expect_no_mount 6 'absent/log' -o "log=$DIR/absent/log" \
		"${DEPLOYMENT[@]}" "$MNT"
}

case_C4_cache_folder_is_private() {
	mkdir -m 777 shared
	mount_state -o "cache_dir=$DIR/shared"
	expect_text "modes" \
		"$(find shared -mindepth 1 -type d -printf '%m\n' | sort -u)" 700
	unmount_detached
}

case_C5_secrets_are_refused_and_not_repeated() {
	select_deployment "$STATE"
	mkdir "$MNT"
	expect_no_mount 1 'command line' -o admin_key=SECRET "${DEPLOYMENT[@]}" \
		"$MNT"
	! grep -q SECRET said || fail "the key was repeated"
	expect_no_mount 1 'command line' --admin-key SECRET "${DEPLOYMENT[@]}" "$MNT"
	! grep -q SECRET said || fail "the key was repeated"
}

# as_nobody COMMAND...: who gets as far as the mount point.
as_nobody() {
	need_root
	chmod 711 "$(dirname "$DIR")"
	chmod 755 "$DIR"
	setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
}

case_C7_others_cannot_enter() {
	start_mount
	as_nobody ls "$DIR" >got
	expect_match "their view" "$(cat got)" '^mnt$'
	expect_refused 'Permission denied' as_nobody ls "$MNT"
}

case_C7_others_enter_with_allow_other() {
	need_root
	start_mount -o allow_other
	seed t 1
	as_nobody cat "$MNT/t/documents.jsonl" >got
	expect_text "rows" "$(wc -l <got)" 1
	expect_refused 'Permission denied' as_nobody mkdir "$MNT/u"
}

# --- C-9: trouble ----------------------------------------------------------

case_C9_statuses_of_wrong_calls() {
	embedded_only "there is no deployment in it"
	expect_status 1 "$CVX_BIN"
	expect_status 1 "$CVX_BIN" mont
	expect_said "did you mean 'mount'"
	expect_status 1 "$CVX_BIN" mount
	expect_said 'the mount point is missing'
	expect_status 0 "$CVX_BIN" --help
	expect_said '^  mount '
	expect_status 0 "$CVX_BIN" --version
	expect_said '^convexfs [0-9]'
	expect_status 0 "$CVX_BIN" mount --help
	expect_said '^  mode=MODE '
}

case_C9_deployment_in_a_file() {
	embedded_only "deployments elsewhere have no folder here"
	mkdir "$MNT"
	touch file
	expect_no_mount 6 "$DIR/file" "local:$DIR/file" "$MNT"
}

case_C9_deployment_folder_that_cannot_be_written() {
	embedded_only "deployments elsewhere have no folder here"
	need_root
	mkdir "$MNT" "$STATE"
	start_mount
	seed t 1
	stop_mount
	mount --bind "$STATE" "$STATE"
	mount -o remount,ro,bind "$STATE"
	expect_no_mount 6 '-o ro' "${DEPLOYMENT[@]}" "$MNT"
	umount "$STATE"
	mount_state
	expect_rows t 1
	unmount_detached
}

case_C9_cache_folder_that_cannot_be_made() {
	select_deployment "$STATE"
	mkdir "$MNT"
	touch file
	expect_no_mount 6 "$DIR/file" -o "cache_dir=$DIR/file" "${DEPLOYMENT[@]}" \
		"$MNT"
}

# F-1: the disk of the staged bytes is full.
case_C9_full_spool_is_ENOSPC_and_changes_nothing() {
	need_root
	mkdir small
	mount -t tmpfs -o size=4m none small
	start_mount -o "cache_dir=$DIR/small"
	seed t 1 2
	make_rows 1 100000 >large.jsonl
	expect_refused 'No space left on device' \
		cp large.jsonl "$MNT/t/documents.jsonl"
	expect_numbers t 1 2
	rm -f "$MNT/t/documents.jsonl.rejected" "$MNT/t/documents.jsonl.error"
	seed t 3
	expect_numbers t 3
	stop_mount
	umount small
}

run_cases "$@"
