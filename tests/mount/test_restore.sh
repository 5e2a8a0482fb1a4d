#!/usr/bin/env bash
# Backups that are dropped at the root (M-2, M-4; import.md 6.5 to 7.6).
# shellcheck source=tests/mount/lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"

# make_backup FILE TABLE N...: a ZIP with one table of the numbers, as the
# client exports it.
make_backup() {
	local file=$1 table=$2 n
	shift 2
	rm -rf backup "$file"
	mkdir -p "backup/$table" backup/_tables
	echo "{\"name\":\"$table\",\"id\":10001}" \
		>backup/_tables/documents.jsonl
	echo '"uniform"' >"backup/$table/generated_schema.jsonl"
	for n in "$@"; do
		printf '{"n":%d.0}\n' "$n"
	done >"backup/$table/documents.jsonl"
	(cd backup && zip -q -r "$DIR/$file" .)
}

case_M4_archive_is_restored_when_it_is_empty() {
	need zip
	start_mount
	make_backup in.zip t 7 8
	mark
	cp in.zip "$MNT/backup.zip"
	expect_numbers t 7 8
	expect_committed require-empty 2
	expect_text "format" "$(last_import format)" zip
	# W-11
	expect_text "the root" "$(listing . | grep -c zip)" 0
	mark
	expect_refused 'File exists' cp in.zip "$MNT/backup.zip"
	expect_imports 1 failed
	expect_reject backup.zip in.zip
	expect_match "error" "$(cat "$MNT/backup.zip.error")" \
		't/documents.jsonl: table t has documents already'
	expect_numbers t 7 8
}

prove_archive_mode() {
	local mode=$1
	shift
	need zip
	start_mount
	seed t 1
	seed other 3
	make_backup in.zip t 7 8
	sed -i d backup/_tables/documents.jsonl # the number stays the table's
	rm in.zip && (cd backup && zip -q -r ../in.zip .)
	# What the kernel remembers of the tables must not outlive them.
	expect_numbers t 1
	stat "$MNT/other/documents.jsonl" >stat.txt
	mark
	cp in.zip "$MNT/backup.$mode.zip"
	expect_numbers t "$@"
	expect_committed "$mode" 2
	if [ "$mode" = replace-all ]; then
		expect_text "other" "$(listing . | grep -c other || :)" 0
		expect_refused 'No such file' cat "$MNT/other/documents.jsonl"
	else
		expect_numbers other 3
	fi
}

for mode in 'append 1 7 8' 'replace 7 8' 'replace-all 7 8'; do
	# shellcheck disable=SC2086 # its words are arguments
	add_case "M2_archive_${mode%% *}" prove_archive_mode $mode
done

case_M4_archives_take_the_mode_of_the_mount() {
	need zip
	start_mount -o mode=replace-all
	seed other 3
	make_backup in.zip t 7 8
	cp in.zip "$MNT/backup.zip"
	expect_numbers t 7 8
	expect_text "other" "$(listing . | grep -c other || :)" 0
	# A file of one table replaces that table alone.
	echo '{"n":1}' >in.jsonl
	cp in.jsonl "$MNT/u.jsonl"
	cp in.jsonl "$MNT/u.jsonl"
	expect_numbers u 1
	expect_numbers t 7 8
}

case_M2_archive_that_is_appended_to_is_appended() {
	need zip
	start_mount
	make_backup in.zip t 7 8
	cat in.zip >>"$MNT/backup.zip"
	cat in.zip >>"$MNT/backup.zip"
	expect_numbers t 7 8 7 8
}

case_W6_archive_that_is_renamed_is_restored() {
	need zip
	start_mount
	make_backup in.zip t 7 8
	cp in.zip "$MNT/backup.part"
	mv "$MNT/backup.part" "$MNT/backup.zip"
	expect_numbers t 7 8
}

# T-1: an archive made of the mount restores.
case_T1_zip_of_the_mount_restores_elsewhere() {
	need zip
	start_mount
	seed t 1 2 3
	seed u 4
	mkdir "$MNT/empty"
	(cd "$MNT" && zip -q -r "$DIR/all.zip" . -x '.convex/*')
	start_mount_at "$STATE.2" "$MNT.2"
	cp all.zip "$MNT.2/all.zip"
	expect_file "$MNT/t/documents.jsonl" "$MNT.2/t/documents.jsonl"
	expect_file "$MNT/u/documents.jsonl" "$MNT.2/u/documents.jsonl"
	expect_file "$MNT/_tables/documents.jsonl" \
		"$MNT.2/_tables/documents.jsonl"
	stop_mount_at "$MNT.2"
}

case_F1_archive_that_is_damaged_changes_nothing() {
	need zip
	start_mount
	seed t 1
	make_backup in.zip t 7 8
	head -c 200 in.zip >cut.zip
	expect_refused 'Invalid argument' cp cut.zip "$MNT/x.replace.zip"
	expect_reject x.replace.zip cut.zip
	echo '{"n":oops}' >>backup/t/documents.jsonl
	rm in.zip && (cd backup && zip -q -r ../in.zip .)
	expect_refused 'Invalid argument' cp in.zip "$MNT/x.replace.zip"
	expect_match "last error" "$(last_error)" \
		't/documents.jsonl: row 3: '
	zip -q -P secret in.zip backup/t/documents.jsonl
	expect_refused 'Invalid argument' cp in.zip "$MNT/y.replace.zip"
	expect_numbers t 1
	expect_alive
}

case_F1_archive_with_stored_files_is_restored() {
	local id=kg2ah8mk1xtg35g7zyexyc96e96yr74f
	need zip
	start_mount
	mkdir -p backup/_storage backup/t
	echo '{"n":1}' >backup/t/documents.jsonl
	printf x >backup/_storage/$id.txt
	echo "{\"_id\":\"$id\",\"contentType\":\"text/plain\"}" \
		>backup/_storage/documents.jsonl
	(cd backup && zip -q -r ../in.zip .)
	cp in.zip "$MNT/in.zip"
	expect_match "rows" "$(cat "$MNT/_storage/documents.jsonl")" \
		"\"_id\":\"$id\".*\"size\":1,.*\"text/plain\""
	printf y >backup/_storage/$id.txt
	sed -i 's/}/,"sha256":"LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE="}/' \
		backup/_storage/documents.jsonl
	rm in.zip && (cd backup && zip -q -r ../in.zip .)
	expect_refused 'Invalid argument' cp in.zip "$MNT/in.replace.zip"
	expect_match "last error" "$(last_error)" \
		"_storage/$id.txt: its SHA-256 is not the one that row 1"
	expect_numbers t 1
	expect_match "rows" "$(cat "$MNT/_storage/documents.jsonl")" \
		'"sha256":"LXEWQrcmsEQBYnyp[+]6wy9chTD7GQPMTbAiWHF5IaSIE="'
}

# Backups that real deployments made, where they are at hand.
case_M4_real_snapshots_restore() {
	local data
	data=$TESTS/../../../shared/data
	[ -e "$data/snapshot-shop.zip" ] ||
		lacks "the snapshots of ../shared/data"
	start_mount
	cp "$data/snapshot-shop.zip" "$MNT/"
	expect_rows products 6
	expect_rows tasks 3
	expect_rows cart 0
	cp "$data/snapshot-demo.zip" "$MNT/demo.replace-all.zip"
	expect_text "tables" "$(ls "$MNT")" $'README.md\n_tables\nmessages'
}

case_W5_archive_of_a_killed_writer_is_not_restored() {
	local pid
	need zip
	start_mount
	make_backup in.zip t 7 8
	mkfifo pipe
	dd if=pipe of="$MNT/backup.zip" bs=64 2>dd.log &
	pid=$!
	exec 9>pipe
	cat in.zip >&9
	await 10 test -s "$MNT/backup.zip"
	kill -KILL "$pid"
	wait "$pid" || :
	exec 9>&-
	await 10 test -e "$MNT/backup.zip.rejected"
	expect_text "the table" "$(listing . | grep -cw t || :)" 0
}

run_cases "$@"
