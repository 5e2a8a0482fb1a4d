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

# data-01, -02, -03, -04, -10: lists, kinds of values, orders, limits.
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
	expect_cli 0 data empty
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

# The library for programs.
case_QRY_http_client_asks_system_functions() {
	start_server
	start_mount
	seed_values
	need node
	cat >ask.mjs <<-'END'
		import { createRequire } from 'module';
		const { ConvexHttpClient } =
			createRequire(process.env.CLIENT + '/')('convex/browser');
		const { makeFunctionReference } =
			createRequire(process.env.CLIENT + '/')('convex/server');
		const ask = (path, args) => {
			const client = new ConvexHttpClient(process.env.URL);
			client.setAdminAuth(process.env.KEY);
			return client.query(makeFunctionReference(path), args);
		};
		const print = (value) => console.log(JSON.stringify(value,
			(k, v) => typeof v === 'bigint' ? `${v}n` : v));
		const page = await ask('_system/cli/tableData', {
			table: 'values', order: 'desc',
			paginationOpts: { cursor: null, numItems: 10 } });
		print(page.page.map((d) => [d.name, d.n]));
		print(await ask('_system/cli/tableSize', { tableName: 'values' }));
		print(await ask('_system/cli/tables', {
			paginationOpts: { cursor: null, numItems: 10 } }));
		await ask('_system/cli/tableData', {
			table: 'values', order: 'desc',
			paginationOpts: { cursor: 'x', numItems: 10 } }
		).catch((e) => console.log(e.message.split('\n')[1]));
		await ask('app:list', {}).catch((e) =>
			console.log(e.message.split('\n')[1]));
	END
	CLIENT=$CLIENT node ask.mjs >got
	cat >want <<-'END'
		[["Carol",null],["Bob","-1n"],["Alice","7n"]]
		3
		{"continueCursor":"end","isDone":true,"page":[{"name":"empty"},{"name":"values"}]}
		InvalidCursor: the cursor is not one of this table and order
		Could not find public function for 'app:list'
	END
	expect_file got want
	stop_mount
	stop_server
}

run_cases "$@"
