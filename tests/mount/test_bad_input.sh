#!/usr/bin/env bash
# Hostile and broken input (F-6): whatever is written, the table stays as it
# was, the bytes are kept, the mount lives on and its memory stays bounded.
# shellcheck source=tests/mount/lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"

# prove_bad_file ERRNO-TEXT ENDING GENERATOR PATTERN...: through cp, which
# sees the error, and through a redirection of the shell, which does not.
prove_bad_file() {
	local text=$1 ending=$2 generator=$3
	shift 3
	start_mount
	seed t 1 2
	documents t >before
	bash -c "$generator" >in
	mark
	expect_refused "$text" cp in "$MNT/t/documents.$ending"
	documents t | cmp - before
	expect_imports 1 failed
	expect_reject "t/documents.$ending" in
	expect_match "text" "$(cat "$MNT/t/documents.$ending.error")" "$@"
	# Written in pieces, it may be refused before its end.
	bash -c "$generator" >"$MNT/t/x.append.$ending" || :
	documents t | cmp - before
	test -s "$MNT/t/x.append.$ending.rejected"
	test -s "$MNT/t/x.append.$ending.error"
	expect_alive
	cp "$DIR/.seed" "$MNT/t/documents.jsonl"
	expect_numbers t 1 2
}

bad() {
	local name=$1
	shift
	add_case "F6_$name" prove_bad_file "$@"
}

invalid='Invalid argument'
# A deployment elsewhere tells why an import failed in words: there is no code.
large=$(of_kind 'File too large' "$invalid")

bad invalid_utf8_jsonl "$invalid" jsonl \
	'printf "{\"a\":1}\n{\"a\":\"\\377\"}\n"' 'row 2'
bad overlong_utf8_jsonl "$invalid" jsonl \
	'printf "{\"a\":\"\\300\\200\"}\n"' 'row 1'
bad invalid_utf8_csv "$invalid" csv 'printf "a\n1\n\\303\n"' 'row 2'
bad invalid_utf8_csv_header "$invalid" csv 'printf "\\377\n1\n"' 'header|row'
bad invalid_utf8_json "$invalid" json 'printf "[{\"a\":\"\\377\"}]"' 'UTF-8|row 1'
bad blank_line "$invalid" jsonl 'printf "{}\n\n{}\n"' 'row 2'
bad blank_line_at_the_end "$invalid" jsonl 'printf "{}\n{}\n\n"' 'row 3'
bad spaces_at_the_end "$invalid" jsonl 'printf "{}\n  "' 'row 2'
bad mark_in_the_middle "$invalid" jsonl 'printf "{}\n\\357\\273\\277{}\n"' 'row 2'
bad nul_byte "$invalid" jsonl 'printf "{\"a\":\"x\\0y\"}\n"' 'row 1'
bad nul_bytes_only "$invalid" jsonl 'head -c 100000 /dev/zero' 'row 1'
bad control_byte "$invalid" json 'printf "[{\"a\":\"x\\ty\"}]"' '.'
bad deep_array "$invalid" jsonl \
	'printf "{\"a\":"; printf "[%.0s" $(seq 10000)
	printf "]%.0s" $(seq 10000); echo "}"' 'row 1'
bad deep_object "$invalid" json \
	'printf "["; printf "{\"a\":%.0s" $(seq 10000); printf 1
	printf "}%.0s" $(seq 10000); echo "]"' '.'
bad deep_and_cut_off "$invalid" jsonl 'yes "[" | tr -d "\n" | head -c 9999999' '.'
bad nesting_of_17 "$invalid" jsonl \
	'printf "{\"a\":"; printf "[%.0s" $(seq 16)
	printf "]%.0s" $(seq 16); echo "}"' 'row 1'
bad ten_thousand_columns "$invalid" csv \
	'seq -s, 10000 | sed "s/\([0-9]*\)/c\1/g"; seq -s, 10000' '.'
bad ten_thousand_fields "$invalid" jsonl \
	'printf "{"; seq 10000 | sed "s/.*/\"c&\":1,/" | tr -d "\n"
	echo "\"z\":1}"' 'row 1'
bad ten_thousand_elements "$invalid" jsonl \
	'printf "{\"a\":["; yes 1, | head -n 10000 | tr -d "\n"; echo "1]}"' \
	'row 1' 'a'
bad wrong_header "$invalid" csv 'printf "a,\$b\n1,2\n"' '\$b'
bad header_of_other_letters "$invalid" csv 'printf "n\303\244me\n1\n"' 'header|column'
bad short_row "$invalid" csv 'printf "a,b\n1,2\n3\n"' 'row 2'
bad long_row "$invalid" csv 'printf "a,b\n1,2\n3,4,5\n"' 'row 2'
bad open_quote "$invalid" csv 'printf "a,b\n1,2\n\"3,4\n5\n"' 'row 2'
bad open_quote_of_10_MB "$invalid" csv \
	'printf "a,b\n\""; yes 1,2 | head -c 10000000' '.'
bad csv_as_jsonl "$invalid" jsonl 'printf "a,b\n1,2\n"' 'row 1'
bad array_as_jsonl "$invalid" jsonl 'printf "[{\"a\":1}]\n"' 'row 1'
bad lines_as_array "$invalid" json 'printf "{\"a\":1}\n{\"a\":2}\n"' '.'
bad object_as_array "$invalid" json 'printf "{\"a\":1}"' '.'
bad cut_off_array "$invalid" json 'printf "[{\"a\":1},{\"a\":"' '.'
bad two_arrays "$invalid" json 'printf "[{\"a\":1}][]"' '.'
bad nothing_as_array "$invalid" json 'printf " "' '.'
bad cut_off_line "$invalid" jsonl 'printf "{\"a\":1}\n{\"a\":"' 'row 2'
bad two_values_on_a_line "$invalid" jsonl 'printf "{} {}\n"' 'row 1'
bad number_overflow "$invalid" jsonl 'echo "{\"a\":1e309}"' 'row 1'
bad leading_zero "$invalid" jsonl 'echo "{\"a\":01}"' 'row 1'
bad not_a_number "$invalid" jsonl 'echo "{\"a\":NaN}"' 'row 1'
bad lone_surrogate "$invalid" jsonl 'echo "{\"a\":\"\\ud800\"}"' 'row 1'
bad dollar_key "$invalid" jsonl 'echo "{\"a\":{\"\$b\":1}}"' 'row 1' '\$b'
bad underscore_key "$invalid" jsonl 'echo "{\"_b\":1}"' 'row 1' '_b'
bad foreign_id "$invalid" jsonl 'echo "{\"_id\":1}"' 'row 1' '_id'
bad text_of_time "$invalid" jsonl 'echo "{\"_creationTime\":\"now\"}"' 'row 1'
bad negative_time "$invalid" jsonl 'echo "{\"_creationTime\":-1}"' 'row 1'
bad gzip_as_jsonl "$invalid" jsonl 'seq 20000 | gzip -n' 'row 1'
bad gzip_as_csv "$invalid" csv 'seq 20000 | gzip -n' '.'
bad gzip_as_json "$invalid" json 'seq 20000 | gzip -n' '.'
bad large_document "$large" jsonl \
	'printf "{\"s\":\""; yes x | tr -d "\n" | head -c 2000000; echo "\"}"' \
	'row 1'
bad large_array_file "$large" json \
	'printf "["; yes "{}," | head -c 17000000; echo "{}]"' '.'

# The same id twice, in one file and against what is there.
case_F6_duplicate_ids() {
	start_mount
	seed t 1
	documents t >before
	cat before before >in
	mark
	expect_refused 'Invalid argument' cp in "$MNT/t/documents.jsonl"
	expect_imports 1 failed
	expect_reject t/documents.jsonl in
	expect_match "code" "$(last_import error.code)" \
		"$(of_kind DuplicateId EINVAL)"
	expect_refused 'Invalid argument' cp before "$MNT/t/in.append.jsonl"
	expect_match "code" "$(last_import error.code)" \
		"$(of_kind DocumentExists EINVAL)"
	documents t | cmp - before
}

# What looks wrong and is not.
case_F6_odd_input_that_is_right() {
	start_mount
	local name
	printf '{"n":1}\r\n {"n":2} \t\r\n{"n":3}' >lines.jsonl
	printf '[]' >none.json
	: >empty.csv
	: >zero.jsonl
	printf '\n\nn,n\r9,1\r\n\n9,"2"' >odd.csv
	printf '{"n":9,"n":1}\n' >twice.jsonl
	printf 'n,a\n1,x\0y\n' >nul.csv
	{ printf '{"n":1,"a":' && printf '[%.0s' $(seq 15) &&
		printf ']%.0s' $(seq 15) && echo '}'; } >deep.jsonl
	for name in lines.jsonl none.json empty.csv zero.jsonl odd.csv \
		twice.jsonl nul.csv deep.jsonl; do
		cp $name "$MNT/$name"
	done
	expect_numbers lines 1 2 3
	expect_rows none 0
	expect_rows empty 0
	expect_rows zero 0
	expect_numbers odd 1 2
	expect_numbers twice 1
	expect_numbers deep 1
	expect_match "NUL" "$(documents nul)" '"a":"x\\u0000y"'
}

# --- one line of 1 GB ---

peak_memory() {
	sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$DAEMON/status"
}

prove_long_line() {
	local ending=$1
	start_mount
	seed t 1 2
	local idle peak
	idle=$(peak_memory)
	mark
	expect_status fails "$PYTHON" -c '
import sys
part = b"a" * (1 << 20)
with open(sys.argv[1], "wb", buffering=0) as f:
    f.write(sys.argv[2].encode())
    for _ in range(1024):
        f.write(part)' "$MNT/t/documents.$ending" "$2"
	expect_said 'File too large|Invalid argument'
	peak=$(peak_memory)
	echo "idle $idle kB, peak $peak kB"
	if ! is_sanitized; then
		[ $((peak - idle)) -lt $((192 << 10)) ] ||
			fail "the daemon took $peak kB"
	fi
	expect_numbers t 1 2
	expect_imports 1 failed
	test -s "$MNT/t/documents.$ending.error"
	cp "$DIR/.seed" "$MNT/t/documents.jsonl"
}

case_F6_one_line_of_1_GB_jsonl() { prove_long_line jsonl '{"a":"'; }
case_F6_one_cell_of_1_GB_csv() { prove_long_line csv '"'; }
case_F6_one_string_of_1_GB_json() { prove_long_line json '["'; }

run_cases "$@"
