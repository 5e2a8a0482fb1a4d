#!/usr/bin/env bash
# convexfs serve, as a program that speaks HTTP sees it. No case needs a mount.
# shellcheck source=tests/client/lib.sh disable=SC2119,SC2317
. "$(dirname "$0")/../client/lib.sh"

# send TABLE MODE ROW...: into the deployment, past the server.
send() {
	local table=$1 mode=$2
	shift 2
	printf '%s\n' "$@" | "$CVX_BIN" import -y --table "$table" \
		--format jsonLines "--$mode" --source "local:$STATE" - >/dev/null
}

# sync_all FILTER [SELECTION]: asks until it is up to date, from $cursor on;
# what jq finds in each page goes to the file "got".
sync_all() {
	local type=''
	: >got
	until [ "$type" = upToDate ]; do
		post /api/v1/data/sync "{${cursor:+\"cursor\":\"$cursor\",}
			${2-}\"x\":null}" | sed 's/^200 //' >page
		jq -c "$1" page >>got
		type=$(jq -re .status.type page)
		cursor=$(jq -re .pagination.nextCursor page)
	done
}

# STR-9: a copy that is kept up to date by hand, over a restart.
case_STR9_data_sync() {
	local cursor='' seen='[.truncates[].table], [.values[] |
		"\(.component)/\(.table) \(.value.n | floor) \(.deleted)"]' old
	start_server
	sync_all "$seen"
	expect_text nothing "$(cat got)" $'[]\n[]'
	send t append '{"n":1}' '{"n":2}'
	send u append '{"n":5}'
	sync_all "$seen"
	expect_text all "$(cat got)" "$(printf '%s\n' '[]' \
		'["/t 1 false","/t 2 false","/u 5 false"]')"
	stop_server
	start_server
	old=$cursor
	send t append '{"n":3}'
	send u replace '{"n":6}'
	sync_all "$seen"
	expect_text changes "$(cat got)" $'["u"]\n["/t 3 false","/u 6 false"]'
	sync_all "$seen"
	expect_text unchanged "$(cat got)" $'[]\n[]'
	expect_text ts "$(jq '.status.snapshotTs > 1e18' page)" true
	# The names of what is wrong.
	expect_call '400.*InvalidDataSyncCursor' post /api/v1/data/sync \
		'{"cursor":"x"}'
	expect_call '400.*InvalidDataSyncCursor' post /api/v1/data/sync \
		'{"cursor":5}'
	expect_call '400.*InvalidDataSyncCursor' post /api/v1/data/sync \
		"{\"cursor\":\"$old\",\"tableName\":\"t\"}"
	expect_call '400.*InvalidDataSyncSelection' post /api/v1/data/sync \
		'{"selection":5}'
	expect_call '400.*InvalidDataSyncSelection' post /api/v1/data/sync \
		'{"tableName":5}'
	expect_call '400.*BadJsonBody' post /api/v1/data/sync '[]'
	KEY=x expect_call '401.*BadAdminKey' post /api/v1/data/sync '{}'
	expect_call '404 $' call GET /api/v1/data/sync
	cursor=
	sync_all '.values[].value.n | floor' '"tableName":"t",'
	expect_text table "$(tr '\n' ' ' <got)" '1 2 3 '
	stop_server
}

# SCH-9, -10; and what is known but not served.
case_SCH10_clear_tables_and_delete_components() {
	local id
	start_server
	send t append '{"n":1}' '{"n":2}'
	send u append '{"n":3}'
	printf '{"n":4}\n' | "$CVX_BIN" import -y --table v --component lib/sub \
		--format jsonLines --source "local:$STATE" - >/dev/null
	expect_call '200 $' call PUT /api/streaming_import/clear_tables \
		-H 'Content-Type: application/json' \
		-d '{"tableNames":["t","nothing"]}'
	expect_text sizes "$(query _system/cli/tableSize '{"tableName":"t"}'
		query _system/cli/tableSize '{"tableName":"u"}')" $'0\n1'
	expect_text tables "$(query _system/cli/tables \
		'{"paginationOpts":{"cursor":null,"numItems":9}}' |
		jq -r '[.page[].name] | join(" ")')" 't u'
	expect_call '400.*InvalidTableName' call PUT \
		/api/streaming_import/clear_tables \
		-H 'Content-Type: application/json' -d '{"tableNames":["_x"]}'
	component() {
		query _system/frontend/components:list '{}' |
			jq -re ".[] | select(.path == \"$1\").id"
	}
	id=$(component lib)
	expect_call '400.*CannotDeleteComponent.*has components' \
		post /api/delete_component "{\"componentId\":\"$id\"}"
	expect_call '400.*CannotDeleteComponent.*root' \
		post /api/delete_component "{\"componentId\":\"$(component "")\"}"
	expect_call '400.*BadJsonBody' post /api/delete_component '{}'
	expect_call '200 $' post /api/delete_component \
		"{\"componentId\":\"$(component lib/sub)\"}"
	expect_call '200 $' post /api/delete_component \
		"{\"componentId\":\"$id\"}"
	expect_text components "$(query _system/frontend/components:list '{}' |
		jq length)" 1
	for id in get_table_column_names shapes2 json_schemas \
		v1/data/list_active_syncs; do
		expect_call '404 .*NotServed' call GET "/api/$id"
	done
	expect_call '404 .*NotServed.*CORS' call OPTIONS /api/query
	expect_call '404 $' call GET /api/nothing
	stop_server
}

# When a failure cannot be recorded, what failed is tried again, but not as fast
# as the processor can.
case_workers_rest_when_the_catalog_takes_nothing() {
	local part
	need sqlite3
	start_server
	sqlite3 "$STATE/catalog.sqlite3" \
		"CREATE TRIGGER a BEFORE UPDATE ON export_jobs
			BEGIN SELECT RAISE(ABORT, 'no room'); END;
		CREATE TRIGGER b BEFORE UPDATE ON import_jobs
			BEGIN SELECT RAISE(ABORT, 'no room'); END"
	printf '{"n":1}\n' >one.jsonl
	upload one.jsonl
	finish t append
	expect_call 200 call POST /api/export/request/zip
	sleep 3
	for part in export import; do
		cat "$DIR"/.log.*server* |
			grep -q "^convexfs: warning: $part .*no room" ||
			fail "no $part was tried"
	done
	part=$(cat "$DIR"/.log.*server* | wc -l)
	[ "$part" -lt 60 ] || fail "$part lines of the log"
	sqlite3 "$STATE/catalog.sqlite3" "DROP TRIGGER a; DROP TRIGGER b"
	expect_state "$IMPORT" waiting_for_confirmation
	stop_server
}

run_cases "$@"
