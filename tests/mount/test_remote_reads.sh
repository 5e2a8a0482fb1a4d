#!/usr/bin/env bash
# Reading a deployment behind a URL: what is asked of it, and when.
# shellcheck source=tests/client/lib.sh disable=SC2119
. "$(dirname "$0")/../client/lib.sh"

export no_proxy='*'
THERE=$PWD

# mount_recorded [-o OPTIONS]: $MNT is mounted by a way that writes to "asked"
# what is asked for; $THERE is what is there.
mount_recorded() {
	start_server
	export CONVEX_SELF_HOSTED_ADMIN_KEY=$KEY
	THERE=$DIR/there
	start_mount_at "$STATE" "$THERE"
	: >asked
	start_way --asked asked --faults faults
	start_mount_at "$THROUGH" "$MNT" "$@"
}

unmount_recorded() {
	stop_mounts
	stop_way
	stop_server
}

numbered() {
	seq "$@" | sed 's/.*/{"n":&}/'
}

fill() {
	mkdir -p "$THERE/$1"
	numbered "${@:2}" >"$THERE/$1/documents.jsonl"
}

expect_same() {
	expect_file "$MNT/$1/documents.jsonl" "$THERE/$1/documents.jsonl"
}

# What asks for documents, in whatever way.
documents_asked() {
	grep -cE 'data/sync|list_snapshot|document_deltas|tableData|export/' \
		asked || :
}

expect_documents_asked() {
	expect_text "requests for documents" "$(documents_asked)" "$1"
}

case_T9_listing_fetches_no_documents() {
	local n
	mount_recorded
	for n in 1 2 3 4 5; do
		fill t$n 1 $n
	done
	mkdir -p "$THERE/_components/inner"
	fill _components/inner/u 1
	ls -l "$MNT" "$MNT/_components/inner" >listed
	grep -q t5 listed
	grep -q ' u$' listed
	cat "$MNT/_tables/documents.jsonl" "$MNT/t1/generated_schema.jsonl" >/dev/null
	expect_text "count" "$(getfattr --absolute-names --only-values \
		-n user.convex.documents "$MNT/t3")" 3
	expect_documents_asked 0
	expect_same t3
	expect_same _components/inner/u
	unmount_recorded
}

# schema FIELD TYPE: of table t, with an index of the field.
schema() {
	jq -n --arg field "$1" --arg type "$2" \
		'{schemaValidation: true, tables: [{tableName: "t",
		indexes: [{indexDescriptor: "by_\($field)",
			fields: [$field, "_creationTime"]}],
		documentType: {type: "object", value: {($field):
			{fieldType: {type: $type}, optional: true}}}}]}'
}

# What the deployment's code says of its tables is read, and holds here.
case_T1_schema_and_indexes_are_those_of_the_deployment() {
	local file=.convex/schema.json index=.convex/indexes/t/by_n.jsonl
	mount_recorded
	test ! -e "$MNT/$file"
	schema n number >schema.json
	cp schema.json "$THERE/.convex/"
	mkdir "$THERE/t"
	jq -n -c 'range(500) | {n: (. * 7919 % 1000)}' \
		>"$THERE/t/documents.jsonl"
	jq -S . "$THERE/$file" >want
	jq -S . "$MNT/$file" >got
	expect_file got want
	ls "$MNT/.convex/indexes/t" >listed
	expect_text "indexes" "$(tr '\n' ' ' <listed)" \
		"by_creation_time.jsonl by_id.jsonl by_n.jsonl "
	expect_file "$MNT/$index" "$THERE/$index"
	numbered -1 -1 >>"$THERE/t/documents.jsonl"
	expect_file "$MNT/$index" "$THERE/$index"
	numbered -2 -2 >>"$MNT/t/documents.jsonl"
	expect_file "$MNT/$index" "$THERE/$index"
	# Rows that break it are refused in the deployment's words.
	echo '{"n":"x"}' >bad.jsonl
	expect_refused 'Invalid argument' cp bad.jsonl "$MNT/t/bad.append.jsonl"
	grep -q 'field n: expected a number' "$MNT/t/bad.append.jsonl.error"
	expect_same t
	# No call sets it.
	schema n string >other.json
	expect_refused 'Read-only' cp other.json "$MNT/$file"
	expect_match "last error" "$(cat "$MNT/.convex/last-error")" 'code'
	expect_refused 'Read-only' truncate -s 0 "$MNT/$file"
	jq -S . "$MNT/$file" >got
	expect_file got want
	echo null >"$THERE/$file"
	await 10 test ! -e "$MNT/$file"
	test ! -e "$MNT/$index"
	unmount_recorded
}

# A table that was read before costs one look, whatever its size.
case_T2_a_table_that_is_here_is_only_looked_at() {
	mount_recorded
	fill t 1 2000
	expect_same t
	: >asked
	expect_same t
	[ "$(documents_asked)" -le 1 ] || fail "asked: $(cat asked)"
	numbered 2001 2001 >>"$THERE/t/documents.jsonl"
	expect_same t
	fill t 7
	expect_same t
	sed -i 's/7/8/' "$THERE/t/documents.jsonl"
	expect_same t
	: >"$THERE/t/documents.jsonl"
	expect_same t
	unmount_recorded
}

# Longer than what was asked is believed for names on the way.
pause() {
	sleep 1.2
}

# open_again WHAT: opens t after a pause until that has asked WHAT, and nothing
# else; a slow machine takes the open for two.
open_again() {
	local try
	for try in 1 2 3 4 5 6; do
		pause
		: >asked
		head -c 1 "$MNT/t/documents.jsonl" >/dev/null
		[ "$(cut -d ' ' -f 1,2 asked)" != "$1" ] || return 0
	done
	fail "try $try: asked: $(cat asked)"
}

# Its own answer says that there is such a table: no names are asked for.
case_T2_opening_a_table_that_is_here_asks_one_question() {
	mount_recorded
	fill t 1 2000
	fill u 1
	expect_same t
	open_again "POST /api/v1/data/sync"
	# Whoever asks again at once is told what is there at once.
	"$PYTHON" - "$MNT/t" "$THERE/t/documents.jsonl" <<'END'
import os, sys
for n in range(30):
    os.stat(sys.argv[1])
    with open(sys.argv[2], "a") as f:
        f.write('{"n":%d}\n' % n)
    with open(sys.argv[1] + "/documents.jsonl") as f:
        if f.read().count("\n") != 2001 + n:
            sys.exit("change %d is not there" % n)
END
	fill t 5 9
	expect_same t
	: >"$THERE/t/documents.jsonl"
	expect_same t
	fill t 1 2
	expect_same t
	open_again "POST /api/v1/data/sync"
	# Names alone fetch nothing: not more than one answer of changes.
	numbered 1 30000 >"$THERE/t/documents.jsonl"
	pause
	: >asked
	test -d "$MNT/t"
	[ "$(documents_asked)" -le 1 ] || fail "asked: $(cat asked)"
	expect_same t
	post /api/delete_tables '{"tableNames":["t"]}' >/dev/null
	pause
	expect_refused 'No such file' cat "$MNT/t/documents.jsonl"
	test ! -e "$MNT/t"
	fill t 3
	expect_same t
	expect_same u
	unmount_recorded
}

# What is thrown away need not be known.
case_W7_clearing_a_table_that_is_not_here_fetches_nothing() {
	local t
	mount_recorded
	for t in a b c; do
		fill $t 1 2000
	done
	: >asked
	: >"$MNT/a/documents.jsonl"
	"$PYTHON" -c 'import os, sys; os.truncate(sys.argv[1], 0)' \
		"$MNT/b/documents.jsonl"
	numbered 7 9 >"$MNT/c/documents.jsonl"
	expect_documents_asked 0
	expect_text "size" "$(stat -c %s "$MNT/a/documents.jsonl")" 0
	expect_text "rows" "$(wc -l <"$MNT/c/documents.jsonl")" 3
	test ! -s "$THERE/a/documents.jsonl"
	test ! -s "$THERE/b/documents.jsonl"
	expect_same c
	unmount_recorded
}

# Whichever way the deployment lets us have documents, they are the same.
case_T2_every_way_of_reading_follows() {
	local lacks=""
	mount_recorded
	fill t 1 1200
	for lacks in "" /api/v1/data/sync /api/list_snapshot /api/query_ts; do
		[ -z "$lacks" ] || echo "$lacks lacking" >>faults
		XDG_CACHE_HOME=$DIR/cache.${lacks//\//-} \
			start_mount_at "$THROUGH" "$DIR/other"
		cmp "$DIR/other/t/documents.jsonl" "$THERE/t/documents.jsonl"
		numbered 5 6 >>"$THERE/t/documents.jsonl"
		cmp "$DIR/other/t/documents.jsonl" "$THERE/t/documents.jsonl"
		numbered 1 1200 >"$THERE/t/documents.jsonl"
		cmp "$DIR/other/t/documents.jsonl" "$THERE/t/documents.jsonl"
		stop_mount_at "$DIR/other"
	done
	unmount_recorded
}

case_C4_cache_ttl_asks_no_sooner() {
	mount_recorded
	fill t 1
	start_mount_at "$THROUGH" "$DIR/other" -o cache_ttl=1h
	cat "$DIR/other/t/documents.jsonl" >was
	fill t 1 2
	: >asked
	expect_file "$DIR/other/t/documents.jsonl" was
	expect_text "asked" "$(cat asked)" ""
	# What is written here is seen all the same.
	numbered 3 3 >>"$DIR/other/t/documents.jsonl"
	expect_file "$DIR/other/t/documents.jsonl" "$THERE/t/documents.jsonl"
	unmount_recorded
}

case_C4_cache_size_lets_go_of_what_was_read_longest_ago() {
	local size
	mount_recorded -o cache_size=200K
	fill a 1 1500
	fill b 1 1500
	exec 5<"$MNT/a/documents.jsonl"
	expect_same b
	size=$(du -sk "$XDG_CACHE_HOME"/convexfs/copy-*/segments | cut -f 1)
	[ "$size" -lt 250 ] || fail "$size KiB are held"
	# Who has it open reads it to its end (T-3).
	cat <&5 >all
	expect_file all "$THERE/a/documents.jsonl"
	exec 5<&-
	expect_same a
	unmount_recorded
}

case_F_offline_reads_show_what_was_there() {
	mount_recorded -o offline_reads,timeout=2
	fill t 1 2
	fill unread 1
	expect_same t
	ls "$MNT" >/dev/null
	kill_server
	cat "$MNT/t/documents.jsonl" >was
	expect_file was "$THERE/t/documents.jsonl"
	ls "$MNT" >listed
	grep -q '^unread$' listed
	expect_refused 'Connection|refused|reset' cat "$MNT/unread/documents.jsonl"
	jq -e .stale "$MNT/.convex/deployment.json" >since
	expect_match "since" "$(cat since)" '^"20[0-9-]*T[0-9:.]*Z"$'
	start_server_at "${URL#http://}"
	await 20 is_fresh
	expect_same unread
	unmount_recorded
}

# Nothing known is not the same as nothing there.
case_F_offline_reads_of_what_was_never_seen_are_an_error() {
	mount_recorded -o offline_reads,timeout=2
	fill t 1
	mkdir -p "$THERE/_components/seen" "$THERE/_components/other"
	fill _components/seen/u 1
	fill _components/other/u 1
	echo x | tee "$THERE/_storage/x.txt" >/dev/null
	ls "$MNT" "$MNT/_components" "$MNT/_components/seen" >/dev/null
	kill_server
	ls "$MNT/_components/seen" >listed
	grep -qx u listed
	expect_refused 'Connection|refused|reset' ls "$MNT/_components/other"
	expect_match "last error" "$(cat "$MNT/.convex/last-error")" \
		'away.*component other.*never'
	expect_refused 'Connection|refused|reset' ls "$MNT/_storage"
	ls "$MNT" >listed
	grep -qx t listed
	# With nothing to show there is no mount.
	mkdir "$DIR/empty"
	XDG_CACHE_HOME=$DIR/cache.empty expect_status 4 timeout 30 \
		"$CVX_BIN" mount -o offline_reads,timeout=1 "$THROUGH" \
		"$DIR/empty"
	expect_said 'away.*never'
	is_mounted "$DIR/empty" && fail "mounted"
	start_server_at "${URL#http://}"
	await 20 is_fresh
	expect_same _components/other/u
	ls "$MNT/_storage" >listed
	grep -q 'txt$' listed
	unmount_recorded
}

is_fresh() {
	ls "$MNT" >/dev/null
	jq -e 'has("stale") | not' "$MNT/.convex/deployment.json" >/dev/null
}

# Whoever waits for a deployment that does not answer can stop waiting.
case_F5_a_read_that_waits_is_interrupted() {
	local reader
	mount_recorded
	fill t 1
	expect_same t
	kill -STOP "$SERVER"
	: >asked
	env --default-signal cat "$MNT/t/documents.jsonl" >/dev/null 2>&1 &
	reader=$!
	await 10 grep -q . asked
	kill -INT $reader
	await 10 is_gone $reader
	! wait $reader || fail "cat did not fail"
	kill -CONT "$SERVER"
	expect_same t
	unmount_recorded
}

# The attributes that only the deployment knows, of a folder that is held open:
# nobody waits for its name.
case_F5_an_attribute_that_waits_is_interrupted() {
	local reader name
	mount_recorded
	fill t 1
	expect_same t
	exec 5<"$MNT/t"
	for name in documents revision; do
		kill -STOP "$SERVER"
		: >asked
		env --default-signal getfattr -n "user.convex.$name" \
			/proc/self/fd/5 >/dev/null 2>&1 &
		reader=$!
		await 10 grep -q . asked
		kill -INT $reader
		await 10 is_gone $reader
		! wait $reader || fail "getfattr did not fail"
		kill -CONT "$SERVER"
		getfattr --absolute-names --only-values \
			-n "user.convex.$name" "$MNT/t" | grep -qx '[0-9]*'
	done
	exec 5<&-
	unmount_recorded
}

is_gone() {
	! kill -0 "$1" 2>/dev/null || grep -q '^State:.Z' "/proc/$1/status"
}

# F-5: it ends by itself, too.
case_F5_a_read_of_a_silent_deployment_fails() {
	mount_recorded -o timeout=1
	fill t 1
	kill -STOP "$SERVER"
	expect_refused 'timed out' cat "$MNT/t/documents.jsonl"
	expect_match "last-error" "$(cat "$MNT/.convex/last-error")" 'POST /api|GET /api'
	kill -CONT "$SERVER"
	expect_same t
	unmount_recorded
}

case_T1_stored_files_come_when_they_are_opened() {
	local file
	mount_recorded
	head -c 9000000 /dev/urandom >large.bin
	cp large.bin "$THERE/_storage/"
	: >asked
	ls -l "$MNT" "$MNT/_storage" >listed
	grep -q ' 9000000 ' listed
	cmp "$MNT/_storage/documents.jsonl" "$THERE/_storage/documents.jsonl"
	! grep -q '/api/storage' asked || fail "a file was fetched"
	file=$(cd "$THERE/_storage" && echo *.bin)
	expect_file "$MNT/_storage/$file" large.bin
	expect_text "ranges" "$(grep -c '/api/storage' asked)" 2
	: >asked
	expect_file "$MNT/_storage/$file" large.bin
	! grep -q '/api/storage' asked || fail "it was fetched again"
	unmount_recorded
}

case_T4_a_backup_is_made_by_the_deployment() {
	need unzip
	mount_recorded
	fill t 1 3
	cp "$MNT/.convex/snapshot.zip" got.zip
	unzip -tq got.zip
	expect_text "rows" "$(unzip -p got.zip t/documents.jsonl | grep -c .)" 3
	expect_text "asked" "$(grep -c 'export/request' asked)" 1
	fill t 1 4
	cp "$MNT/.convex/snapshot.zip" again.zip
	expect_text "rows" "$(unzip -p again.zip t/documents.jsonl | grep -c .)" 4
	unmount_recorded
}

run_cases "$@"
