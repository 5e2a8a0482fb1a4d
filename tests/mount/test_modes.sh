#!/usr/bin/env bash
# Which name is which target, and how it meets what is there (M-1 to M-8).
# shellcheck source=tests/mount/lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"

# Three formats of the rows 7 and 8.
make_formats() {
	printf '{"n":7}\n{"n":8}\n' >in.jsonl
	printf 'n\n7\n8\n' >in.csv
	printf '[{"n":7},{"n":8}]' >in.json
}

# --- M-1: O_APPEND ---

case_M1_append_to_the_canonical_name() {
	start_mount
	make_formats
	local format
	for format in jsonl csv json; do
		seed t 1
		mark
		cat in.$format >>"$MNT/t/documents.$format"
		expect_numbers t 1 7 8
		expect_committed append 2
	done
}

case_M1_append_comes_before_the_name() {
	start_mount
	make_formats
	seed t 1
	mark
	cat in.jsonl >>"$MNT/t/x.replace.jsonl"
	expect_numbers t 1 7 8
	expect_committed append 2
	cat in.jsonl >>"$MNT/t/x.require-empty.jsonl"
	expect_numbers t 1 7 8 7 8
}

case_M1_append_makes_the_rows_of_a_new_table() {
	start_mount
	make_formats
	cat in.csv >>"$MNT/t.csv"
	expect_numbers t 7 8
}

# --- M-2: the name ---

prove_name() {
	local format=$1 mode=$2
	shift 2
	start_mount
	make_formats
	seed t 1
	mark
	cp "in.$format" "$MNT/t/data.$mode.$format"
	expect_numbers t "$@"
	expect_committed "$mode" 2
	# A drop into the root: the table's name stands before the mode.
	cp "in.$format" "$MNT/u.$mode.$format"
	expect_numbers u 7 8
}

for format in jsonl csv json; do
	add_case "M2_append_$format" prove_name $format append 1 7 8
	add_case "M2_replace_$format" prove_name $format replace 7 8
done

case_M2_require_empty() {
	start_mount
	make_formats
	seed t 1
	mark
	expect_refused 'File exists' \
		cp in.json "$MNT/t/data.require-empty.json"
	expect_numbers t 1
	expect_imports 1 failed
	expect_reject t/data.require-empty.json in.json
	mkdir "$MNT/u"
	cp in.json "$MNT/u/data.require-empty.json"
	expect_numbers u 7 8
}

case_M2_the_name_comes_before_the_option() {
	start_mount -o mode=append
	make_formats
	seed t 1
	cp in.csv "$MNT/t/x.replace.csv"
	expect_numbers t 7 8
}

# --- M-3: the canonical name ---

prove_canonical() {
	local format=$1
	start_mount -o mode=append
	make_formats
	seed t 1
	mark
	cp "in.$format" "$MNT/t/documents.$format"
	expect_numbers t 7 8
	expect_committed replace 2
	expect_text "listing of t" "$(listing t)" \
		"documents.jsonl generated_schema.jsonl "
}

for format in jsonl csv json; do
	add_case "M3_canonical_$format" prove_canonical $format
done

# --- M-4: the option ---

case_M4_default_is_require_empty() {
	start_mount
	make_formats
	cp in.csv "$MNT/t.csv"
	expect_numbers t 7 8
	expect_refused 'File exists' cp in.csv "$MNT/t/again.csv"
	expect_refused 'File exists' cp in.csv "$MNT/t.csv"
	expect_numbers t 7 8
}

prove_option() {
	local mode=$1
	shift
	start_mount -o "mode=$mode"
	make_formats
	seed t 1
	mark
	cp in.jsonl "$MNT/t/in.jsonl"
	expect_numbers t "$@"
	expect_committed "$mode" 2
	jq -e . "$MNT/.convex/deployment.json" | grep -q "$mode"
}

case_M4_option_append() { prove_option append 1 7 8; }
case_M4_option_replace() { prove_option replace 7 8; }
case_M4_option_require_empty() {
	start_mount -o mode=require-empty
	make_formats
	seed t 1
	expect_refused 'File exists' cp in.jsonl "$MNT/t/in.jsonl"
}

case_M4_an_unknown_mode_is_refused() {
	mkdir "$MNT"
	select_deployment "$STATE"
	expect_status 1 "$CVX_BIN" mount -f -o mode=merge "${DEPLOYMENT[@]}" \
		"$MNT"
	expect_said 'merge'
}

# --- M-5: folders and names of tables ---

case_M5_mkdir_makes_an_empty_table() {
	start_mount
	mkdir "$MNT/users"
	expect_rows users 0
	expect_match "registry" "$(cat "$MNT/_tables/documents.jsonl")" \
		'"name":"users"'
	expect_refused 'File exists' mkdir "$MNT/users"
	mkdir -p "$MNT/users"
}

case_M5_writing_needs_the_folder() {
	start_mount
	make_formats
	expect_refused 'No such file' cp in.csv "$MNT/users/in.csv"
	expect_imports_none
}

expect_imports_none() {
	expect_text "imports" "$(imports | wc -l)" 0
}

case_M5_invalid_table_names() {
	start_mount
	make_formats
	local name
	for name in 1st a-b 'a b' a.b é _system __ '$x'; do
		expect_refused 'Invalid argument' mkdir "$MNT/$name"
		expect_refused 'Invalid argument' \
			cp in.csv "$MNT/$name.append.csv"
	done
	name=$(printf 'a%.0s' $(seq 65))
	expect_refused 'File name too long' mkdir "$MNT/$name"
	expect_refused 'File name too long' cp in.csv "$MNT/$name.csv"
	expect_imports_none
	mkdir "$MNT/${name%a}" "$MNT/a_B9"
	cp in.csv "$MNT/${name%aa}.csv"
	expect_alive
}

case_M5_endings_that_are_no_format_are_scratch() {
	start_mount
	make_formats
	local name
	mkdir "$MNT/t"
	mark
	for name in t/notes.txt t/x.JSONL t/in.jsonl~ t/.x.jsonl.swp t/in \
		notes.md t/x.csv.gz t/sedAbCdEf 4913; do
		cp in.csv "$MNT/$name"
		expect_file "$MNT/$name" in.csv
	done
	expect_imports 0
	for name in t/notes.txt t/in.jsonl~ notes.md t/in; do
		rm "$MNT/$name"
		test ! -e "$MNT/$name"
	done
	expect_rows t 0
}

# --- M-6, M-7: values that were read from the mount ---

case_M6_documents_written_back_keep_their_ids() {
	start_mount
	seed t 1 2 3
	documents t >before
	cp before "$MNT/t/documents.jsonl"
	documents t | cmp - before
	sed -i 's/"n":2\.0/"n":20.0/' "$MNT/t/documents.jsonl"
	sed 's/"n":2\.0/"n":20.0/' before >want
	documents t | cmp - want
}

# A backup made by hand: int64, bytes and special floats in table 10001.
make_backup() {
	mkdir -p backup/_tables backup/t
	echo '{"name":"t","id":10001}' >backup/_tables/documents.jsonl
	echo '"uniform"' >backup/t/generated_schema.jsonl
	start_mount
	mkdir "$MNT/t"
	seq 3 | sed 's/.*/{"n":&}/' >"$MNT/t/documents.jsonl"
	documents t | sed \
		-e '1s/"n":1\.0/"big":9007199254740993,"n":1.0/' \
		-e '2s/"n":2\.0/"b":{"$bytes":"AAECAw=="},"n":2.0/' \
		-e '3s/"n":3\.0/"n":3.0,"x":{"$float":"AAAAAAAA+H8="}/' \
		>backup/t/documents.jsonl
	stop_mount
	release "$STATE"
	rm -rf "$STATE"
}

case_M7_types_survive_cp_r_and_edits_in_place() {
	make_backup
	start_mount
	cp -r backup/. "$MNT"
	expect_file "$MNT/t/documents.jsonl" backup/t/documents.jsonl
	sed -i 's/"n":2\.0/"n":5.0/' "$MNT/t/documents.jsonl"
	sed 's/"n":2\.0/"n":5.0/' backup/t/documents.jsonl >want
	expect_file "$MNT/t/documents.jsonl" want
	# A new integer in an edited line is an integer: the file is uniform.
	sed -i 's/"n":5\.0/"n":5/' "$MNT/t/documents.jsonl"
	expect_match "edited" "$(documents t)" '"n":5}'
}

case_M7_order_of_copying_does_not_matter() {
	make_backup
	start_mount
	mkdir "$MNT/t"
	cp backup/t/generated_schema.jsonl "$MNT/t/"
	cp backup/t/documents.jsonl "$MNT/t/"
	cp backup/_tables/documents.jsonl "$MNT/_tables/"
	expect_file "$MNT/t/documents.jsonl" backup/t/documents.jsonl
}

# Folders come before any rows, and take numbers that rows then want.
case_T1_rsync_of_a_backup_with_an_empty_table() {
	need rsync
	make_backup
	mkdir backup/a
	: >backup/a/documents.jsonl
	echo '"uniform"' >backup/a/generated_schema.jsonl
	rm -r backup/_tables
	start_mount
	rsync -a backup/ "$MNT"
	expect_file "$MNT/t/documents.jsonl" backup/t/documents.jsonl
	expect_text "a" "$(wc -c <"$MNT/a/documents.jsonl")" 0
	expect_match "numbers" "$(cat "$MNT/_tables/documents.jsonl")" \
		'{"name":"t","id":10001}'
}

case_M7_other_files_are_plain() {
	start_mount
	seed t 1
	printf '{"n":9007199254740993}\n' >"$MNT/t/documents.jsonl"
	expect_match "plain" "$(documents t)" '"n":9007199254740992\.0'
	# A table of plain values stays plain, export line or not.
	documents t | sed 's/"n":9007199254740992\.0/"n":5/' >plain
	cp plain "$MNT/t/documents.jsonl"
	expect_numbers t 5
	printf '{"b":{"$bytes":"AA=="}}\n' >wrapped.jsonl
	expect_refused 'Invalid argument' \
		cp wrapped.jsonl "$MNT/t/documents.jsonl"
	expect_refused 'Invalid argument' \
		cp wrapped.jsonl "$MNT/t/x.append.jsonl"
}

# --- M-8: the byte order mark ---

case_M8_byte_order_mark_is_removed() {
	start_mount
	make_formats
	local format
	for format in jsonl csv json; do
		{ printf '\357\273\277' && cat in.$format; } >bom.$format
		cp bom.$format "$MNT/$format.$format"
		expect_numbers $format 7 8
	done
	cp bom.csv "$MNT/csv/documents.csv"
	expect_numbers csv 7 8
	{ cat in.jsonl && cat bom.jsonl; } >middle.jsonl
	expect_refused 'Invalid argument' \
		cp middle.jsonl "$MNT/jsonl/documents.jsonl"
	expect_match "last error" "$(last_error)" 'row 3'
}

# --- real inputs ---

# The count of rows is that of the lines; none of the files has a newline in a
# cell.
case_M4_real_inputs() {
	start_mount
	local file table
	for file in "$CVX_DATA"/*.csv "$CVX_DATA"/*.jsonl; do
		table=$(basename "${file%.*}" | tr - _)
		cp "$file" "$MNT/$table.${file##*.}"
		case $file in
		*.csv) expect_rows "$table" $(($(wc -l <"$file") - 1)) ;;
		*) expect_rows "$table" "$(wc -l <"$file")" ;;
		esac
	done
	for file in "$CVX_DATA"/*.jsonl; do
		documents "$(basename "$file" .jsonl)" |
			jq -S -c 'del(._id, ._creationTime)' |
			cmp - <(jq -S -c . "$file")
	done
	[ ! -r "$CVX_DATA/cars.json" ] || {
		cp "$CVX_DATA/cars.json" "$MNT/"
		expect_rows cars "$(jq length "$CVX_DATA/cars.json")"
	}
}

run_cases "$@"
