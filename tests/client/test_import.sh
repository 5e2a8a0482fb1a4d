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

# import-01, -20, -21, -23: each format gives what cp gives, and what
# `convexfs import` gives, in however many parts it comes.
case_IMP1_each_format_imports_what_cp_imports() {
	make_inputs
	start_server
	start_mount
	start_twin
	CONVEX_IMPORT_CHUNK_SIZE=100000 expect_both 0 --table lines good.jsonl
	expect_said 'Added 3000 documents to table "lines"'
	expect_same_as_copy lines good.jsonl
	{
		printf '\xef\xbb\xbf'
		make_csv
	} >people.csv
	CONVEX_IMPORT_CHUNK_SIZE=64 URL=$URL/ \
		expect_cli 0 import --table people people.csv
	make_csv >plain.csv
	expect_same_as_copy people plain.csv
	jq -cs . good.jsonl >all.json
	CONVEX_IMPORT_CHUNK_SIZE=50000 expect_cli 0 import --table array all.json
	expect_same_as_copy array all.json
	stop_mounts
	stop_server
	[ -z "$(ls "$STATE/uploads")" ] || fail "uploads are left behind"
}

# import-07, IMP-4: 12 MiB come in parts of 5 MiB.
case_IMP4_a_file_comes_in_parts_of_5_MiB() {
	local text n
	start_server
	start_mount
	start_twin
	text=$(head -c $((1 << 20)) /dev/zero | tr '\0' x)
	for n in $(seq 12); do
		printf '{"n":%d,"text":"%s"}\n' "$n" "${text:200}"
	done >big.jsonl
	through_fault import-07
	expect_both 0 --table t big.jsonl
	expect_said 'Added 12 documents'
	expect_asked 3 'POST /api/import/upload_part 200'
	stop_mounts
	stop_server
}

# import-05, -06: archives; replace leaves other tables alone.
case_IMP1_archives_replace_some_or_all_tables() {
	start_server
	start_mount
	start_twin
	seed t 1 2
	seed u 3
	(cd "$MNT" && zip -qr "$DIR/both.zip" t u)
	documents t >before
	seed v 4
	seed t 5
	expect_cli 0 import --replace -y both.zip
	expect_said 'Added 3 documents'
	expect_file "$MNT/t/documents.jsonl" before
	expect_numbers v 4
	expect_both 0 --replace-all -y both.zip
	expect_file "$MNT/t/documents.jsonl" before
	expect_file "$TWIN/t/documents.jsonl" before
	[ ! -e "$MNT/v" ] || fail "replace-all left a table"
	stop_mounts
	stop_server
	[ -z "$(ls "$STATE/uploads")" ] || fail "uploads are left behind"
}

# import-02, -03, -04, -08, -19, -26: modes, and what asks before it deletes.
case_IMP2_modes_ask_before_they_delete() {
	start_server
	start_mount
	start_twin
	printf '{"n":%d}\n' 1 2 >two.jsonl
	printf '{"n":3}\n' >three.jsonl
	expect_both 0 --table t two.jsonl
	expect_both 1 --table t three.jsonl
	expect_said 'table t has documents already'
	expect_both 0 --table t --append three.jsonl
	expect_numbers t 1 2 3
	expect_both 1 --table t --replace three.jsonl
	expect_said 't     \| 1      \| 3 of 3 \|'
	expect_said 'Cannot prompt for input in non-interactive terminals'
	expect_numbers t 1 2 3
	# Append wins; it asks nothing, and `convexfs import` will not guess.
	expect_cli 0 import --table t --replace --append three.jsonl
	expect_said 'Added 1 documents to table "t"'
	expect_numbers t 1 2 3 3
	expect_refused 'replace' "$CVX_BIN" import --table t --replace --append \
		three.jsonl --source "local:$DIR/twin"
	: >none.jsonl
	expect_both 0 --table t --replace -y none.jsonl
	expect_said 'Added 0 documents'
	expect_rows t 0
	stop_mounts
	stop_server
}

# import-08, -09: faults of values show behind the confirmation, others before;
# nothing is imported.
case_IMP23_a_failing_import_tells_the_place_and_changes_nothing() {
	make_inputs
	start_server
	start_mount
	start_twin
	echo '{"n":1}' >one.jsonl
	expect_both 0 --table t one.jsonl
	expect_both 1 --table t --append bad.jsonl
	expect_said 'row 2000'
	echo '{"n":2} {"%n":3}' | tr ' %' '\n$' >values.jsonl
	expect_both 1 --table t --append values.jsonl
	expect_said 't     \| .* \| 0 of 1 \|'
	expect_said 'row 2'
	expect_text 'the same place' "$(grep -o 'row 2: .*' said.client)" \
		"$(grep -o 'row 2: .*' said.import)"
	expect_numbers t 1
	stop_mounts
	stop_server
}

# import-10, -17: a component, which is made; a key of another deployment.
case_IMP14_component_and_wrong_key() {
	start_server
	start_mount
	start_twin
	printf '{"n":1}\n{"n":2}\n' >two.jsonl
	expect_both 0 --table t --component lib/sub two.jsonl
	expect_text rows \
		"$(wc -l <"$MNT/_components/lib/_components/sub/t/documents.jsonl")" 2
	KEY=local-other${KEY#"${KEY%%|*}"} expect_cli 1 import --table u two.jsonl
	expect_said BadAdminKey
	[ ! -e "$MNT/u" ] || fail "a wrong key imported"
	stop_mounts
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

# import-03 with a terminal: the server restarts while the client waits for an
# answer; the import goes on from its record.
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
