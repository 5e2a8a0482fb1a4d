#!/usr/bin/env bash
# Full disks, folders that cannot be written, other users, large files.
# shellcheck source=tests/mount/lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"

# A disk of so many bytes at a folder of the case.
small_disk() {
	need_root
	need mount
	mkdir -p "$2"
	mount -t tmpfs -o "size=$1" small "$2"
}

# --- F: ENOSPC ---

case_F_full_spool_disk_is_ENOSPC() {
	small_disk 1m "$DIR/small"
	start_mount -o "cache_dir=$DIR/small"
	make_rows 1 30000 >large.jsonl
	make_rows 1 1000 >good.jsonl
	seed t 1 2
	mark
	expect_refused 'No space left' cp large.jsonl "$MNT/t/documents.jsonl"
	expect_numbers t 1 2
	expect_alive
	expect_match "last error" "$(last_error)" 'No space|full|room'
	expect_refused 'No space left' cp large.jsonl "$MNT/t/scratch"
	rm -f "$MNT/t/scratch"
	# There is room again.
	cp good.jsonl "$MNT/t/documents.jsonl"
	numbers t | cmp - <(seq 1000)
}

# That of the staged bytes, where the deployment's is another.
case_T8_statfs_is_that_of_the_spools_disk() {
	small_disk 1m "$DIR/small"
	start_mount -o "cache_dir=$DIR/small"
	expect_text "size" "$(stat -f -c '%b * %S' "$MNT" | xargs expr)" 1048576
	exec 5>"$MNT/.scratch"
	head -c 500000 /dev/zero >&5
	[ "$(stat -f -c '%a * %S' "$MNT" | xargs expr)" -le 548576 ] ||
		fail "what is staged takes no room"
	exec 5>&-
}

case_F_full_spool_disk_and_a_redirection() {
	small_disk 1m "$DIR/small"
	start_mount -o "cache_dir=$DIR/small"
	make_rows 1 30000 >large.jsonl
	seed t 1 2
	expect_refused 'No space left' \
		bash -c 'cat large.jsonl >"$1"' _ "$MNT/t/documents.jsonl"
	expect_numbers t 1 2
	expect_refused 'No space left' \
		bash -c 'cat large.jsonl >>"$1"' _ "$MNT/t/documents.jsonl"
	expect_numbers t 1 2
	seed t 3
	expect_numbers t 3
}

case_F_full_state_disk() {
	small_disk 2m "$DIR/disk"
	mkdir "$DIR/spool"
	STATE=$DIR/disk/state
	start_mount -o "cache_dir=$DIR/spool"
	make_rows 1 30000 >large.jsonl
	seed t 1 2
	# A deployment elsewhere tells why an import failed in words.
	expect_refused "$(of_kind 'No space left' 'Remote I/O error')" \
		cp large.jsonl "$MNT/t/documents.jsonl"
	expect_numbers t 1 2
	expect_alive
	expect_match "last error" "$(last_error)" 'No space|full|room'
	seed t 3
	expect_numbers t 3
	stop_mount
	start_mount -o "cache_dir=$DIR/spool"
	expect_numbers t 3
}

case_F_full_state_disk_for_a_stored_file() {
	small_disk 2m "$DIR/disk"
	mkdir "$DIR/spool"
	STATE=$DIR/disk/state
	start_mount -o "cache_dir=$DIR/spool"
	seq 1 1000000 >large.txt
	echo small >small.txt
	cp small.txt "$MNT/_storage/"
	expect_refused "$(of_kind 'No space left' 'Remote I/O error')" \
		cp large.txt "$MNT/_storage/"
	expect_reject _storage/large.txt large.txt
	cp small.txt "$MNT/_storage/"
	expect_text "files" "$(wc -l <"$MNT/_storage/documents.jsonl")" 2
	# Nothing of it is left.
	expect_text "bytes" "$(find "$STATE/files" "$STATE/stage" -type f \
		-printf '%s\n' | sort | uniq -c | xargs)" "2 6"
}

# Filled by someone else, to the last byte.
case_F_state_disk_without_any_room() {
	small_disk 2m "$DIR/disk"
	mkdir "$DIR/spool"
	STATE=$DIR/disk/state
	start_mount -o "cache_dir=$DIR/spool"
	seed t 1 2
	cat /dev/zero >"$DIR/disk/filler" 2>/dev/null || :
	echo '{"n":3}' >in
	expect_status fails cp in "$MNT/t/documents.jsonl"
	expect_numbers t 1 2
	expect_alive
	rm "$DIR/disk/filler"
	cp in "$MNT/t/documents.jsonl"
	expect_numbers t 3
}

# --- folders ---

case_C_state_folder_that_cannot_be_written() {
	embedded_only "deployments elsewhere have no folder here"
	small_disk 2m "$DIR/disk"
	STATE=$DIR/disk/state
	start_mount
	seed t 1
	stop_mount
	mount -o remount,ro "$DIR/disk"
	expect_status fails timeout 20 "$CVX_BIN" mount -f "local:$STATE" "$MNT"
	expect_said 'convexfs: .*Read-only'
	is_mounted "$MNT" && fail "mounted"
	mount -o remount,rw "$DIR/disk"
	start_mount
	expect_numbers t 1
}

case_C_read_only_mount_of_a_folder_that_cannot_be_written() {
	embedded_only "deployments elsewhere have no folder here"
	small_disk 2m "$DIR/disk"
	mkdir "$DIR/spool"
	STATE=$DIR/disk/state
	start_mount
	seed t 1
	stop_mount
	mount -o remount,ro "$DIR/disk"
	start_mount -o "ro,cache_dir=$DIR/spool"
	expect_numbers t 1
	imports | grep -q completed
	expect_status fails cp "$DIR/.seed" "$MNT/t/documents.jsonl"
	expect_numbers t 1
}

case_C_mount_point_that_is_no_folder() {
	select_deployment "$STATE"
	echo x >file
	expect_status fails timeout 20 "$CVX_BIN" mount -f \
		"${DEPLOYMENT[@]}" "$DIR/file"
	expect_said 'convexfs: .*file'
	expect_status fails timeout 20 "$CVX_BIN" mount -f \
		"${DEPLOYMENT[@]}" "$DIR/nowhere"
	expect_said 'convexfs: .*nowhere'
}

case_C_state_that_is_no_folder() {
	embedded_only "deployments elsewhere have no folder here"
	mkdir "$MNT"
	echo x >file
	expect_status fails timeout 20 "$CVX_BIN" mount -f "local:$DIR/file" \
		"$MNT"
	expect_said 'convexfs: .*file'
}

# --- C-7, C-5 ---

as_nobody() {
	setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}

case_C7_only_the_mounting_user_enters() {
	need_root
	need setpriv
	chmod 755 "$DIR"
	chmod 711 "$(dirname "$DIR")"
	start_mount
	seed t 1
	expect_refused 'Permission denied' as_nobody ls "$MNT"
	expect_refused 'Permission denied' as_nobody cat "$MNT/t/documents.jsonl"
	stop_mount
	start_mount -o allow_other
	as_nobody cat "$MNT/t/documents.jsonl" | cmp - "$MNT/t/documents.jsonl"
	# The files are the mounting user's: readable, not writable.
	expect_refused 'Permission denied' \
		as_nobody cp "$DIR/.seed" "$MNT/t/documents.jsonl"
	expect_numbers t 1
}

case_C7_owner_and_mask() {
	need_root
	need setpriv
	chmod 755 "$DIR"
	chmod 711 "$(dirname "$DIR")"
	start_mount -o allow_other,uid=65534,gid=65534,umask=077
	seed t 1
	expect_text "owner" \
		"$(stat -c '%u %g %a' "$MNT/t/documents.jsonl")" \
		"65534 65534 600"
	expect_text "owner" "$(stat -c '%u %g %a' "$MNT/t")" "65534 65534 700"
	as_nobody sh -c 'echo "{\"n\":2}" >>"$1"' sh "$MNT/t/documents.jsonl"
	expect_numbers t 1 2
}

case_C5_keys_are_nowhere() {
	local secret=0123456789secret
	[ "$KIND" = remote ] ||
		export CONVEX_DEPLOY_KEY="dev:calm-otter-123%7C$secret"
	start_mount
	[ "$KIND" = embedded ] || secret=${KEY#*|}
	unset CONVEX_DEPLOY_KEY
	echo '{' >"$MNT/t.jsonl"
	tr '\0' ' ' <"/proc/$DAEMON/cmdline" >"$DIR/cmdline"
	cat "$MNT/README.md" "$MNT"/.convex/*.json* "$MNT/.convex/last-error" \
		"$MNT"/*.error "$DIR"/.log.* "$DIR/cmdline" >all
	grep -q 'row 1' all
	grep -F "$secret" all && fail "a key is told"
	return 0
}

# --- large files, many files ---

case_W1_memory_does_not_grow_with_the_file() {
	start_mount
	local idle peak limit=$((64 << 10))
	# What is read from elsewhere comes with ids: 24 bytes a row.
	[ "$KIND" != remote ] || limit=$((limit + 600000 * 24 / 1024))
	make_rows 1 20000 >part
	for _ in $(seq 30); do cat part; done >large.jsonl
	mkdir "$MNT/t"
	echo '{}' >"$MNT/t/documents.jsonl"
	idle=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' \
		"/proc/$DAEMON/status")
	cp large.jsonl "$MNT/t/documents.jsonl"
	cp large.jsonl "$MNT/t/documents.jsonl"
	peak=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' \
		"/proc/$DAEMON/status")
	echo "idle $idle kB, peak $peak kB"
	is_sanitized || [ $((peak - idle)) -lt $limit ] ||
		fail "the daemon took $peak kB"
	expect_rows t 600000
}

case_W12_many_open_files() {
	start_mount
	"$PYTHON" - "$MNT" <<-'END'
		import os, sys
		fds = []
		for i in range(500):
		    name = f"{sys.argv[1]}/t{i}.jsonl"
		    fds.append(os.open(name, os.O_WRONLY | os.O_CREAT))
		    os.write(fds[i], b'{"n":%d}\n' % i)
		for fd in fds:
		    os.close(fd)
	END
	expect_text "tables" "$(wc -l <"$MNT/_tables/documents.jsonl")" 500
	expect_numbers t499 499
}

# A thousand one-line appends stay cheap to read, and none is lost.
case_W12_many_appends() {
	start_mount
	local i
	mkdir "$MNT/t"
	for i in $(seq $((LOOPS * 5))); do
		echo "{\"n\":$i}" >>"$MNT/t/documents.jsonl"
	done
	numbers t | cmp - <(seq $((LOOPS * 5)))
	expect_text "imports" "$(imports | wc -l)" $((LOOPS * 5))
}

run_cases "$@"
