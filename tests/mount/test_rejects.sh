#!/usr/bin/env bash
# What is refused, how it is told, and how to go on (F-1 to F-4).
# shellcheck source=tests/mount/lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"

# refuse ERRNO-TEXT PATH PATTERN...: copying the file "in" there fails, says
# so everywhere, and changes nothing.
refuse() {
	local text=$1 path=$2
	shift 2
	documents t >.before
	mark
	expect_refused "$text" cp in "$MNT/$path"
	documents t | cmp - .before
	expect_imports 1 failed
	expect_reject "$path" in
	expect_match "$path.error" "$(cat "$MNT/$path.error")" "$@"
	expect_match "last-error" "$(last_error)" "$@"
	expect_match "record" "$(last_import error.message)" "$1"
}

# --- F-3: rejects ---

case_F3_reject_is_mended_with_sed_and_renamed() {
	start_mount
	make_inputs
	seed t 1 2
	expect_status fails cp bad.jsonl "$MNT/t/documents.jsonl"
	sed -i '2000s/.*/{"n":2000}/' "$MNT/t/documents.jsonl.rejected"
	expect_numbers t 1 2
	mark
	mv "$MNT/t/documents.jsonl.rejected" "$MNT/t/documents.jsonl"
	expect_committed replace 3000
	numbers t | cmp - <(seq 3000)
	expect_text "listing of t" "$(listing t)" \
		"documents.jsonl generated_schema.jsonl "
}

case_F3_reject_of_a_drop_is_mended_with_sed_and_renamed() {
	start_mount
	seed t 1
	printf 'n,m\n2\n' >in
	refuse 'Invalid argument' t/x.append.csv 'row 1'
	expect_text "listing of t" "$(listing t)" "documents.jsonl \
generated_schema.jsonl x.append.csv.error x.append.csv.rejected "
	sed -i 's/^2$/2,3/' "$MNT/t/x.append.csv.rejected"
	mv "$MNT/t/x.append.csv.rejected" "$MNT/t/x.append.csv"
	expect_numbers t 1 2
	expect_text "listing of t" "$(listing t)" \
		"documents.jsonl generated_schema.jsonl "
}

case_F3_reject_is_edited_in_place() {
	start_mount
	seed t 1
	printf '{"n":2\n' >in
	refuse 'Invalid argument' t/documents.jsonl 'row 1'
	printf '{"n":3}\n' >"$MNT/t/documents.jsonl.rejected"
	expect_numbers t 1
	expect_text "edited" "$(cat "$MNT/t/documents.jsonl.rejected")" \
		'{"n":3}'
	mv "$MNT/t/documents.jsonl.rejected" "$MNT/t/documents.jsonl"
	expect_numbers t 3
}

case_F3_a_mended_reject_that_is_still_wrong() {
	start_mount
	seed t 1
	printf '{"n":2\n{"n":3}\n' >in
	refuse 'Invalid argument' t/documents.jsonl 'row 1'
	printf '{"n":2}\n{"n":3\n' >"$MNT/t/documents.jsonl.rejected"
	expect_refused 'cannot move' mv \
		"$MNT/t/documents.jsonl.rejected" "$MNT/t/documents.jsonl"
	expect_match "text" "$(cat "$MNT/t/documents.jsonl.error")" 'row 2'
	expect_numbers t 1
	expect_text "kept" "$(head -n 1 "$MNT/t/documents.jsonl.rejected")" \
		'{"n":2}'
}

case_F3_reject_in_the_root() {
	start_mount
	printf 'n,m\n2\n' >in
	expect_refused 'Invalid argument' cp in "$MNT/users.csv"
	expect_file "$MNT/users.csv.rejected" in
	test -s "$MNT/users.csv.error"
	printf 'n\n2\n' >"$MNT/users.csv.rejected"
	mv "$MNT/users.csv.rejected" "$MNT/users.csv"
	expect_numbers users 2
	test ! -e "$MNT/users.csv.error"
}

case_F3_rejects_are_removed_by_rm() {
	start_mount
	seed t 1
	echo '{' >in
	refuse 'Invalid argument' t/documents.jsonl 'row 1'
	rm "$MNT/t/documents.jsonl.rejected"
	test ! -e "$MNT/t/documents.jsonl.rejected"
	rm "$MNT/t/documents.jsonl.error"
	expect_text "listing of t" "$(listing t)" \
		"documents.jsonl generated_schema.jsonl "
	refuse 'Invalid argument' t/documents.jsonl 'row 1'
	rm -f "$MNT"/t/documents.jsonl.*
	expect_numbers t 1
}

# Programs remove what they could not write, which the table's own file does
# not allow: why it could not be written is still told.
case_F2_a_refused_removal_keeps_the_last_error() {
	start_mount
	seed t 1
	echo '{' >in
	refuse 'Invalid argument' t/documents.jsonl 'row 1'
	expect_status fails rm "$MNT/t/documents.jsonl"
	expect_status fails rm "$MNT/t/documents.jsonl"
	expect_match "last-error" "$(last_error)" 'row 1' \
		'is in the deployment'
	expect_text "refusals" "$(last_error | grep -c 'is in the deployment')" 1
	expect_status fails rm "$MNT/README.md"
	expect_match "last-error" "$(last_error)" 'README.md: '
	expect_text "rows" "$(last_error | grep -c 'row 1')" 0
}

# A folder with a reject in it is copied out; elsewhere its parts are plain
# files, and back where they came from they are refused by name.
case_F2_texts_of_rejects_are_copied() {
	start_mount
	mkdir "$MNT/t"
	echo '{' >in
	refuse 'Invalid argument' t/x.append.jsonl 'row 1'
	cp "$MNT/t/x.append.jsonl.error" said.before
	cp -r "$MNT/t" out
	cp -r out "$MNT/u"
	expect_file "$MNT/u/x.append.jsonl.error" said.before
	expect_file "$MNT/u/x.append.jsonl.rejected" in
	expect_rows u 0
	expect_refused 'x.append.jsonl.error.: Permission denied' \
		cp out/x.append.jsonl.error "$MNT/t/"
	# To others than root the kernel says it, who is told no more.
	[ "$(id -u)" -ne 0 ] || expect_match "last-error" "$(last_error)" \
		't/x.append.jsonl.error: can only be read'
	expect_file "$MNT/t/x.append.jsonl.error" said.before
	expect_reject t/x.append.jsonl in
	expect_rows t 0
}

case_F3_rejects_are_removed_by_a_later_success() {
	start_mount
	seed t 1
	echo '{' >in
	refuse 'Invalid argument' t/documents.jsonl 'row 1'
	refuse 'Invalid argument' t/x.append.jsonl 'row 1'
	seed t 2
	expect_text "listing of t" "$(listing t)" "documents.jsonl \
generated_schema.jsonl x.append.jsonl.error x.append.jsonl.rejected "
	echo '{"n":3}' >"$MNT/t/x.append.jsonl"
	expect_numbers t 2 3
	expect_text "listing of t" "$(listing t)" \
		"documents.jsonl generated_schema.jsonl "
}

case_F3_a_second_failure_takes_the_place_of_the_first() {
	start_mount
	seed t 1
	printf '{\n' >in
	refuse 'Invalid argument' t/documents.jsonl 'row 1'
	printf '{"n":1}\n{\n' >in
	refuse 'Invalid argument' t/documents.jsonl 'row 2'
}

case_F3_rejects_outlive_the_mount() {
	start_mount
	seed t 1
	echo '{' >in
	refuse 'Invalid argument' t/documents.jsonl 'row 1'
	cat "$MNT/t/documents.jsonl.error" >text
	stop_mount
	start_mount
	expect_reject t/documents.jsonl in
	expect_file "$MNT/t/documents.jsonl.error" text
	expect_match "last error" "$(last_error)" 'row 1'
}

case_F3_the_oldest_rejects_go_first() {
	start_mount -o reject_limit=1000000
	make_inputs
	local name
	mkdir "$MNT/t"
	for name in a b c d e; do
		expect_status fails cp bad.jsonl "$MNT/t/$name.jsonl"
	done
	expect_file "$MNT/t/e.jsonl.rejected" bad.jsonl
	test ! -e "$MNT/t/a.jsonl.rejected"
	[ "$(cat "$MNT"/t/*.rejected | wc -c)" -le 1000000 ]
}

# --- F-4: places ---

case_F4_up_to_ten_places_in_one_pass() {
	start_mount
	seed t 1
	seq 100 | sed 's/.*/{"n":&}/; 5~4s/}/,}/' >in
	refuse 'Invalid argument' t/documents.jsonl 'row 5' 'row 9' 'row 41'
	expect_text "places" "$(grep -o 'row [0-9][0-9]*' \
		"$MNT/t/documents.jsonl.error" | sort -u | wc -l)" 10
	expect_match "how many more" \
		"$(cat "$MNT/t/documents.jsonl.error")" '24 rows.*first 10'
	grep -q 'row 45' "$MNT/t/documents.jsonl.error" &&
		fail "more than ten places"
	expect_match "values" "$(last_import error.code)" \
		"$(of_kind JsonInvalidRow EINVAL)"
}

case_F4_different_faults_in_one_pass() {
	start_mount
	seed t 1
	cat >in <<-'END'
		{"n":1}
		{"n":01}
		{"$n":1}
		[1]
		{"_id":"nonsense"}
		{"_foo":1}

		{"n":2}
	END
	refuse 'Invalid argument' t/documents.jsonl \
		'row 2' 'row 3' 'row 4' 'row 5' 'row 6' 'row 7'
	expect_text "places" "$(grep -o 'row [0-9][0-9]*' \
		"$MNT/t/documents.jsonl.error" | sort -u | wc -l)" 6
}

# --- F-2: rows, columns, fields ---

# name TEXT-OF-FILE ENDING PATTERN...
prove_place() {
	local text=$1 ending=$2
	shift 2
	start_mount
	seed t 1
	# shellcheck disable=SC2059
	printf "$text" >in
	refuse 'Invalid argument' "t/in.append.$ending" "$@"
}

add_case F2_syntax_names_row_and_column prove_place \
	'{"n":1}\n{"n":x}\n' jsonl 'row 2' 'column 6'
add_case F2_value_names_row_and_field prove_place \
	'{"a":1}\n{"a":{"b":[1,{"$c":2}]}}\n' jsonl 'row 2' 'a\.b\[1\]'
add_case F2_array_names_the_element prove_place \
	'[{"a":1},\n{"a":2},\n{"$a":2}]' json 'row 3'
add_case F2_csv_names_the_row prove_place \
	'a,b\n1,2\n1,2,3\n' csv 'row 2' '[23] '
add_case F2_csv_header_names_the_column prove_place \
	'a,$b\n1,2\n' csv '\$b'
add_case F2_csv_bytes_name_the_row prove_place \
	'a,b\n1,2\n1,\377\n' csv 'row 2' 'UTF-8'
add_case F2_id_names_the_field prove_place \
	'{"_id":"x"}\n' jsonl 'row 1' '_id'
add_case F2_time_names_the_field prove_place \
	'{"_creationTime":"x"}\n' jsonl 'row 1' '_creationTime'

case_F2_the_text_is_in_the_log_and_the_attribute() {
	start_mount
	need getfattr
	seed t 1
	echo '{' >in
	refuse 'Invalid argument' t/documents.jsonl 'row 1'
	expect_match "log" "$(cat "$DAEMON_LOG")" 'documents.jsonl' 'row 1'
	expect_match "attribute" \
		"$(xattr user.convex.last_error "$MNT/t")" 'row 1'
}

# --- the table of errno values ---

# A deployment elsewhere tells why an import failed in words: there is no code.
TOO_LARGE=$(of_kind 'File too large' 'Invalid argument')

case_F_not_empty_is_EEXIST() {
	start_mount
	seed t 1
	echo '{"n":2}' >in
	refuse 'File exists' t/in.jsonl 'table t has documents'
	refuse 'File exists' t/in.require-empty.jsonl 'table t has documents'
}

case_F_large_array_is_EFBIG() {
	start_mount
	seed t 1
	{ echo '[{"n":2}' && yes ',{"n":3}' | head -c 16777216 && echo ']'; } >in
	refuse "$TOO_LARGE" t/in.append.json 'JsonArrayTooLarge|16777216|16 MiB'
	# The largest that is allowed: 2^24 bytes.
	{ printf '[{"n":2}' && head -c 16777207 /dev/zero | tr '\0' ' ' &&
		printf ']'; } >in
	expect_text "size" "$(stat -c %s in)" 16777216
	cp in "$MNT/t/in.append.json"
	expect_numbers t 1 2
}

case_F_large_document_is_EFBIG() {
	start_mount
	seed t 1
	{ printf '{"n":2,"s":"' && head -c 1048576 /dev/zero | tr '\0' x &&
		printf '"}\n'; } >in
	refuse "$TOO_LARGE" t/in.append.jsonl 'row 1'
	{ printf '{"n":2,"s":"' && head -c 1048000 /dev/zero | tr '\0' x &&
		printf '"}\n'; } >in
	cp in "$MNT/t/in.append.jsonl"
	expect_numbers t 1 2
}

case_F_read_only_is_EROFS() {
	start_mount
	seed t 1
	stop_mount
	start_mount -o ro
	expect_numbers t 1
	echo '{"n":2}' >in
	expect_refused 'Read-only' cp in "$MNT/t/documents.jsonl"
	expect_refused 'Read-only' mkdir "$MNT/u"
	expect_refused 'Read-only' mv "$MNT/t" "$MNT/u"
	expect_refused 'Read-only' rm "$MNT/t/documents.jsonl"
	expect_refused 'Read-only' truncate -s 0 "$MNT/t/documents.jsonl"
	expect_numbers t 1
}

case_F_links_and_devices_are_EPERM() {
	start_mount
	seed t 1
	echo x >"$MNT/t/scratch"
	expect_refused 'not permitted' ln -s x "$MNT/t/link"
	expect_refused 'not permitted' ln "$MNT/t/scratch" "$MNT/t/link"
	expect_refused 'not permitted' ln "$MNT/t/documents.jsonl" "$MNT/link"
	expect_refused 'not permitted' mkfifo "$MNT/t/pipe"
	expect_alive
}

case_F_moving_a_table_is_ENOTSUP() {
	start_mount
	seed t 1
	expect_refused 'not supported' mv "$MNT/t" "$MNT/u"
	expect_numbers t 1
	test ! -e "$MNT/u"
}

case_F_what_is_generated_is_not_written() {
	start_mount
	seed t 1
	echo x >in
	expect_status fails cp in "$MNT/t/generated_schema.jsonl"
	expect_text "marker" "$(cat "$MNT/t/generated_schema.jsonl")" \
		'"uniform"'
	expect_status fails cp in "$MNT/_tables/documents.jsonl"
	expect_match "registry" "$(cat "$MNT/_tables/documents.jsonl")" \
		'"name":"t"'
	expect_alive
}

run_cases "$@"
