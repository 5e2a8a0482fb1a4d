#!/usr/bin/env bash
# Writing to a deployment behind a URL, which the server of this project holds.
# shellcheck source=tests/client/lib.sh disable=SC2119
. "$(dirname "$0")/../client/lib.sh"

export no_proxy='*'
THERE=$PWD

# The deployment, served, is mounted by its URL at $MNT and as it is at $THERE.
mount_both() {
	start_server
	export CONVEX_SELF_HOSTED_ADMIN_KEY=$KEY
	THERE=$DIR/there
	start_mount_at "$STATE" "$THERE"
	start_mount_at "$URL" "$MNT" "$@"
}

unmount_both() {
	stop_mounts
	stop_server
}

# The next command sees it, and it is what the deployment holds.
expect_both() {
	local table=$1
	expect_numbers "$@"
	expect_file "$MNT/$table/documents.jsonl" "$THERE/$table/documents.jsonl"
}

numbered() {
	seq "$@" | sed 's/.*/{"n":&}/'
}

case_M1_rows_go_there_by_every_way_of_writing() {
	mount_both
	mkdir "$MNT/t"
	[ -d "$THERE/t" ] || fail "mkdir made nothing there"
	numbered 3 >three.jsonl
	mark
	cp three.jsonl "$MNT/t/documents.jsonl"
	expect_committed replace 3
	expect_both t 1 2 3
	numbered 4 5 >>"$MNT/t/documents.jsonl"
	expect_both t 1 2 3 4 5
	numbered 6 6 >new
	mv new "$MNT/t/documents.jsonl"
	expect_both t 6
	printf 'n\n7\n8\n' >"$MNT/t/more.append.csv"
	expect_both t 6 7 8
	: >"$MNT/t/documents.jsonl"
	expect_both t
	unmount_both
}

# Larger than what is uploaded at once, and what it replaces is still read.
case_W2_a_large_file_is_uploaded_while_it_is_written() {
	mount_both
	mkdir "$MNT/t"
	make_rows 1 120000 >large.jsonl
	cp large.jsonl "$MNT/t/documents.jsonl"
	expect_rows t 120000
	sed -i '120000d' "$MNT/t/documents.jsonl"
	expect_rows t 119999
	expect_file "$MNT/t/documents.jsonl" "$THERE/t/documents.jsonl"
	unmount_both
}

case_M5_an_archive_is_restored_there() {
	need zip
	mount_both
	mkdir a b
	numbered 2 >a/documents.jsonl
	numbered 3 >b/documents.jsonl
	zip -qr both.zip a b
	cp both.zip "$MNT/both.replace.zip"
	expect_both a 1 2
	expect_both b 1 2 3
	unmount_both
}

case_F2_what_the_deployment_refuses_is_kept() {
	local seen
	mount_both
	make_inputs
	seed t 1 2
	mark
	expect_refused 'Invalid argument' cp bad.jsonl "$MNT/t/documents.jsonl"
	expect_imports 1 failed
	expect_both t 1 2
	expect_reject t/documents.jsonl bad.jsonl
	seen=$(cat "$MNT/t/documents.jsonl.error")
	expect_match "error" "$seen" 'nothing was changed' 2000
	expect_match "last-error" "$(last_error)" 2000
	mark
	printf '{"n":9}\n' >one
	cp one "$MNT/t/x.require-empty.jsonl" 2>/dev/null &&
		fail "a table that is not empty was taken for an empty one"
	expect_imports 1 failed
	expect_both t 1 2
	unmount_both
}

case_W5_a_writer_that_is_killed_changes_nothing() {
	local writer
	mount_both
	seed t 1 2
	make_inputs
	mkfifo in
	mark
	cp in "$MNT/t/documents.jsonl" &
	writer=$!
	exec 4>in
	cat good.jsonl >&4
	await 10 test -s "$MNT/t/documents.jsonl"
	kill -KILL $writer
	wait $writer || :
	exec 4>&-
	await 10 test -e "$MNT/t/documents.jsonl.rejected"
	expect_both t 1 2
	expect_imports 1 failed
	unmount_both
}

# Error, and the table old or new: never both, never half of it.
case_F_the_server_goes_while_it_is_written() {
	local writer
	mount_both -o timeout=1
	seed t 1 2
	make_inputs
	mkfifo in
	cp in "$MNT/t/documents.jsonl" 2>said &
	writer=$!
	exec 4>in
	cat good.jsonl >&4
	kill_server
	cat good.jsonl >&4
	exec 4>&-
	! wait $writer || fail "cp did not notice"
	expect_said 'Connection refused|Connection reset|timed out'
	expect_refused 'Connection refused' cat "$MNT/t/documents.jsonl"
	expect_text "n" "$(jq -c .n "$THERE/t/documents.jsonl" | xargs)" "1 2"
	test -s "$MNT/t/documents.jsonl.rejected"
	expect_refused 'Connection refused' mkdir "$MNT/other"
	start_server_at "${URL#http://}"
	mv "$MNT/t/documents.jsonl.rejected" "$MNT/t/documents.jsonl"
	expect_rows t $((2 * GOOD_ROWS))
	unmount_both
}

# Edits a table while somebody else appends to another one, in the deployment.
make_edit() {
	cat >edit.py <<'END'
import os, sys
edited, other = sys.argv[1:]
fd = os.open(edited, os.O_RDWR)
with open(other, "a") as f:
    f.write('{"n":9}\n')
os.ftruncate(fd, 0)
os.pwrite(fd, b'{"n":7}\n', 0)
os.close(fd)
END
}

case_W8_somebody_else_was_quicker() {
	mount_both
	make_edit
	seed t 1 2
	seed quiet 1
	expect_status 0 "$PYTHON" edit.py "$MNT/quiet/documents.jsonl" \
		"$THERE/t/documents.jsonl"
	expect_both quiet 7
	expect_both t 1 2 9
	expect_refused 'Stale file handle' "$PYTHON" edit.py \
		"$MNT/t/documents.jsonl" "$THERE/t/documents.jsonl"
	expect_match "last-error" "$(last_error)" 'changed by someone else'
	expect_both t 1 2 9 9
	unmount_both
}

# M-7: what plain rows cannot say stays what it is.
case_M7_types_survive_a_copy() {
	need zip
	mount_both
	mkdir u
	# shellcheck disable=SC2016 # no variable
	echo '{"n":{"$integer":"BQAAAAAAAAA="}}' >u/documents.jsonl
	echo '"uniform"' >u/generated_schema.jsonl
	zip -qr u.zip u
	cp u.zip "$MNT/u.zip"
	cp "$MNT/u/documents.jsonl" kept
	expect_match "restored" "$(cat kept)" '"n":5}'
	sed -i 's/"n":5}/"n":6}/' "$MNT/u/documents.jsonl"
	expect_match "edited" "$(cat "$THERE/u/documents.jsonl")" '"n":6}'
	cp kept "$MNT/u/documents.jsonl"
	expect_file "$MNT/u/documents.jsonl" kept
	expect_file "$THERE/u/documents.jsonl" kept
	unmount_both
}

# What a mount has written is what it shows next, with all that came before.
case_C_two_mounts_of_one_deployment() {
	local n
	mount_both
	mkdir "$MNT/t"
	XDG_CACHE_HOME=$DIR/cache2 start_mount_at "$URL" "$DIR/second"
	for n in 1 3 5; do
		numbered $n $n >>"$MNT/t/documents.jsonl" &
		numbered $((n + 1)) $((n + 1)) >one.$n
		cp one.$n "$DIR/second/t/x.append.jsonl" || fail "second mount"
		wait %% || fail "first mount"
	done
	numbered 7 7 >>"$MNT/t/documents.jsonl"
	expect_text "n" "$(numbers t | sort -n | tr '\n' ' ')" "1 2 3 4 5 6 7 "
	expect_file "$MNT/t/documents.jsonl" "$THERE/t/documents.jsonl"
	unmount_both
}

# Whoever waits for a deployment that does not answer can stop waiting.
case_F5_interrupted_while_the_deployment_is_silent() {
	local writer way
	mount_both
	seed t 1 2
	numbered 7 7 >one
	mkfifo in
	for way in documents.jsonl x.append.jsonl; do
		mark
		env --default-signal cp in "$MNT/t/$way" &
		writer=$!
		exec 4>in
		cat one >&4
		await 10 is_importing
		kill -STOP "$SERVER"
		exec 4>&-
		await 10 is_closing $writer
		kill -INT $writer
		! wait $writer || fail "cp did not fail"
		kill -CONT "$SERVER"
		expect_both t 1 2
		expect_imports 1 failed
	done
	unmount_both
}

# It waits in close(2), which begins by forgetting the descriptor.
is_closing() {
	! find "/proc/$1/fd" -lname "$MNT/*" | grep -q .
}

is_importing() {
	grep -q '"state":"in_progress"' "$MNT/.convex/imports.jsonl"
}

# A way to the server that breaks for good once an import is confirmed.
start_breaking_way() {
	echo '/api/perform_import end' >faults
	start_way --faults faults
}

# A file is written over t through a way that breaks once it is confirmed.
lose_outcome() {
	mount_both
	seed t 1 2
	start_breaking_way
	start_mount_at "$THROUGH" "$DIR/through" -o timeout=1
	numbered 7 7 >one
	expect_refused 'Input/output error' \
		cp one "$DIR/through/t/documents.jsonl"
	expect_file "$DIR/through/t/documents.jsonl.rejected" one
}

case_F_an_outcome_that_is_not_known_is_called_so() {
	lose_outcome
	expect_match "error" "$(cat "$DIR/through/t/documents.jsonl.error")" \
		'^It is not known whether t/documents.jsonl was imported'
	expect_match "record" "$(tail -n 1 "$DIR/through/.convex/imports.jsonl")" \
		'"code":"OutcomeUnknown"'
	await 10 is_seven "$THERE/t/documents.jsonl"
	unmount_both
}

# IMP-4
case_W_parts_are_as_large_as_the_environment_says() {
	mount_both
	mkdir "$MNT/t"
	start_way --asked asked
	numbered 1 3000 >rows.jsonl
	CONVEX_IMPORT_CHUNK_SIZE=16384 \
		start_mount_at "$THROUGH" "$DIR/through"
	: >asked
	cp rows.jsonl "$DIR/through/t/"
	expect_text "parts" \
		"$(awk '$2 ~ /upload_part/ { print $3 }' asked | sort -rn | uniq -c |
			head -n 1 | tr -s ' ')" \
		" $(($(stat -c %s rows.jsonl) / 16384)) 16384"
	: >asked
	CONVEX_IMPORT_CHUNK_SIZE=16384 "$CVX_BIN" import --url "$THROUGH" \
		--admin-key "$KEY" --table u rows.jsonl 2>/dev/null
	expect_text "parts" "$(grep -c upload_part asked)" \
		$(($(stat -c %s rows.jsonl) / 16384 + 1))
	CONVEX_IMPORT_CHUNK_SIZE=0 expect_status 1 "$CVX_BIN" import \
		--url "$THROUGH" --admin-key "$KEY" --table u rows.jsonl
	expect_said 'CONVEX_IMPORT_CHUNK_SIZE: "0" is no size of parts'
	stop_way
	unmount_both
}

# The last line of the imports of the mount through the way.
is_settled() {
	[ "$(tail -n 1 "$DIR/through/.convex/imports.jsonl" |
		jq -c '[.state, .rows, .error]')" = "$1" ]
}

# 15.3: it is looked up when the connection is back.
case_F_an_outcome_that_was_not_known_is_found_out() {
	lose_outcome
	await 10 is_seven "$THERE/t/documents.jsonl"
	stop_way
	start_way --port "${THROUGH##*:}"
	await 10 is_settled '["completed",1,null]'
	[ ! -e "$DIR/through/t/documents.jsonl.rejected" ] ||
		fail "what was imported can be tried again"
	[ ! -e "$DIR/through/t/documents.jsonl.error" ] ||
		fail "what was imported is called an error"
	stop_way
	unmount_both
}

is_refused() {
	cp "$1" "$2" 2>&1 | grep -q 'Invalid argument'
}

has_no_unknown() {
	! grep -q '"OutcomeUnknown"' "$DIR/through/.convex/imports.jsonl"
}

# What is kept there by then may be another file.
case_F3_what_was_found_out_takes_no_other_file_away() {
	lose_outcome
	await 10 is_seven "$THERE/t/documents.jsonl"
	stop_way
	start_way --port "${THROUGH##*:}"
	echo '{"n":' >bad
	await 10 is_refused bad "$DIR/through/t/documents.jsonl"
	await 10 has_no_unknown
	expect_file "$DIR/through/t/documents.jsonl.rejected" bad
	stop_way
	unmount_both
}

case_C9_an_import_whose_outcome_is_not_known_is_5() {
	start_server
	export CONVEX_SELF_HOSTED_ADMIN_KEY=$KEY
	start_breaking_way
	numbered 7 7 >one.jsonl
	"$CVX_BIN" import --url "$THROUGH" --table t \
		--json one.jsonl >out 2>said && fail "done, it says"
	expect_text "status" $? 5
	expect_text "outcome" "$(jq -c '[.state, .error.code]' out)" \
		'["failed","OutcomeUnknown"]'
	stop_server
}

is_seven() {
	grep -q '"n":7.0' "$1"
}

case_T2_what_others_change_is_followed() {
	mount_both -o cache_ttl=1
	seed t 1
	numbered 2 2 >>"$THERE/t/documents.jsonl"
	await 10 is_followed
	mkdir "$THERE/fresh"
	await 10 test -d "$MNT/fresh"
	unmount_both
}

is_followed() {
	[ "$(numbers t | tr '\n' ' ')" = "1 2 " ]
}

# Each with what to do instead.
case_F_what_cannot_be_written_says_so() {
	mount_both -o allow_delete
	seed t 1
	echo '{"tables":[],"schemaValidation":true}' >schema.json
	expect_read_only 'npx convex deploy' \
		cp schema.json "$MNT/.convex/schema.json"
	echo hello >"$THERE/_storage/note.txt"
	cp "$THERE/_storage/documents.jsonl" list
	sed 's|text/plain|text/html|' list >other
	expect_read_only 'settled when it is stored' \
		cp other "$MNT/_storage/documents.jsonl"
	cp list "$MNT/_storage/documents.jsonl"
	expect_file list "$THERE/_storage/documents.jsonl"
	expect_both t 1
	unmount_both
}

expect_read_only() {
	local why=$1
	shift
	expect_refused 'Read-only file system' "$@"
	expect_match "last-error" "$(last_error)" "elsewhere.*$why"
}

# All or none, and no document goes.
case_T1_tables_get_their_numbers_there() {
	mount_both
	seed t 1 2
	mkdir "$MNT/empty"
	cp "$MNT/_tables/documents.jsonl" before
	imports >imports.before
	cp before "$MNT/_tables/documents.jsonl"
	register '{"name":"u","id":10077}' '{"name":"empty","id":10050}'
	expect_match "there" "$(cat "$THERE/_tables/documents.jsonl")" \
		'"t","id":10001' '"empty","id":10050' '"u","id":10077'
	expect_both t 1 2
	cp "$MNT/_tables/documents.jsonl" before
	expect_refused 'Invalid argument' register \
		'{"name":"v","id":10078}' '{"name":"t","id":10090}'
	expect_match "last-error" "$(last_error)" \
		'row 2: table t has documents under the number 10001'
	expect_refused 'Invalid argument' register \
		'{"name":"v","id":10078}' '{"name":"w","id":10001}'
	expect_match "last-error" "$(last_error)" \
		'row 2: the number 10001 of table w belongs to table t'
	expect_file "$THERE/_tables/documents.jsonl" before
	expect_both t 1 2
	imports | diff imports.before -
	unmount_both
}

register() {
	printf '%s\n' "$@" >registry.jsonl
	cp registry.jsonl "$MNT/_tables/documents.jsonl"
}

case_T1_tables_of_a_component_get_their_numbers_there() {
	mount_both
	seed t 1
	mkdir -p "$THERE/_components/c/t"
	await 10 test -d "$MNT/_components/c/t"
	echo '{"name":"t","id":10090}' >registry.jsonl
	cp registry.jsonl "$MNT/_components/c/_tables/documents.jsonl"
	expect_file "$THERE/_components/c/_tables/documents.jsonl" registry.jsonl
	expect_match "root" "$(cat "$MNT/_tables/documents.jsonl")" '"t","id":10001'
	expect_both t 1
	unmount_both
}

case_F_numbers_that_may_have_been_given_are_called_so() {
	mount_both
	start_breaking_way
	start_mount_at "$THROUGH" "$DIR/through" -o timeout=1
	echo '{"name":"u","id":10077}' >registry.jsonl
	expect_refused 'Input/output error' \
		cp registry.jsonl "$DIR/through/_tables/documents.jsonl"
	expect_match "last-error" "$(cat "$DIR/through/.convex/last-error")" \
		'outcome unknown'
	await 10 grep -q '"u","id":10077' "$THERE/_tables/documents.jsonl"
	unmount_both
}

# IMP-14, SCH-9
case_W10_components_come_and_go_there() {
	local through=$DIR/through/_components
	mount_both -o allow_delete
	mkdir -p "$MNT/_components/a/_components/b"
	expect_text "there" "$(ls "$THERE/_components/a/_components")" b
	[ -z "$(imports)" ] || fail "making one is listed: $(imports)"
	mkdir "$THERE/_components/a/_components/b/t"
	expect_refused 'not empty' rmdir "$MNT/_components/a/_components/b"
	expect_match "last-error" "$(last_error)" 'component a/b has tables'
	rmdir "$MNT/_components/a/_components/b/t"
	expect_refused 'not empty' rmdir "$MNT/_components/a"
	rmdir "$MNT/_components/a/_components/b"
	rmdir "$MNT/_components/a"
	expect_text "there" "$(ls "$THERE/_components")" ""
	expect_text "here" "$(ls "$MNT/_components")" ""
	start_breaking_way
	start_mount_at "$THROUGH" "$DIR/through" -o timeout=1
	expect_refused 'Input/output error' mkdir "$through/d"
	await 10 test -d "$THERE/_components/d"
	unmount_both
}

case_W10_tables_are_removed_there() {
	mount_both
	seed t 1 2
	expect_refused 'not permitted' rmdir "$MNT/t"
	stop_mount && start_mount_at "$URL" "$MNT" -o allow_delete
	expect_refused 'not empty' rmdir "$MNT/t"
	expect_both t 1 2
	rm -r "$MNT/t"
	[ ! -e "$THERE/t" ] || fail "the table is still there"
	[ ! -e "$MNT/t" ] || fail "the table still shows"
	mkdir "$MNT/t"
	# Somebody else has been quicker, and the mount has not seen it.
	echo '{"n":3}' >>"$THERE/t/documents.jsonl"
	expect_refused 'not empty' rmdir "$MNT/t"
	expect_text "n" "$(jq .n "$THERE/t/documents.jsonl")" 3
	rm "$THERE/t/documents.jsonl" 2>/dev/null || : >"$THERE/t/documents.jsonl"
	make_schema_of t >"$THERE/.convex/schema.json"
	expect_refused 'Invalid argument' rmdir "$MNT/t"
	expect_match "last-error" "$(last_error)" 'schema'
	[ -d "$THERE/t" ] || fail "a table that the schema needs is gone"
	unmount_both
}

make_schema_of() {
	printf '{"tables":[{"tableName":"%s","indexes":[],"searchIndexes":[],' "$1"
	printf '"documentType":{"type":"any"}}],"schemaValidation":true}\n'
}

# protocol.md 12
case_T1_files_are_stored_there() {
	local name id
	mount_both -o allow_delete
	head -c 3000000 /dev/urandom >photo.png
	cp photo.png "$MNT/_storage/"
	name=$(basename "$THERE"/_storage/*.png)
	expect_file "$MNT/_storage/$name" photo.png
	expect_file "$THERE/_storage/$name" photo.png
	expect_text "size" "$(stat -c %s "$MNT/_storage/photo.png")" 3000000
	: >"$MNT/_storage/empty"
	expect_text "files" "$(files_in "$THERE")" 2
	expect_text "files" "$(files_in "$MNT")" 2
	expect_file "$MNT/_storage/documents.jsonl" \
		"$THERE/_storage/documents.jsonl"
	id=$(jq -r 'select(.size == 0)._id' "$MNT/_storage/documents.jsonl")
	rm "$MNT/_storage/$id" "$MNT/_storage/$name"
	expect_text "files" "$(files_in "$THERE")" 0
	expect_text "files" "$(files_in "$MNT")" 0
	mkdir "$THERE/_components/c"
	stop_mount && start_mount_at "$URL" "$MNT" -o allow_delete
	cp photo.png "$MNT/_components/c/_storage/"
	expect_file "$MNT/_components/c/_storage"/*.png photo.png
	rm "$MNT/_components/c/_storage"/*.png
	expect_text "files" "$(files_in "$THERE/_components/c")" 0
	unmount_both
}

# Those of another deployment, whose storage has another number than this one.
case_FIL5_files_of_a_backup_keep_their_ids() {
	local id list
	start_mount_at "$DIR/old" "$DIR/old.mnt" -o allow_delete
	seed_number_of "$DIR/old.mnt"
	head -c 300000 /dev/urandom >photo.png
	cp photo.png "$DIR/old.mnt/_storage/$id.png"
	echo hello >"$DIR/old.mnt/_storage/note.txt"
	cp -r "$DIR/old.mnt/_storage" backup
	list=$MNT/_storage/documents.jsonl
	mount_both -o allow_delete
	cp backup/documents.jsonl "$list"
	expect_text "files" "$(files_in "$THERE")" 0
	cp backup/*.png "$MNT/_storage/"
	cp backup/*.txt "$MNT/_storage/"
	expect_file "$THERE/_storage/documents.jsonl" backup/documents.jsonl
	diff -r backup "$MNT/_storage"
	# The same once more is no import.
	cp backup/*.txt "$MNT/_storage/"
	cp photo.png "$MNT/_storage/$id.jpeg"
	expect_refused 'not permitted' \
		cp backup/documents.jsonl "$MNT/_storage/$id.png"
	expect_reject "_storage/$id.png" backup/documents.jsonl
	diff -r backup "$THERE/_storage"
	unmount_both
}

# A file that comes before its row is deleted, to come back with it.
case_FIL5_a_row_that_comes_later_loses_no_file() {
	local at id list
	mount_both
	echo hello >note.txt
	cp note.txt "$THERE/_storage/"
	list=$DIR/through/_storage/documents.jsonl
	cp "$THERE/_storage/documents.jsonl" rows
	id=$(jq -r ._id rows)
	start_way --faults faults
	start_mount_at "$THROUGH" "$DIR/through" -o allow_delete
	for at in "/api/mutation before" "/api/mutation after" \
		"/api/perform_import before" "/api/perform_import after"; do
		take_and_put "$id"
		echo "$at" >faults
		cp rows "$list"
		test ! -e faults
		expect_file "$THERE/_storage/documents.jsonl" rows
	done
	# Coming without a row meets the same.
	for at in before after; do
		echo "/api/perform_import $at" >faults
		take_and_put "$id"
		test ! -e faults
		expect_file "$MNT/_storage/$id.txt" note.txt
	done
	# The deployment does not do it any more.
	take_and_put "$id"
	echo "/api/perform_import refused" >faults
	expect_refused . cp rows "$list"
	expect_match "last-error" "$(cat "$DIR/through/.convex/last-error")" \
		"$id was deleted to come back with its row" 'write that file'
	rm faults
	cp "$list.rejected" "$list"
	cp note.txt "$DIR/through/_storage/$id.txt"
	expect_file "$THERE/_storage/documents.jsonl" rows
	stop_way
	unmount_both
}

# Stored under its id through the mount, but with a row of its own.
take_and_put() {
	: >"$DIR/through/_storage/documents.jsonl"
	rm -f "$DIR/through/_storage/$1.txt"
	cp note.txt "$DIR/through/_storage/$1.txt"
	cmp -s rows "$THERE/_storage/documents.jsonl" &&
		fail "it has the row already"
	expect_text "files" "$(files_in "$THERE")" 1
}

# Sets id: one of another table, which a storage that has none takes over.
seed_number_of() {
	mkdir "$1/t"
	echo '{}' >"$1/t/documents.jsonl"
	id=$(jq -r ._id "$1/t/documents.jsonl")
	: >"$1/t/documents.jsonl"
	rmdir "$1/t"
}

files_in() {
	wc -l <"$1/_storage/documents.jsonl"
}

case_F5_all_that_waits_can_be_interrupted() {
	mount_both -o allow_delete
	seed t 1
	mkdir "$MNT/_components/c"
	echo hello >note.txt
	kill -STOP "$SERVER"
	echo '{"name":"u","id":10077}' >registry.jsonl
	expect_interrupted cp registry.jsonl "$MNT/_tables/documents.jsonl"
	expect_interrupted mkdir "$MNT/other"
	expect_interrupted mkdir "$MNT/_components/d"
	expect_interrupted rmdir "$MNT/_components/c"
	expect_interrupted rmdir "$MNT/t"
	expect_interrupted truncate -s 0 "$MNT/t/documents.jsonl"
	expect_interrupted cp note.txt "$MNT/_storage/"
	kill -CONT "$SERVER"
	expect_both t 1
	expect_text "files" "$(files_in "$THERE")" 0
	expect_text "components" "$(ls "$THERE/_components")" c
	unmount_both
}

# What the names are is known for long, so that nothing is asked before.
case_F5_a_removal_that_waits_can_be_interrupted() {
	mount_both -o allow_delete -o cache_ttl=1h
	mkdir "$MNT/t" "$MNT/_components/c"
	ls -R "$MNT" >/dev/null
	kill -STOP "$SERVER"
	expect_interrupted rmdir "$MNT/_components/c"
	expect_interrupted rmdir "$MNT/t"
	kill -CONT "$SERVER"
	expect_text "there" "$(ls "$THERE")" "$(ls "$MNT")"
	rmdir "$MNT/_components/c" "$MNT/t"
	expect_text "there" "$(ls "$THERE/_components")" ""
	unmount_both
}

# The deadline of the mount is far away.
expect_interrupted() {
	local program
	env --default-signal "$@" 2>/dev/null &
	program=$!
	await 10 is_asleep $program "$1"
	kill -INT $program
	! wait $program || fail "not interrupted: $*"
}

# In one request for longer than the others take.
is_asleep() {
	for _ in 1 2 3 4 5 6; do
		grep -q "($2) [SD]" "/proc/$1/stat" || return 1
		sleep 0.05
	done
}

run_cases "$@"
