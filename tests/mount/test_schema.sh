#!/usr/bin/env bash
# The schema and the indexes in .convex (T-1; import.md 8, 9).
# shellcheck source=tests/mount/lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"

# schema FIELD TYPE [INDEX...]: a schema of table t with one field, in lines.
schema() {
	local field=$1 type=$2
	shift 2
	jq -n --arg field "$field" --arg type "$type" \
		'{schemaValidation: true, tables: [{tableName: "t",
		indexes: [$ARGS.positional[] | {indexDescriptor: "by_\(.)",
			fields: [., "_creationTime"]}],
		documentType: {type: "object", value: {($field):
			{fieldType: {type: $type}, optional: true}}}}]}' \
		--args "$@"
}

SCHEMA=mnt/.convex/schema.json

shown_type() {
	jq -r '.tables[0].documentType.value.n.fieldType.type' "$SCHEMA"
}

case_T1_schema_is_there_when_it_was_set() {
	start_mount
	test ! -e "$SCHEMA"
	expect_text "control" "$(listing .convex | grep -c schema)" 0
	schema n number >schema.json
	cp schema.json mnt/.convex/
	expect_text "type" "$(shown_type)" number
	expect_text "control" "$(listing .convex | grep -c schema.json)" 1
	# What is shown may be written back, and is as long as stat says.
	cat "$SCHEMA" >shown
	expect_text "size" "$(stat -c %s "$SCHEMA")" "$(wc -c <shown)"
	cp shown "$SCHEMA"
	expect_file "$SCHEMA" shown
	stop_mount
	start_mount
	expect_file "$SCHEMA" shown
}

case_T1_schema_is_edited_in_place() {
	start_mount
	schema n number >schema.json
	cp schema.json "$SCHEMA"
	sed -i 's/"number"/"string"/' "$SCHEMA"
	expect_text "type" "$(shown_type)" string
	need vim
	vim -es -u NONE -c 's/"string"/"boolean"/' -c wq "$SCHEMA" </dev/null
	expect_text "type" "$(shown_type)" boolean
	expect_text "left" "$(listing .convex | tr ' ' '\n' |
		grep -cE 'sed|swp|~')" 0
	jq '.tables[0].documentType.value.n.fieldType.type = "any"' \
		"$SCHEMA" >new
	mv new "$SCHEMA"
	expect_text "type" "$(shown_type)" any
}

case_T1_schema_is_removed_by_null_and_by_nothing() {
	start_mount
	schema n number >schema.json
	cp schema.json "$SCHEMA"
	echo null >"$SCHEMA"
	test ! -e "$SCHEMA"
	cp schema.json "$SCHEMA"
	: >"$SCHEMA"
	sync mnt
	test ! -e "$SCHEMA"
	cp schema.json "$SCHEMA"
	truncate -s 0 "$SCHEMA"
	test ! -e "$SCHEMA"
	cp schema.json "$SCHEMA"
	expect_refused 'permitted' rm "$SCHEMA"
	test -e "$SCHEMA"
	stop_mount
	start_mount -o allow_delete
	rm "$SCHEMA"
	test ! -e "$SCHEMA"
}

case_F_schema_that_stored_documents_break_is_refused() {
	start_mount
	mkdir mnt/t
	printf '{"n":1}\n{"n":"two"}\n' >mnt/t/documents.jsonl
	schema n number >schema.json
	expect_refused 'Invalid argument' cp schema.json mnt/.convex/
	test ! -e "$SCHEMA"
	last_error | grep -q 'table t, line 2, _id j57.*field n: expected'
	expect_file "$SCHEMA.error" mnt/.convex/last-error
	expect_file "$SCHEMA.rejected" schema.json
	sed -i 's/"two"/2/' mnt/t/documents.jsonl
	mv "$SCHEMA.rejected" "$SCHEMA"
	expect_text "type" "$(shown_type)" number
	test ! -e "$SCHEMA.error"
	echo '{"tables":' >broken.json
	expect_refused 'Invalid argument' cp broken.json "$SCHEMA"
	expect_text "type" "$(shown_type)" number
}

case_F_rows_that_break_the_schema_are_refused() {
	start_mount
	mkdir mnt/t
	schema n number >schema.json
	cp schema.json mnt/.convex/
	echo '{"n":1}' >>mnt/t/documents.jsonl
	printf '{"n":2}\n{"n":"x"}\n{"m":1}\n' >bad.jsonl
	expect_refused 'Invalid argument' cp bad.jsonl mnt/t/bad.append.jsonl
	grep -q 'row 2: .*field n: expected a number' \
		mnt/t/bad.append.jsonl.error
	grep -q 'row 3: .*field m is not in the schema' \
		mnt/t/bad.append.jsonl.error
	expect_text "code" "$(last_import error.code)" SchemaEnforcementError
	expect_numbers t 1
	printf 'n\n5\n\n""\n' >in.csv
	cp in.csv mnt/t/in.append.csv
	expect_rows t 3
	expect_text "last" "$(documents t | tail -n 1 | jq -c 'del(._id,
		._creationTime)')" '{}'
	need zip
	mkdir t
	cp bad.jsonl t/documents.jsonl
	zip -q -r bad.zip t
	expect_refused 'Invalid argument' cp bad.zip mnt/bad.append.zip
	last_error | grep -q 't/documents.jsonl: row 2'
	expect_rows t 3
}

case_T1_indexes_show_documents_in_their_order() {
	local index=mnt/.convex/indexes/t/by_n.jsonl
	start_mount
	schema n number n >schema.json
	cp schema.json mnt/.convex/
	mkdir mnt/t
	jq -n -c 'range(5000) | {n: (. * 7919 % 1000)}' >rows.jsonl
	cp rows.jsonl mnt/t/documents.jsonl
	expect_text "tables" "$(listing .convex/indexes)" "t "
	expect_text "indexes" "$(listing .convex/indexes/t)" \
		"by_creation_time.jsonl by_id.jsonl by_n.jsonl "
	jq -s -c 'sort_by(.n, ._creationTime) | .[] | .n' \
		mnt/t/documents.jsonl >want
	jq -c .n "$index" >got
	expect_file got want
	sort "$index" >a
	sort mnt/t/documents.jsonl | cmp - a
	expect_text "size" "$(stat -c %s "$index")" \
		"$(stat -c %s mnt/t/documents.jsonl)"
	# Ready when the append is, and what was opened before stays.
	exec 5<"$index"
	echo '{"n":-1}' >>mnt/t/documents.jsonl
	expect_text "first" "$(head -n 1 "$index" | jq .n)" -1
	cat <&5 | jq -c .n >got
	exec 5<&-
	expect_file got want
	dd if="$index" bs=1000 skip=100 count=1 2>/dev/null >some
	tail -c +100001 <"$index" | head -c 1000 | cmp - some
	expect_refused 'denied|permitted' cp rows.jsonl "$index"
	expect_refused 'denied|permitted' mkdir mnt/.convex/indexes/u
	test ! -e mnt/.convex/indexes/t/by_m.jsonl
	# A new order of the same documents is another file.
	jq '.tables[0].indexes[0].fields = ["x", "_creationTime"]' \
		schema.json >other.json
	cp other.json "$SCHEMA"
	expect_text "first" "$(head -n 1 "$index" | jq .n)" 0
}

case_T1_components_have_schemas_of_their_own() {
	start_mount
	mkdir -p mnt/_components/mail/t
	schema n number n >schema.json
	cp schema.json mnt/_components/mail/.convex/
	test ! -e "$SCHEMA"
	echo '{"n":"x"}' >bad.jsonl
	expect_refused 'Invalid argument' cp bad.jsonl mnt/_components/mail/t/
	mkdir mnt/t
	cp bad.jsonl mnt/t/
	expect_rows t 1
	echo '{"n":1}' >>mnt/_components/mail/t/documents.jsonl
	expect_file mnt/_components/mail/.convex/indexes/t/by_n.jsonl \
		mnt/_components/mail/t/documents.jsonl
	test ! -e mnt/.convex/indexes/t/by_n.jsonl
	expect_text "mail" "$(listing _components/mail)" "_tables t "
}

case_W8_schema_that_someone_else_has_changed_is_not_overwritten() {
	start_mount
	schema n number >schema.json
	cp schema.json "$SCHEMA"
	schema n string >other.json
	cat >edit.py <<-'EOF'
		import shutil, sys
		f = open(sys.argv[1], "r+b", buffering=0)
		shutil.copyfile("other.json", sys.argv[1])
		f.write(b" ")
		f.close()
	EOF
	expect_refused 'Stale' "$PYTHON" edit.py "$SCHEMA"
	expect_text "type" "$(shown_type)" string
}

case_C6_processes_see_each_others_schemas() {
	start_mount
	start_mount_at "$STATE" "$DIR/mnt2"
	schema n number n >schema.json
	cp schema.json mnt2/.convex/
	expect_text "type" "$(shown_type)" number
	mkdir mnt/t
	echo '{"n":"x"}' >bad.jsonl
	expect_refused 'Invalid argument' cp bad.jsonl mnt/t/
	echo '{"n":1}' >>mnt/t/documents.jsonl
	expect_file mnt2/.convex/indexes/t/by_n.jsonl mnt/t/documents.jsonl
	echo null >mnt2/.convex/schema.json
	test ! -e "$SCHEMA"
	cp bad.jsonl mnt/t/bad.append.jsonl
	expect_rows t 2
}

run_cases "$@"
