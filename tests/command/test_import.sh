#!/usr/bin/env bash
# convexfs import (C-2, C-6, C-9; import.md 6.1, 7.1, 10.3): without FUSE, but
# for the cases of deployments that are mounted.
# shellcheck source=tests/mount/lib.sh disable=SC2119,SC2317
. "$(dirname "$0")/../mount/lib.sh"

TERMINAL=$(cd "$(dirname "$0")" && pwd)/on_terminal

import() {
	"$CVX_BIN" import --source "local:$STATE" "$@"
}

# How many documents the table has: what a replace would delete.
count() {
	: >.empty.jsonl
	import --table "$1" --replace --json .empty.jsonl 2>/dev/null |
		jq ".tables[0].existing"
}

expect_count() {
	expect_text "documents in $1" "$(count "$1")" "$2"
}

people() {
	printf 'name,age\nAda,36\nAlan,41\n' >people.csv
}

# --- formats and modes -----------------------------------------------------

case_C2_each_format_is_known_by_its_ending() {
	people
	echo '{"n":1}' >a.jsonl
	echo '[{"n":1},{"n":2},{"n":3}]' >b.json
	expect_status 0 import --table people people.csv
	expect_said 'Importing people.csv \(24 bytes\)'
	expect_said 'Added 2 documents to table "people"\.'
	expect_status 0 import --table a a.jsonl
	expect_said 'Added 1 document to table "a"\.'
	expect_status 0 import --table b b.json
	expect_count people 2
	expect_count a 1
	expect_count b 3
}

case_C2_format_may_be_given_and_a_mismatch_warns() {
	people
	cp people.csv people.txt
	expect_status 0 import --table a --format csv people.txt
	! grep -q warning said || fail "warned of nothing"
	cp people.csv people.json
	expect_status 0 import --table b --format csv people.json
	expect_said 'warning: the file is read as --format says'
	expect_count b 2
}

case_C2_modes_are_those_of_the_official_client() {
	people
	expect_status 0 import --table t people.csv
	expect_status 3 import --table t people.csv
	expect_said 'people.csv: table t has documents already'
	expect_count t 2
	expect_status 0 import --table t --append people.csv
	expect_count t 4
	expect_status 0 import --table t --replace -y people.csv
	expect_count t 2
	expect_status 0 import --table u --replace-all --yes people.csv
	expect_count t 0
	expect_count u 2
}

case_C2_zip_restores_all_its_tables() {
	mkdir -p z/t z/_components/shop/carts
	echo '{"n":1}' >z/t/documents.jsonl
	echo '{"n":2}' >z/_components/shop/carts/documents.jsonl
	(cd z && zip -qr ../backup.zip .)
	expect_status 0 import backup.zip
	expect_said 'Added 2 documents\.'
	expect_count t 1
	expect_status 1 import --table t backup.zip
	expect_said 'a zip names its tables itself'
	expect_status 3 import backup.zip
	expect_status 0 import --component in/side backup.zip
	expect_status 0 import --replace -y backup.zip
	expect_said '^t +\| 1 +\| 1 of 1 \|$'
	expect_said '^Component shop:$'
}

case_C2_component_is_made_with_the_import() {
	people
	expect_status 2 import --component a/b --table t --format jsonArray \
		people.csv
	# F-1: a failure makes nothing, not even the component.
	expect_text "components" "$(sqlite3 "$STATE/catalog.sqlite3" \
		"select count(*) from components where path like 'a%'")" 0
	expect_status 0 import --component a/b --table t people.csv
	expect_text "documents" "$(import --component a/b --table t --replace \
		--json people.csv 2>/dev/null | jq '.tables[0].existing')" 2
	expect_count t 0
}

case_C2_mark_at_the_start_is_no_part_of_the_file() {
	printf '\xef\xbb\xbf{"n":1}\n' >a.jsonl
	expect_status 0 import --table a a.jsonl
	expect_status 0 import --table b --format jsonLines - <a.jsonl
	# shellcheck disable=SC2002 # a pipe is what it is about
	cat a.jsonl | expect_status 0 import --table c --format jsonLines -
	expect_count c 1
}

# --- standard input --------------------------------------------------------

case_C2_standard_input_is_read_to_its_end() {
	make_rows 1 30000 >rows.jsonl
	# shellcheck disable=SC2002
	cat rows.jsonl | expect_status 0 import --table t --format jsonLines -
	expect_said 'Importing standard input'
	expect_count t 30000
	expect_status 0 import --table u --format jsonLines - <rows.jsonl
	expect_count u 30000
	expect_status 0 import --table v --format jsonLines /dev/stdin < <(
		head -n 5 rows.jsonl
		sleep 0.1
		tail -n 5 rows.jsonl
	)
	expect_count v 10
	expect_text "what is left" "$(find "$DIR/cache" -type f)" ""
}

case_C2_rest_of_a_file_is_what_stands_behind() {
	people
	printf 'a line that is not for it\n' | cat - people.csv >both
	{
		read -r _
		expect_status 0 import --table t --format csv -
	} <both
	expect_count t 2
}

case_C2_zip_may_come_through_a_pipe() {
	mkdir -p z/t
	make_rows 1 20000 >z/t/documents.jsonl
	(cd z && zip -qr ../backup.zip .)
	# shellcheck disable=SC2002
	cat backup.zip | expect_status 0 import --format zip -
	expect_count t 20000
}

case_C2_empty_input_is_a_file_without_rows() {
	expect_status 0 import --table t --format jsonLines - </dev/null
	expect_said 'Added 0 documents'
	expect_status 2 import --format zip - </dev/null
}

case_C2_the_format_of_standard_input_must_be_said() {
	expect_status 1 import --table t - </dev/null
	expect_said 'does not tell the format'
}

# --- what is refused -------------------------------------------------------

case_C9_wrong_calls_are_1() {
	people
	expect_status 1 import
	expect_said 'the file is missing'
	expect_status 1 import --table a b.csv c.csv
	expect_said 'too many words'
	expect_status 1 import people.csv
	expect_said '\-\-table is missing'
	expect_status 1 import --table 'a b' people.csv
	expect_said "cannot be the name of a table"
	expect_status 1 import --table t --component 'a b' people.csv
	expect_said "cannot be the path of a component"
	expect_status 1 import --table t people.CSV
	expect_said 'does not tell the format'
	expect_status 1 import --table t --append --replace people.csv
	expect_said 'exclude each other'
	expect_status 1 import --table t --format tsv people.csv
	expect_said 'is not csv, jsonLines, jsonArray or zip'
	expect_status 1 import --table t none.csv
	expect_said 'cannot read none.csv: No such file'
	mkdir dir.csv
	expect_status 1 import --table t dir.csv
	expect_status 1 import --tabel t people.csv
	expect_said "did you mean '--table'"
	[ ! -e "$STATE" ] || fail "a deployment was made"
}

# What is selected and cannot be reached is an error, whatever says it.
case_C1_deployments_elsewhere_are_never_replaced() {
	people
	export CONVEX_PROVISION_HOST=nowhere
	expect_status 1 "$CVX_BIN" import --source happy-otter-123 --table t \
		people.csv
	expect_said CONVEX_PROVISION_HOST
	expect_status 1 "$CVX_BIN" import --url http://127.0.0.1 --table t \
		people.csv
	expect_said 'no key for this URL'
	expect_status 1 "$CVX_BIN" import --prod --table t people.csv
	expect_said 'in which project'
	expect_status 1 "$CVX_BIN" import --admin-key 'a|SECRET' --table t \
		people.csv
	expect_said 'needs --url'
	! grep -q SECRET said || fail "a key was repeated"
	CONVEX_DEPLOYMENT=dev:happy-otter-123 expect_status 1 "$CVX_BIN" \
		import --table t people.csv
	expect_said CONVEX_PROVISION_HOST
}

case_C9_refused_contents_are_2_with_every_place() {
	printf '{"n":1}\n{"n":x}\n{"n":2}\n{]\n' >bad.jsonl
	expect_status 2 import --table t bad.jsonl
	expect_said '^convexfs: bad.jsonl: row 2: .*\(and 1 more row refused\)$'
	expect_said '^  row 4: '
	expect_count t 0
	printf '{"n":1}\n{"_id":5}\n' >bad.jsonl
	expect_status 2 import --table t bad.jsonl
	expect_said '^convexfs: bad.jsonl: row 2: '
	expect_text "lines said" "$(wc -l <said)" 2
	expect_status 2 import --table _t bad.jsonl
	echo 'no zip' >no.zip
	expect_status 2 import no.zip
	head -c 100 /dev/zero >no.csv
	expect_status 2 import --table t no.csv
}

case_C9_local_trouble_is_6() {
	people
	STATE=/proc/none expect_status 6 import --table t people.csv
	mkdir cache
	echo >cache/convexfs
	expect_status 6 import --table t --format csv - < <(cat people.csv)
	expect_said 'convexfs/.*: Not a directory'
}

# --- asking ----------------------------------------------------------------

case_C2_without_a_terminal_nothing_is_deleted_unasked() {
	people
	expect_status 0 import --table t people.csv
	echo y >yes
	expect_status 1 import --table t --replace people.csv <yes
	expect_said '^t +\| 2 +\| 2 of 2 \|$'
	expect_said 'no terminal to ask at; with -y nothing is asked'
	expect_count t 2
	printf 'name\nGrace\n' >one.csv
	expect_status 1 import --table t --replace one.csv <yes
	expect_status 0 import --table t --replace -y one.csv
	expect_count t 1
	# Nothing is deleted: nothing to ask.
	expect_status 0 import --table empty --replace one.csv </dev/null
}

ask() {
	local keys=$1
	shift
	"$PYTHON" "$TERMINAL" --when '(Y/n)' --type "$keys" -- \
		"$CVX_BIN" import --source "local:$STATE" "$@"
}

case_C2_on_a_terminal_it_asks() {
	people
	printf 'name\nGrace\n' >one.csv
	expect_status 0 import --table t people.csv
	expect_status 1 ask 'n\n' --table t --replace one.csv
	expect_said '1 +\| 2 of 2 \|'
	expect_said 'nothing was imported'
	expect_count t 2
	expect_status 1 ask '\x04' --table t --replace one.csv
	expect_status 130 ask '\x03' --table t --replace one.csv
	expect_count t 2
	expect_status 0 ask '\n' --table t --replace one.csv
	expect_said 'Added 1 document to table'
	expect_count t 1
	expect_status 0 ask 'y\n' --table t --replace people.csv
	expect_count t 2
}

case_C2_on_a_terminal_a_bar_is_drawn_and_removed() {
	make_rows 1 20000 >rows.jsonl
	"$PYTHON" "$TERMINAL" --columns 100 -- "$CVX_BIN" import \
		--source "local:$STATE" --table t rows.jsonl >said
	expect_said '\[[# ]+\] +[0-9]+ %.*of [0-9.]+ MB'
	tr '\r' '\n' <said | grep -vqE '^.{100}' || fail "a line is too long"
	# The last thing drawn over the bar is the outcome.
	tr '\r' '\n' <said | grep -q $'^\e\\[KAdded 20000\|^\e\\[KAdded 20,000' ||
		fail "the bar is still there"
}

# --- for programs ----------------------------------------------------------

case_C2_json_tells_the_outcome() {
	people
	import --table t --json people.csv >out 2>/dev/null
	expect_text "outcome" "$(jq -c '[.target, .format, .mode, .table, .state,
		.rows, .bytes, .tables[0].create, .error]' out)" \
		'["people.csv","csv","require-empty","t","completed",2,24,2,null]'
	printf '{"n":1}\n{]\n{"\xff' >bad.jsonl
	import --table t --append --json bad.jsonl >out 2>/dev/null || :
	expect_text "failure" "$(jq -c '[.state, .rows, .error.code,
		(.error.places | length)]' out)" \
		'["failed",0,"JsonInvalidRow",2]'
	import --table t --replace --json people.csv >out 2>/dev/null || :
	expect_text "not confirmed" "$(jq -c '[.state, .error.code,
		.tables[0].delete]' out)" \
		'["failed","ConfirmationRequired",2]'
	import --table t --json none.csv >out 2>/dev/null || :
	expect_text "no file" "$(jq -r .error.code out)" ENOENT
	expect_text "lines" "$(wc -l <out)" 1
}

# wrong_call WORD...: its status, state and code as JSON, a line.
wrong_call() {
	local status=0
	import "$@" >out 2>said || status=$?
	jq -c "[$status, .state, .error.code, .target, .table]" out
}

case_C9_wrong_calls_tell_json_as_well() {
	people
	expect_text "no file" "$(wrong_call --json)" \
		'[1,"failed","EINVAL",null,null]'
	expect_match "message" "$(jq -r .error.message out)" 'file is missing'
	expect_said '^convexfs: the file is missing'
	expect_text "no table" "$(wrong_call people.csv --json)" \
		'[1,"failed","EINVAL","people.csv",null]'
	# The word that is wrong stands before the one that says how to tell it.
	expect_text "no option" "$(wrong_call --tabel=t people.csv --json)" \
		'[1,"failed","EINVAL","people.csv",null]'
	expect_match "message" "$(jq -r .error.message out)" \
		"did you mean '--table'"
	expect_text "two words" "$(wrong_call --table t a.csv b.csv c.csv \
		--json)" '[1,"failed","EINVAL","a.csv","t"]'
	expect_text "modes" "$(wrong_call --json --table t --append --replace \
		people.csv)" '[1,"failed","EINVAL","people.csv","t"]'
	expect_status 1 import --tabel t people.csv
	! grep -q '{' said || fail "JSON that nobody asked for"
}

case_C2_json_that_cannot_be_written_is_an_error() {
	people
	local status=0
	import --table t --json people.csv >/dev/full 2>said || status=$?
	expect_text "status" $status 6
	expect_said 'the import is done, but standard output'
	expect_count t 2
}

# --- stopping --------------------------------------------------------------

# Starts an import that waits for more input, and sends it the signal.
stop_with() {
	local pid status=0
	mkfifo "pipe$1"
	env --default-signal "$CVX_BIN" import --source "local:$STATE" \
		--table t --format jsonLines "pipe$1" >"said$1" 2>&1 &
	pid=$!
	exec 5>"pipe$1"
	make_rows 1 20000 >&5
	kill "-$1" "$pid"
	wait "$pid" || status=$?
	exec 5>&-
	expect_text "status after SIG$1" "$status" 130
}

case_C9_stopped_is_130_and_nothing_is_imported() {
	people
	stop_with INT
	stop_with TERM
	stop_with HUP
	# nohup, and a shell's "&", want it to go on.
	(
		trap '' HUP
		"$CVX_BIN" import --source "local:$STATE" --table u \
			--format csv <people.csv - &
		kill -HUP $!
		wait $!
	) >said 2>&1
	expect_count u 2
	expect_count t 0
	expect_text "files" "$(find "$STATE/stage" "$DIR/cache" -type f)" ""
}

case_C2_stopping_takes_no_partial_effect() {
	local pid status=0
	make_rows 1 200000 >rows.jsonl
	env --default-signal "$CVX_BIN" import --source "local:$STATE" \
		--table t rows.jsonl >said 2>&1 &
	pid=$!
	await 10 test -e "$STATE/catalog.sqlite3"
	kill -INT "$pid"
	wait "$pid" || status=$?
	# Whichever came first, it is all or nothing.
	case $status in
	0) expect_count t 200000 ;;
	130) expect_count t 0 ;;
	*) fail "status $status" ;;
	esac
}

# --- while it is mounted ---------------------------------------------------

case_C6_import_and_mount_see_each_other() {
	people
	start_mount
	seed t 1 2
	expect_status 0 import --table people people.csv
	expect_rows people 2
	expect_status 0 import --table t --append people.csv
	expect_rows t 4
	echo '{"n":9}' >>"$MNT/t/documents.jsonl"
	expect_status 0 import --table t --replace -y people.csv
	expect_said '2 +\| 5 of 5 \|'
	expect_rows t 2
	expect_match "records" "$(imports)" \
		'"target":"people.csv".*"mode":"append"'
	expect_status 2 import --table t --append --format jsonLines people.csv
	expect_match "last error" "$(last_error)" 'row 1: '
}

case_C6_same_file_gives_the_same_documents() {
	local data=$CVX_DATA/movies.jsonl
	start_mount
	mkdir "$MNT/a"
	cp "$data" "$MNT/a/"
	expect_status 0 import --table b "$data"
	documents a | jq -c 'del(._id, ._creationTime)' >mounted
	documents b | jq -c 'del(._id, ._creationTime)' >imported
	expect_file imported mounted
}

run_cases "$@"
