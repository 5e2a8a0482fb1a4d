#!/usr/bin/env bash
#
# What other programs ask `convexfs serve` for, by hand: stored files, schemas,
# tables, and all documents (protocol.md 5.2, 10 to 12).

# shellcheck source=tests/client/lib.sh
. "$(dirname "$0")/lib.sh"

mutate() {
	post /api/mutation \
		"{\"path\":\"$1\",\"args\":$2,\"format\":\"convex_encoded_json\"}" |
		sed 's/^200 //' | jq -ce .value
}

# FIL-1 to FIL-4.
case_FIL_files_are_stored_and_read() {
	local files=_system/frontend/fileStorageV2 leave id url digest
	start_server
	head -c 300000 /dev/urandom >bytes
	digest=$(sha256sum bytes | perl -ne 'print pack "H64", $_' | base64)
	leave=$(mutate $files:generateUploadUrl '{}' | jq -r .)
	expect_match url "$leave" "^$URL/api/storage/upload.token="
	id=$(curl -sS "$leave" -H 'Content-Type: image/png' \
		-H "Digest: sha-256=$digest" --data-binary @bytes | jq -re .storageId)
	for bad in 'sha-256=AAAA:BadHeader' "sha-256=$(head -c 32 /dev/zero |
		base64):Sha256Mismatch"; do
		expect_match answer "$(curl -sS "$leave" -H "Digest: ${bad%:*}" \
			-H 'Content-Type: image/png' --data-binary @bytes)" \
			"${bad##*:}"
	done
	expect_match answer "$(curl -sS "$leave" -H 'Content-Type: x' -d y)" \
		BadHeader
	expect_match answer "$(curl -sS -w '%{http_code}' "${leave%?}" -d y)" \
		'StorageTokenInvalid.*401'
	query $files:fileMetadata \
		'{"paginationOpts":{"numItems":10,"cursor":null}}' >listed
	expect_text listed "$(jq -c '[.isDone, (.page | length), .page[0]._id,
		.page[0].contentType, .page[0].size, .page[0].sha256]' listed)" \
		"[true,1,\"$id\",\"image/png\",300000,\"$digest\"]"
	url=$(jq -r '.page[0].url' listed)
	curl -sS -D headers "$url" >got
	expect_file got bytes
	expect_match headers "$(cat headers)" 'content-type: image/png' \
		'content-length: 300000' "Digest: sha-256=${digest//+/.}" \
		'private, max-age=2592000'
	curl -sS -D headers -r 100000-200000 "$url" >got
	head -c 200001 bytes | tail -c 100001 >want
	expect_file got want
	expect_match headers "$(cat headers)" '206' 'bytes 100000-200000/300000'
	curl -sS -r -5 "$url" >got
	tail -c 5 bytes >want
	expect_file got want
	for range in 0-1,3-4 300000- 5-2; do
		expect_text "status of $range" \
			"$(curl -sS -o got -w '%{http_code}' -r "$range" "$url")" 416
	done
	expect_call '404.*FileNotFound' call GET \
		/api/storage/00000000-0000-0000-0000-000000000000
	expect_call '400.*InvalidStoragePath' call GET /api/storage/x
	expect_text size "$(query $files:numFiles '{}')" 1
	query _system/cli/tableData '{"table":"_storage","order":"asc",
		"paginationOpts":{"numItems":1,"cursor":null}}' |
		jq -e ".page[0]._id == \"$id\"" >got
	start_mount
	expect_file "$MNT/_storage/$id.png" bytes
	stop_mount
	expect_text deleted "$(mutate $files:deleteFile "{\"storageId\":\"$id\"}" ||
		:)" null
	expect_text gone "$(query $files:getFile "{\"storageId\":\"$id\"}" || :)" null
	stop_server
}

# SCH-1 to SCH-8.
case_SCH_schemas_and_tables() {
	local lib
	start_server
	start_mount
	mkdir -p "$MNT/_components/lib/u"
	seed t 1 2 3
	seed v 4
	expect_text 'no schema' "$(query _system/frontend/getSchemas '{}')" '{}'
	expect_call '200 null' call GET /api/streaming_import/get_schema
	echo '{"tables":[{"tableName":"t","indexes":[{"indexDescriptor":"by_n",
		"fields":["n","_creationTime"]}],"documentType":null},
		{"tableName":"w","indexes":[],"documentType":{"type":"object","value":
		{"t":{"optional":true,"fieldType":{"type":"id","tableName":"t"}}}}}],
		"schemaValidation":true}' >schema.json
	cp schema.json "$MNT/.convex/schema.json"
	query _system/frontend/getSchemas '{}' | jq -r .active >active
	expect_text schema "$(jq -c '.tables[0].indexes' active)" \
		'[{"indexDescriptor":"by_n","fields":["n","_creationTime"]}]'
	expect_text 'the same' "$(call GET /api/streaming_import/get_schema |
		sed 's/^200 //')" "$(cat active)"
	expect_call '200 .*"indexes":..*"by_n".*"staged":false.*"table":"t"' \
		call GET /api/get_indexes
	expect_text indexes "$(query _system/frontend/indexes \
		'{"tableName":"t","tableNamespace":null}' | jq -c '.[0].fields')" \
		'["n","_creationTime"]'
	expect_text 'no table' "$(query _system/frontend/indexes \
		'{"tableName":"x","tableNamespace":null}' || :)" null
	query _system/frontend/components:list '{}' >components
	expect_text components "$(jq -c '[.[] | [.path, .name, .state]]' components)" \
		'[["",null,"active"],["lib","lib","unmounted"]]'
	lib=$(jq -r '.[1].id' components)
	expect_text mapping "$(query _system/frontend/getTableMapping \
		"{\"componentId\":\"$lib\"}" | jq -c '[.[]] | sort')" \
		'["_file_storage","_scheduled_jobs","u"]'
	expect_text size "$(query _system/frontend/tableSize \
		'{"tableName":"t"}')" 3
	expect_text cleared "$(mutate _system/frontend/clearTablePage \
		'{"tableName":"t","cursor":null}' | jq -c '[.deleted, .hasMore]')" \
		'[3,false]'
	expect_rows t 0
	expect_call '400.*InvalidTableName' post /api/delete_tables \
		'{"tableNames":["v","_x"]}'
	expect_call '400.*SchemaEnforcementError' post /api/delete_tables \
		'{"tableNames":["v","t"]}'
	expect_rows v 1
	expect_call '200 $' post /api/delete_tables '{"tableNames":["v","x"]}'
	[ ! -e "$MNT/v" ] || fail "the table is there still"
	expect_call '200 $' post /api/delete_tables \
		"{\"tableNames\":[\"u\"],\"componentId\":\"$lib\"}"
	stop_mount
	stop_server
}

# page ORDER CURSOR
page() {
	query _system/cli/tableData "{\"table\":\"t\",\"order\":\"$1\",
		\"paginationOpts\":{\"numItems\":2,\"cursor\":$2}}"
}

# DAT-1, DAT-2: a cursor is good for one table and order, whatever is committed.
case_DAT1_cursors_stay_good() {
	local args next
	start_server
	start_mount
	seed t 1 2 3 4 5
	args=null
	page asc "$args" >got
	expect_text first "$(jq -c '[[.page[].n], .isDone]' got)" '[[1,2],false]'
	next=$(jq .continueCursor got)
	echo '{"n":6}' >>"$MNT/t/documents.jsonl"
	expect_text second "$(page asc "$next" | jq -c '[.page[].n]')" '[3,4]'
	seed t 7
	expect_text 'after a replace' "$(page asc "$next" | jq -c \
		'[[.page[].n], .isDone]')" '[[7],true]'
	expect_call '200.*InvalidCursor.*paginationError' post /api/query \
		"{\"path\":\"_system/cli/tableData\",\"args\":{\"table\":\"t\",
		\"order\":\"desc\",\"paginationOpts\":{\"numItems\":2,
		\"cursor\":$next}}}"
	for args in "${next%?\"}\"" "${next%\"}0\""; do
		expect_call '200.*InvalidCursor' post /api/query \
			"{\"path\":\"_system/cli/tableData\",\"args\":{
			\"table\":\"t\",\"order\":\"asc\",\"paginationOpts\":{
			\"numItems\":2,\"cursor\":$args}}}"
	done
	expect_call '200.*numItems' post /api/query \
		'{"path":"_system/cli/tableData","args":{"table":"t",
		"order":"desc","paginationOpts":{"numItems":0,"cursor":null}}}'
	stop_mount
	stop_server
}

# QRY-10, and several questions at once.
case_QRY_at_a_time_and_in_batches() {
	local ts ask
	start_server
	start_mount
	seed t 1 2
	ts=$(call POST /api/query_ts | sed 's/^200 //' | jq -re .ts)
	ask='"path":"_system/cli/tableSize","args":{"tableName":"t"}'
	expect_call '200.*"value":2.0' post /api/query_at_ts "{\"ts\":\"$ts\",$ask}"
	expect_call '200.*"value":2.0.*"value":2.0.*"status":"error"' \
		post /api/query_batch "{\"queries\":[{$ask},{$ask},
		{\"path\":\"app:f\",\"args\":{}}]}"
	seed t 3
	expect_call '503.*OutOfRetention' post /api/query_at_ts \
		"{\"ts\":\"$ts\",$ask}"
	expect_call '400.*BadJsonBody' post /api/query_at_ts "{\"ts\":\"x\",$ask}"
	stop_mount
	stop_server
}

# STR-1 to STR-4: every document once, of one moment; what came after it.
case_STR_snapshots_and_deltas() {
	local cursor='' snapshot='' more=true start
	start_server
	start_mount
	make_rows 1 3000 >many.jsonl
	mkdir -p "$MNT/many" "$MNT/empty" "$MNT/_components/lib"
	cp many.jsonl "$MNT/many/"
	seed t 1 2
	mkdir "$MNT/_components/lib/u"
	echo '{"n":5}' >five.jsonl
	cp five.jsonl "$MNT/_components/lib/u/"
	: >values
	while [ "$more" = true ]; do
		call GET "/api/list_snapshot?format=export_json$snapshot$cursor" |
			sed 's/^200 //' >got
		jq -c '.values[]' got >>values
		more=$(jq .hasMore got)
		cursor=\&cursor=$(jq -r .cursor got)
		start=$(sed 's/.*"snapshot":\([0-9]*\).*/\1/' got)
		snapshot=\&snapshot=$start
		# What is committed meanwhile is not seen.
		[ -n "${changed-}" ] || seed t 3
		changed=yes
	done
	expect_text counts "$(jq -r '"\(._component)/\(._table)"' values | sort |
		uniq -c | tr -s ' \n' ' ')" ' 3000 /many 2 /t 1 lib/u '
	expect_text ids "$(jq -r ._id values | sort -u | wc -l)" 3003
	call GET "/api/document_deltas?cursor=$start" | sed 's/^200 //' >got
	expect_text deltas "$(jq -c '[[.values[] | [._table, .n, ._deleted]],
		.hasMore]' got)" '[[["t",3,false]],false]'
	snapshot=$(sed 's/.*"cursor":\([0-9]*\).*/\1/' got)
	expect_call "200 ..values.:..,.cursor.:$snapshot,.hasMore.:false" \
		call GET "/api/document_deltas?cursor=$snapshot"
	post /api/list_snapshot '{"selection":{"_other":"excluded",
		"":{"_other":"excluded","many":{"_other":"excluded",
		"n":"included"}}}}' | sed 's/^200 //' >got
	expect_text fields "$(jq -c '.values[0] | keys' got)" \
		'["_component","_id","_table","_ts","n"]'
	expect_call '200 ..values.:..._component.:.lib.,._table.:.u.' \
		call GET '/api/list_snapshot?component=lib'
	expect_call '400.*SnapshotTooNew' call GET \
		/api/list_snapshot?snapshot=9000000000000000000
	expect_call '400.*SnapshotTooOld' call GET /api/list_snapshot?snapshot=5
	expect_call '400.*InvalidListSnapshotCursor' call GET \
		/api/list_snapshot?cursor=x
	expect_call '400.*DocumentDeltasCursorRequired' call GET \
		/api/document_deltas
	expect_call '400.*BadJsonBody' post /api/list_snapshot '{"selection":5}'
	expect_call '200 null' call GET /api/test_streaming_export_connection
	stop_mount
	stop_server
}

run_cases "$@"
