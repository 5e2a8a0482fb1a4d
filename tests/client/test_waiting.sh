#!/usr/bin/env bash
#
# Convex's own client while `convexfs serve` takes its time over an import or an
# export: what is interrupted, dropped, canceled or already under way.

# shellcheck source=tests/client/lib.sh
. "$(dirname "$0")/lib.sh"

catalog() {
	sqlite3 -cmd '.timeout 10000' "$STATE/catalog.sqlite3" "$1"
}

# From now on confirmed imports stay in_progress, as after a failure that is
# tried again later (import.md 10.5). A client says "held" when it has heard so
# from the server; "Importing" it says by itself, before it asks.
hold_imports() {
	catalog "CREATE TRIGGER hold AFTER UPDATE OF state ON import_jobs
		WHEN new.state = 2 BEGIN UPDATE import_jobs
		SET retry_ns = 9000000000000000000, progress = 'held'
		WHERE number = new.number; END"
}

release_imports() {
	catalog 'DROP TRIGGER hold; UPDATE import_jobs SET retry_ns = 0'
}

# An import that runs is the newest one.
newest() {
	IMPORT=$(query _system/cli/queryImport:list '{}' | jq -r '.[0]._id')
}

# start_client ARGUMENT...: in the background, what it says to "said"; $CLI is
# its process.
start_client() {
	need node "$CLIENT/node_modules/convex/bin/main.js"
	echo '{"dependencies":{"convex":"*"}}' >package.json
	node "$CLIENT/node_modules/convex/bin/main.js" "$@" \
		--url "$URL" --admin-key "$KEY" >said 2>&1 </dev/null &
	CLI=$!
}

# end_client STATUS
end_client() {
	local status=0
	wait "$CLI" || status=$?
	[ "$status" = "$1" ] ||
		fail "the client ended with $status, not $1: $(cat said)"
}

prepare() {
	start_server
	start_mount
	start_twin
	printf '{"n":%d}\n' 1 2 3 >three.jsonl
}

# As the import that the client began would have been.
expect_as_import() {
	expect_status 0 "$CVX_BIN" import "$@" --source "local:$DIR/twin"
	expect_twins
}

# import-11, IMP-3: another import is in progress; the client says so, and goes
# on with its own, and both happen.
case_IMP3_another_import_in_progress() {
	local other
	prepare
	upload three.jsonl
	finish other append
	other=$IMPORT
	expect_state "$other" waiting_for_confirmation
	hold_imports
	expect_call '200 $' post /api/perform_import "{\"importId\":\"$other\"}"
	catalog 'DROP TRIGGER hold'
	expect_state "$other" in_progress
	expect_cli 0 import --table t --yes three.jsonl
	expect_said 'There is already a snapshot import in progress'
	expect_said 'Added 3 documents to table "t"'
	expect_numbers t 1 2 3
	[ ! -e "$MNT/other" ] || fail "the other import is not held"
	catalog 'UPDATE import_jobs SET retry_ns = 0'
	expect_state "$other" completed
	expect_numbers other 1 2 3
	stop_mounts
	stop_server
}

# import-12, WS-5: the server is killed while the import is in progress, and
# comes back; the client connects again, and sees the import end.
case_WS5_server_killed_and_started_during_an_import() {
	local listen
	prepare
	hold_imports
	start_client import --table t three.jsonl
	await 20 grep -q '^- held$' said
	listen=${URL#http://}
	kill_server
	await 20 grep -q 'WebSocket closed with code 1006' said
	start_server_at "$listen"
	await 20 grep -q 'WebSocket reconnected' said
	release_imports
	end_client 0
	expect_said 'Added 3 documents to table "t"'
	expect_as_import --table t three.jsonl
	stop_mounts
	stop_server
}

# import-25, IMP-22: who interrupts the client does not stop the import.
case_IMP22_an_interrupted_client_leaves_the_import() {
	prepare
	hold_imports
	start_client import --table t three.jsonl
	await 20 grep -q '^- held$' said
	newest
	kill -INT "$CLI"
	end_client 1
	expect_said 'WARNING: Import is continuing to run on the server'
	expect_state "$IMPORT" in_progress
	[ ! -e "$MNT/t" ] || fail "the import is not held"
	release_imports
	expect_state "$IMPORT" completed
	expect_as_import --table t three.jsonl
	stop_mounts
	stop_server
}

# Whoever holds this lock works on what servers are asked for; others wait.
hold_turn() {
	mkdir -p "$STATE"
	mkfifo turn
	flock -o "$STATE/server.lock" cat turn &
	await 10 is_held
}

is_held() {
	! flock -n "$STATE/server.lock" true
}

release_turn() {
	: >turn
}

latest() {
	query _system/cli/exports:getLatest '{}' | jq -r .state
}

is_requested() {
	[ "$(latest)" = requested ]
}

# export-03, export-05; EXP-2, EXP-5: a second export is refused while one
# waits, which is then canceled.
case_EXP5_one_export_at_a_time_and_canceled() {
	hold_turn
	start_server
	start_client export --path out.zip
	await 20 is_requested
	mv said said.first
	expect_cli 1 export --path other.zip
	expect_said 'A snapshot export is already requested or in progress'
	expect_call '200 $' call POST "/api/export/cancel/$(query \
		_system/cli/exports:getLatest '{}' | jq -r ._id)"
	mv said.first said
	end_client 1
	expect_said 'unexpected state .*"state":"canceled"'
	release_turn
	# It was not made after all, and another one can be.
	expect_cli 0 export --path other.zip
	[ ! -e out.zip ] || fail "the canceled export is there"
	stop_server
}

# export-04, EXP-5: the server cannot write the archive.
case_EXP5_an_export_that_fails() {
	prepare
	seed t 1 2 3
	rm -r "$STATE/exports"
	: >"$STATE/exports"
	expect_cli 1 export --path out.zip
	expect_said 'Export failed'
	expect_text state "$(latest)" failed
	[ ! -e out.zip ] || fail "there is an archive"
	rm "$STATE/exports"
	mkdir "$STATE/exports"
	expect_cli 0 export --path out.zip
	expect_said 'Downloaded snapshot export to out.zip'
	stop_mounts
	stop_server
}

run_cases "$@"
