#!/usr/bin/env bash
# rsync: it writes a hidden name and renames it (W-6), or writes in place
# without truncating first (W-8).
# shellcheck source=tests/mount/lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"

# rsync says no more than a status of its own: 11 when the last close fails,
# 23 when the rename does (fuse-facts.md a1).
prove_rsync() {
	local status=$1
	shift
	need rsync
	make_inputs
	start_mount
	seed t 1 2
	mark
	expect_status 0 rsync "$@" good.jsonl "$MNT/t/documents.jsonl"
	numbers t | cmp - <(seq 3000)
	expect_committed replace 3000

	documents t >before
	mark
	expect_status "$status" rsync "$@" bad.jsonl "$MNT/t/documents.jsonl"
	expect_said 'Invalid argument'
	documents t | cmp - before
	expect_imports 1 failed
	expect_match "last error" "$(last_error)" 'row 2000'
	expect_alive
	expect_text "left behind" \
		"$(find "$MNT/t" -name '.documents*' | wc -l)" 0
}

case_W6_rsync() { prove_rsync 23; }
case_W6_rsync_a() { prove_rsync 23 -a; }
case_W6_rsync_checksum() { prove_rsync 23 -c; }
case_W8_rsync_inplace() { prove_rsync 11 --inplace; }
case_W8_rsync_inplace_a() { prove_rsync 11 -a --inplace; }

case_W6_rsync_new() {
	start_mount
	need rsync
	make_rows 1 3000 >data.append.jsonl
	seed t 1 2
	mark
	rsync -a data.append.jsonl "$MNT/t/"
	expect_committed append 3000
	expect_rows t 3002
	prove_dropped data.append.jsonl
}

# The longer file begins with the bytes that are there: rsync writes behind
# them, without O_APPEND.
case_W8_rsync_append() {
	start_mount
	need rsync
	seed t 1 2
	documents t >longer.jsonl
	make_rows 3 3000 >>longer.jsonl
	mark
	rsync --append longer.jsonl "$MNT/t/documents.jsonl"
	expect_committed replace 3000
	numbers t | cmp - <(seq 3000)
	documents t | head -n 2 | cmp - <(head -n 2 longer.jsonl)
}

# T-1: the mount is a backup; rsync -a of a folder of tables fills it.
case_M5_rsync_a_of_a_folder() {
	start_mount
	need rsync
	mkdir -p tree/apples tree/pears
	make_rows 1 20 >tree/apples/documents.jsonl
	make_rows 1 30 >tree/pears/documents.jsonl
	rsync -a tree/ "$MNT/"
	expect_rows apples 20
	expect_rows pears 30
}

# What was fetched from the mount is not sent again.
case_T2_rsync_of_an_unchanged_table_imports_nothing() {
	start_mount
	need rsync
	seed t 1 2 3
	rsync -a "$MNT/t/documents.jsonl" copy.jsonl
	mark
	rsync -a copy.jsonl "$MNT/t/documents.jsonl"
	rsync -ac copy.jsonl "$MNT/t/documents.jsonl"
	expect_imports 0
	expect_numbers t 1 2 3
}

# It goes by size and time, in whole seconds. The names are as long.
case_T2_rsync_fetches_a_registry_that_says_something_else() {
	need rsync
	start_mount -o allow_delete
	mkdir "$MNT/aa"
	rsync -a "$MNT/_tables/" copy/
	sleep 1
	rmdir "$MNT/aa"
	mkdir "$MNT/bb"
	expect_text "size" "$(stat -c %s "$MNT/_tables/documents.jsonl")" \
		"$(stat -c %s copy/documents.jsonl)"
	rsync -a "$MNT/_tables/" copy/
	cp "$MNT/_tables/documents.jsonl" now.jsonl
	expect_file copy/documents.jsonl now.jsonl
	stat -c %y "$MNT/_tables/documents.jsonl" >first
	stop_mount
	start_mount
	stat -c %y "$MNT/_tables/documents.jsonl" | cmp - first ||
		fail "mounting again is no change"
}

run_cases "$@"
