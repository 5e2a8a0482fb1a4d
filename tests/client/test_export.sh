#!/usr/bin/env bash
#
# npx convex export against `convexfs serve` (protocol.md 8; transcripts
# export-*).

# shellcheck source=tests/client/lib.sh
. "$(dirname "$0")/lib.sh"

# A table, an empty one, one in a component, and a stored file.
seed_all() {
	seed t 1 2 3
	mkdir -p "$MNT/empty" "$MNT/_components/lib/u"
	printf '{"n":4}\n' >four.jsonl
	cp four.jsonl "$MNT/_components/lib/u/"
	printf 'hello\n' >note.txt
	cp note.txt "$MNT/_storage/"
}

latest() {
	query _system/cli/exports:getLatest '{}' | jq -r "$1"
}

has_latest() {
	[ "$(latest .state)" = "$1" ]
}

# export-01, -02: a file, a folder; with files and without. What they hold is
# what the mount shows, and imports again as what it was.
case_EXP_archives_hold_what_the_mount_shows() {
	local file
	start_server
	start_mount
	seed_all
	mkdir out
	expect_cli 0 export --path out --include-file-storage
	expect_said 'Downloaded snapshot export to out'
	file=$(echo out/*)
	expect_match name "$file" '^out/snapshot_local-state_[0-9]{19}.zip$'
	mkdir unzipped
	(cd unzipped && unzip -q "../$file")
	expect_file "$MNT/t/documents.jsonl" unzipped/t/documents.jsonl
	expect_file "$MNT/_components/lib/u/documents.jsonl" \
		unzipped/_components/lib/u/documents.jsonl
	expect_file "$MNT/_storage/documents.jsonl" \
		unzipped/_storage/documents.jsonl
	expect_file note.txt "$(echo unzipped/_storage/*.txt)"

	expect_cli 0 export --path plain.zip
	! unzip -l plain.zip | grep -q _storage/ || fail "files without being asked"

	cp -r "$MNT/t" "$MNT/_storage" .
	seed t 9
	expect_cli 0 import --replace-all -y "$file"
	expect_file "$MNT/t/documents.jsonl" t/documents.jsonl
	expect_file "$MNT/_storage/documents.jsonl" _storage/documents.jsonl
	stop_mount
	stop_server
}

# EXP-2, EXP-8, EXP-10, EXP-11, by hand.
case_EXP_one_at_a_time_cancel_and_errors() {
	local id start
	start_server
	expect_call 404.*ExportNotFound call GET /api/export/zip/1795334642068000000
	expect_call 400.*BadSnapshotId call GET /api/export/zip/x
	sqlite3 "$STATE/catalog.sqlite3" "INSERT INTO export_jobs(id, created_ms,
		component, has_storage, state, expiration_ns)
		VALUES ('x', 0, '', 0, 0, 0)"
	expect_call 400.*ExportInProgress call POST /api/export/request/zip
	await 10 has_latest completed
	sqlite3 "$STATE/catalog.sqlite3" "DELETE FROM export_jobs"
	expect_text latest "$(latest .)" null
	expect_call '200 $' call POST '/api/export/request/zip?includeStorage=true'
	await 10 has_latest completed
	id=$(latest ._id)
	expect_call 500 call POST "/api/export/cancel/$id"
	expect_call 400.*SnapshotExpirationInPast \
		post "/api/export/set_expiration/$id" '{"expirationTsNs":5}'
	expect_call 400.*SnapshotExpirationTooLarge \
		post "/api/export/set_expiration/$id" \
		'{"expirationTsNs":9000000000000000000}'
	expect_call '200 $' post "/api/export/set_expiration/$id" \
		"{\"expirationTsNs\":$(($(date +%s) + 86400))000000000}"
	expect_call 200 call GET "/api/export/zip/$id"
	start=$(call POST /api/query -H 'Content-Type: application/json' \
		-d '{"path":"_system/cli/exports:getLatest","args":{}}' |
		sed 's/^200 //' | jq -r .value.start_ts)
	call GET "/api/export/zip/$start" -D headers >/dev/null
	expect_match headers "$(cat headers)" \
		"attachment; filename=snapshot_local-state_$start.zip" \
		'private, max-age=2592000'
	stop_server
	# It is there after a restart, and gone when it has expired.
	start_server
	expect_call 200 call GET "/api/export/zip/$start"
	sqlite3 "$STATE/catalog.sqlite3" "UPDATE export_jobs SET expiration_ns = 1"
	stop_server
	start_server
	await 10 test ! -e "$STATE/exports/2.zip"
	expect_call 404.*ExportNotFound call GET "/api/export/zip/$start"
	stop_server
}

run_cases "$@"
