#!/usr/bin/env bash
#
# npx convex import against `convexfs serve` (protocol.md 7; transcripts
# import-*).

# shellcheck source=tests/client/lib.sh
. "$(dirname "$0")/lib.sh"

make_csv() {
	printf 'name,age\n'
	seq 50 | sed 's/.*/row &,&/'
}

# import-01, -05, -06, -07, -20, -21: each format gives what cp gives.
case_IMP1_each_format_imports_what_cp_imports() {
	make_inputs
	start_server
	start_mount
	CONVEX_IMPORT_CHUNK_SIZE=100000 \
		expect_cli 0 import --table lines good.jsonl
	expect_said 'Added 3000 documents to table "lines"'
	expect_same_as_copy lines good.jsonl

	{
		printf '\xef\xbb\xbf'
		make_csv
	} >people.csv
	CONVEX_IMPORT_CHUNK_SIZE=64 expect_cli 0 import --table people people.csv
	make_csv >plain.csv
	expect_same_as_copy people plain.csv

	jq -cs . good.jsonl >all.json
	expect_cli 0 import --table array all.json
	expect_same_as_copy array all.json

	(cd "$MNT" && zip -qr "$DIR/backup.zip" lines people)
	documents lines >before
	expect_cli 0 import --replace-all -y backup.zip
	expect_said 'Added 3050 documents'
	expect_file "$MNT/lines/documents.jsonl" before
	[ ! -e "$MNT/array" ] || fail "replace-all left a table"
	stop_server
	stop_mount
	[ -z "$(ls "$STATE/uploads")" ] || fail "uploads are left behind"
}

# import-02, -03, -04, -08, -19: modes, and what asks before it deletes.
case_IMP2_modes_ask_before_they_delete() {
	start_server
	start_mount
	seed t 1 2
	printf '{"n":3}\n' >three.jsonl
	expect_cli 1 import --table t three.jsonl
	expect_said 'table t has documents already'
	expect_cli 0 import --table t --append three.jsonl
	expect_numbers t 1 2 3
	expect_cli 1 import --table t --replace three.jsonl
	expect_said 't     \| 1      \| 3 of 3 \|'
	expect_said 'Cannot prompt for input in non-interactive terminals'
	expect_numbers t 1 2 3
	: >none.jsonl
	expect_cli 0 import --table t --replace -y none.jsonl
	expect_said 'Added 0 documents'
	expect_rows t 0
	stop_server
	stop_mount
}

# import-09, -08: faults of values show behind the confirmation, others before;
# nothing is imported.
case_IMP23_a_failing_import_tells_the_place_and_changes_nothing() {
	make_inputs
	start_server
	start_mount
	seed t 1
	expect_cli 1 import --table t --append bad.jsonl
	expect_said 'row 2000'
	echo '{"n":2} {"%n":3}' | tr ' %' '\n$' >values.jsonl
	expect_cli 1 import --table t --append values.jsonl
	expect_said 't     \| .* \| 0 of 1 \|'
	expect_said 'row 2'
	expect_numbers t 1
	stop_server
	stop_mount
}

# import-10, -17: a component, which is made; a key of another deployment.
case_IMP14_component_and_wrong_key() {
	start_server
	printf '{"n":1}\n{"n":2}\n' >two.jsonl
	expect_cli 0 import --table t --component lib/sub two.jsonl
	start_mount
	expect_text rows \
		"$(wc -l <"$MNT/_components/lib/_components/sub/t/documents.jsonl")" 2
	KEY=local-other${KEY#"${KEY%%|*}"} expect_cli 1 import --table u two.jsonl
	expect_said BadAdminKey
	[ ! -e "$MNT/u" ] || fail "a wrong key imported"
	stop_mount
	stop_server
}

# An import happens once, whenever the server is killed while it does.
case_IMP18_a_killed_import_happens_once() {
	local n delay
	make_inputs
	start_server
	for n in 1 2 3 4 5 6; do
		upload good.jsonl
		finish t append
		expect_state "$IMPORT" waiting_for_confirmation
		post /api/perform_import "{\"importId\":\"$IMPORT\"}" >/dev/null
		delay=$((RANDOM % 30))
		sleep "0.0$((delay / 10))$((delay % 10))"
		kill_server
		start_server
		expect_state "$IMPORT" completed
	done
	start_mount
	expect_rows t $((n * GOOD_ROWS))
	stop_mount
	stop_server
	[ -z "$(ls "$STATE/uploads")" ] || fail "uploads are left behind"
}

# import-03 with a terminal, import-12: the server restarts while the client
# waits for an answer; the import goes on from its record.
case_IMP12_restart_between_question_and_answer() {
	local listen question
	start_server
	listen=${URL#http://}
	start_mount
	seed t 1 2
	stop_mount
	printf '{"n":3}\n' >three.jsonl
	echo '{"dependencies":{"convex":"*"}}' >package.json
	need script node
	mkfifo answer
	script -qec "node '$CLIENT/node_modules/convex/bin/main.js' import \
		--table t --replace three.jsonl --url '$URL' --admin-key '$KEY'" \
		/dev/null <answer >asked 2>&1 &
	question=$!
	exec 3>answer
	await 20 grep -q 'Perform import' asked
	kill_server
	start_server_at "$listen"
	printf 'y\r' >&3
	wait "$question" || fail "the client failed: $(cat asked)"
	exec 3>&-
	start_mount
	expect_numbers t 3
	stop_mount
	stop_server
}

run_cases "$@"
