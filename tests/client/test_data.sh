#!/usr/bin/env bash
#
# npx convex data, and ConvexHttpClient, against `convexfs serve` (protocol.md
# 5, 9; transcripts data-*).

# shellcheck source=tests/client/lib.sh
. "$(dirname "$0")/lib.sh"

# Documents of all kinds of values, the later ones created earlier.
seed_values() {
	mkdir -p "$MNT/values" "$MNT/empty"
	cat >values.jsonl <<-'END'
		{"_creationTime":1700000002000.75,"name":"Carol"}
		{"_creationTime":1700000001000.25,"n":-1,"name":"Bob"}
		{"_creationTime":1700000000000.5,"b":{"$bytes":"AAEC"},"f":1.5,"inf":{"$float":"AAAAAAAA8H8="},"n":7,"name":"Alice","nested":{"a":[1.0,"x",null,true]}}
	END
	mkdir -p zip/values
	cp values.jsonl zip/values/documents.jsonl
	printf '%s\n' '"uniform"' >zip/values/generated_schema.jsonl
	(cd zip && zip -qr ../values.zip .)
	cp values.zip "$MNT/values.append.zip"
}

# data-01, -02, -03, -10: lists, kinds of values, orders, limits.
case_DAT_lists_and_documents_by_creation_time() {
	start_server
	start_mount
	seed_values
	expect_cli 0 data
	expect_text tables "$(grep -v '^$' said | tr '\n' ' ')" "empty values "
	expect_cli 0 data values --format jsonLines --order asc
	sed 's/"_id": "[^"]*"/"_id": "…"/' said >got
	cat >want <<-'END'
		{ "_creationTime": 1700000000000.5, "_id": "…", "b": Bytes("AAEC"), "f": 1.5, "inf": Infinity, "n": 7n, "name": "Alice", "nested": { "a": [1, "x", null, true] } }
		{ "_creationTime": 1700000001000.25, "_id": "…", "n": -1n, "name": "Bob" }
		{ "_creationTime": 1700000002000.75, "_id": "…", "name": "Carol" }
	END
	expect_file got want
	expect_cli 0 data values --limit 2
	expect_said 'Carol'
	expect_said 'Bob'
	expect_said 'Showing the 2 most recently created documents'
	! grep -q Alice said || fail "--limit was overlooked"
	expect_cli 0 data nothing
	expect_said 'There are no documents in this table'
	stop_mount
	stop_server
}

# data-04, WS-8: 25,000 documents come in pages of at most 10,000, each of them
# once.
case_DAT4_pages_hold_each_document_once() {
	start_server
	start_mount
	make_rows 1 25000 >many.jsonl
	mkdir "$MNT/many"
	cp many.jsonl "$MNT/many/"
	expect_cli 0 data many --limit 25001 --order asc --format jsonLines
	sed 's/.*"n": \([0-9]*\),.*/\1/' said >got
	seq 25000 >want
	expect_file got want
	stop_mount
	stop_server
}

# data-05, data-08: a component; a wrong key.
case_DAT6_component_and_wrong_key() {
	start_server
	start_mount
	mkdir -p "$MNT/_components/lib/t"
	printf '{"n":41}\n' >one.jsonl
	cp one.jsonl "$MNT/_components/lib/t/"
	expect_cli 0 data t --component lib --format jsonl
	expect_said '"n": 41'
	KEY=x expect_cli 1 data
	expect_said 'SystemIdentityRequired'
	stop_mount
	stop_server
}

# select-01, -02: what names the server without --url; what is not there comes
# from .env.local.
case_SEL_variables_name_the_server() {
	start_server
	start_mount
	seed t 7
	echo '{"dependencies":{"convex":"*"}}' >package.json
	need node
	CONVEX_SELF_HOSTED_URL=$URL CONVEX_SELF_HOSTED_ADMIN_KEY=$KEY \
		expect_status 0 node "$CLIENT/node_modules/convex/bin/main.js" \
		data t --format jsonl
	expect_said '"n": 7'
	printf 'CONVEX_SELF_HOSTED_%s\n' "URL='$URL'" "ADMIN_KEY='$KEY'" \
		>.env.local
	expect_status 0 node "$CLIENT/node_modules/convex/bin/main.js" \
		data t --format jsonl
	expect_said '"n": 7'
	stop_mount
	stop_server
}

is_exported() {
	[ "$(query _system/cli/exports:getLatest '{}' | jq -r .state)" = completed ]
}

# QRY-1 to QRY-9: the library for programs calls each function once, and what is
# none.
case_QRY_http_client_calls_every_system_function() {
	start_server
	start_mount
	seed_values
	mkdir -p "$MNT/_components/lib/t"
	printf '{"n":41}\n' >one.jsonl
	cp one.jsonl "$MNT/_components/lib/t/"
	upload one.jsonl
	finish empty replace
	expect_state "$IMPORT" waiting_for_confirmation
	expect_call '200 $' post /api/perform_import "{\"importId\":\"$IMPORT\"}"
	expect_state "$IMPORT" completed
	expect_call '200 $' call POST /api/export/request/zip
	await 10 is_exported
	need node
	CLIENT=$CLIENT node "$SOURCE/functions.cjs" >got
	diff "$SOURCE/functions.txt" got || fail "that is not functions.txt"
	stop_mount
	stop_server
}

run_cases "$@"
