#!/usr/bin/env bash
#
# Convex's own client against `convexfs serve`, with faults between the two
# (proxy.cjs), as they were when the transcripts were recorded. What happens in
# the deployment is looked at behind the client's back.

# shellcheck source=tests/client/lib.sh
. "$(dirname "$0")/lib.sh"

# A served and mounted deployment, a twin, and rows.
prepare() {
	start_server
	start_mount
	start_twin
	printf '{"n":%d}\n' 1 2 3 >three.jsonl
	SERVED=$URL
	through_fault "$1"
}

expect_fault() {
	grep -qx fault asked || fail "no fault happened: $(cat asked)"
}

# The import works as without the fault.
expect_imported() {
	expect_both 0 --table t three.jsonl
	expect_said 'Added 3 documents to table "t"'
	expect_numbers t 1 2 3
}

finish_up() {
	expect_fault
	URL=$SERVED
	stop_mounts
	stop_server
}

# import-13, WS-15: Transitions in slices.
case_WS15_slices_are_put_together() {
	prepare import-13
	expect_imported
	finish_up
}

# import-14, WS-10, WS-13: one Transition for both, no clock, no Ping.
case_WS10_smallest_server() {
	prepare import-14
	expect_imported
	expect_text 'on standard output' "$(cli data t --format jsonl 2>&1 |
		grep -c '"n"')" 3
	finish_up
}

# import-15, HTTP-13: a part that is refused with 500 is not sent again; nothing
# is imported, and nothing is left once the server has been started again.
case_HTTP13_a_part_that_fails_ends_the_import() {
	prepare import-15
	expect_cli 1 import --table t three.jsonl
	expect_said 'Importing data from "three.jsonl" to table "t" failed'
	expect_said '500 Internal Server Error: InternalServerError: out of order'
	expect_asked 1 'POST /api/import/upload_part 500'
	expect_asked 0 'POST /api/import/finish_upload'
	[ ! -e "$MNT/t" ] || fail "a table was made"
	URL=$SERVED
	expect_text imports "$(query _system/cli/queryImport:list '{}')" '[]'
	stop_server
	start_server
	expect_text 'what is left' "$(ls "$STATE/uploads")" ''
	SERVED=$URL
	finish_up
}

# import-16, HTTP-13, IMP-12: an answer that is lost is asked for again; what
# was confirmed twice happens once.
case_IMP12_a_lost_answer_is_no_second_import() {
	prepare import-16
	expect_imported
	expect_asked 2 'POST /api/import/start_upload 404'
	expect_asked 1 'POST /api/import/start_upload 200'
	expect_asked 1 'POST /api/perform_import -'
	expect_asked 1 'POST /api/perform_import 200'
	expect_text imports "$(last_import '| "\(.state) \(.rows)"')" 'completed 3'
	finish_up
}

# import-18, HTTP-8: a key that may not import.
case_HTTP8_a_key_that_may_not_import() {
	prepare import-18
	expect_cli 1 import --table t three.jsonl
	expect_said 'permission to perform this operation .deployment:backups:import'
	expect_asked 1 'POST /api/import/start_upload 403'
	[ ! -e "$MNT/t" ] || fail "a table was made"
	finish_up
}

# import-22, IMP-21: who may not see imports cannot confirm any; it stays.
case_HTTP8_a_key_that_may_not_see_imports() {
	prepare import-22
	expect_cli 1 import --table t three.jsonl
	expect_said 'permission to perform this operation .deployment:backups:view'
	expect_asked 0 'POST /api/perform_import'
	[ ! -e "$MNT/t" ] || fail "what was not confirmed was imported"
	URL=$SERVED
	IMPORT=$(query _system/cli/queryImport:list '{}' | jq -r '.[0]._id')
	expect_state "$IMPORT" waiting_for_confirmation
	finish_up
}

# import-27, WS-13: times that are null make the client complain, and work.
case_WS13_clocks_that_are_null() {
	prepare import-27
	expect_imported
	expect_said 'which took more than 20s to arrive'
	finish_up
}

# import-28, HTTP-14: the first question is asked once.
case_HTTP14_the_first_question_is_asked_once() {
	prepare import-28
	expect_cli 1 import --table t three.jsonl
	expect_said 'Unexpected Error: Error'
	expect_text asked "$(sed '1d; /^fault$/d' asked)" 'POST /api/query 404'
	finish_up
}

# import-29, IMP-15 to IMP-17: an empty message is not asked about, although
# documents would be deleted.
case_IMP17_least_documents() {
	prepare import-29
	expect_imported
	printf '{"n":4}\n' >four.jsonl
	expect_cli 0 import --table t --replace four.jsonl
	expect_said 'Added 1 documents to table "t"'
	expect_numbers t 4
	finish_up
}

# export-06, HTTP-13: the archive is asked for again, and is whole.
case_HTTP13_an_archive_is_asked_for_again() {
	prepare export-06
	seed t 1 2
	expect_cli 0 export --path out.zip
	expect_said 'Downloaded snapshot export to out.zip'
	expect_asked 1 'GET /api/export/zip/[0-9]+ 503'
	expect_asked 1 'GET /api/export/zip/[0-9]+ 200'
	unzip -p out.zip t/documents.jsonl >got
	documents t >want
	expect_file got want
	finish_up
}

# data-06, data-07, data-09; HTTP-8, WS-19, WS-22: queries that fail.
case_WS22_queries_that_fail() {
	local name said
	start_server
	SERVED=$URL
	while IFS=: read -r name said; do
		URL=$SERVED
		through_fault "$name"
		expect_cli 1 data
		expect_said "$said"
		expect_fault
	done <<-'END'
		data-06:^✖ You do not have permission to perform this operation .deployment.data.view.\.$
		data-07:Server Error
		data-09:CONVEX FATAL ERROR. protocol violation
	END
	URL=$SERVED
	expect_cli 0 data
	stop_server
}

run_cases "$@"
