#!/usr/bin/env bash
# convexfs export (C-2, C-9; import.md 13, protocol.md EXP-9): without FUSE.
# shellcheck source=tests/mount/lib.sh disable=SC2119,SC2317
. "$(dirname "$0")/../mount/lib.sh"

TERMINAL=$(cd "$(dirname "$0")" && pwd)/on_terminal

import() {
	"$CVX_BIN" import --source "local:$STATE" "$@" 2>import.said ||
		fail "import: $(cat import.said)"
}

export_to() {
	"$CVX_BIN" export --source "local:$STATE" "$@"
}

# Two tables of the root, one of a component.
seed_tables() {
	printf 'name,age\nAda,36\nAlan,41\n' >people.csv
	make_rows 1 "${1:-100}" >rows.jsonl
	import --table people people.csv
	import --table rows rows.jsonl
	import --table carts --component shop people.csv
}

case_C2_export_makes_a_backup_that_restores() {
	seed_tables
	expect_status 0 export_to --path backup.zip
	expect_said '^Exported 104 documents of 3 tables to backup.zip \('
	expect_text "mode" "$(stat -c %a backup.zip)" 644
	expect_text "entries" "$(bsdtar -tf backup.zip | sort | tr '\n' ' ')" \
		"README.md _components/shop/_tables/documents.jsonl \
_components/shop/carts/documents.jsonl \
_components/shop/carts/generated_schema.jsonl _tables/documents.jsonl \
people/documents.jsonl people/generated_schema.jsonl rows/documents.jsonl \
rows/generated_schema.jsonl "
	STATE=$DIR/other import backup.zip
	STATE=$DIR/other expect_status 0 export_to --path again.zip
	bsdtar -xOf backup.zip rows/documents.jsonl >one
	bsdtar -xOf again.zip rows/documents.jsonl >two
	expect_file two one
}

case_EXP9_folder_gets_a_file_of_the_snapshots_name() {
	seed_tables
	mkdir backups
	expect_status 0 export_to --path backups
	expect_status 0 export_to --path backups/
	find backups -name 'snapshot_*_[0-9]*.zip' -size +0 >found
	expect_text "backups" "$(wc -l <found)" 2
}

case_EXP9_existing_file_is_left_alone() {
	seed_tables
	echo mine >backup.zip
	ln -s nowhere link.zip
	expect_status 1 export_to --path backup.zip
	expect_said 'backup.zip is there already'
	expect_text "the file" "$(cat backup.zip)" mine
	expect_status 1 export_to --path link.zip
	expect_status 1 export_to --path none/backup.zip
	expect_status 1 export_to --path none/
	expect_text "files" "$(echo ./*.zip .*.zip*)" \
		"./backup.zip ./link.zip .*.zip*"
}

case_C2_export_to_standard_output() {
	seed_tables 30000
	export_to --path backup.zip 2>/dev/null
	export_to --path - 2>said | cat >piped.zip
	expect_said 'to standard output'
	export_to --path - >filed.zip 2>/dev/null
	for file in backup piped filed; do
		bsdtar -xOf $file.zip rows/documents.jsonl >$file.rows
		expect_file $file.rows backup.rows
	done
	export_to --path - 2>/dev/null |
		expect_status 0 "$CVX_BIN" import --source "local:$DIR/other" \
			--format zip -
	expect_said 'Added 30,004 documents'
	expect_text "what is left" "$(find "$DIR/cache" -type f)" ""
}

case_C2_export_to_a_reader_that_goes_away() {
	local statuses
	make_rows 1 200000 >rows.jsonl
	import --table rows rows.jsonl
	export_to --path - 2>said | head -c 10 >/dev/null
	statuses=("${PIPESTATUS[@]}")
	expect_text "status" "${statuses[0]}" 6
	expect_said 'cannot write to standard output: Broken pipe'
	export_to --path - 2>said >/dev/full || statuses=($?)
	expect_text "status" "${statuses[0]}" 6
}

case_C2_export_to_a_terminal_is_refused() {
	seed_tables
	expect_status 1 "$PYTHON" "$TERMINAL" -- "$CVX_BIN" export \
		--source "local:$STATE" --path -
	expect_said 'nothing for a terminal'
	expect_status 0 "$PYTHON" "$TERMINAL" -- "$CVX_BIN" export \
		--source "local:$STATE" --path backup.zip
	expect_said 'Exporting .* 0 % .*Exported 104 documents'
}

case_C2_export_json() {
	seed_tables
	export_to --path backup.zip --json >out 2>/dev/null
	expect_text "outcome" "$(jq -c '[.path, .state, .components, .tables,
		.documents, .files, .error]' out)" \
		'["backup.zip","completed",2,3,104,0,null]'
	expect_text "bytes" "$(jq .bytes out)" "$(stat -c %s backup.zip)"
	expect_match "timestamp" "$(jq -r .timestamp out)" '^[0-9]{19}$'
	export_to --path backup.zip --json >out 2>/dev/null || :
	expect_text "failure" "$(jq -c '[.state, .error.code]' out)" \
		'["failed","EEXIST"]'
}

case_C9_wrong_calls_of_export_tell_json_as_well() {
	local words
	for words in "" "backup.zip" "--paht a.zip" "--path -"; do
		# shellcheck disable=SC2086 # several words
		expect_status 1 export_to $words --json
		grep '^{' said >out || fail "no JSON for: $words"
		expect_text "outcome of $words" "$(jq -c '[.state,
			.error.code]' out)" '["failed","EINVAL"]'
	done
	expect_match "message" "$(jq -r .error.message out)" \
		'both want standard output'
}

case_C9_statuses_of_export() {
	expect_status 1 export_to
	expect_said '\-\-path is missing'
	expect_status 1 export_to backup.zip
	expect_said 'where the archive goes is told with --path'
	expect_status 1 export_to --path - --json
	expect_status 1 export_to --prod --path a.zip
	expect_said 'select one elsewhere'
	expect_status 4 export_to --path a.zip
	expect_said "there is no deployment in $STATE"
	[ ! -e "$STATE" ] || fail "a deployment was made"
	seed_tables
	expect_status 6 export_to --path /sys/kernel/a.zip
}

# Or over.
is_begun() {
	[ -n "$(find "$STATE/stage" out -mindepth 1)" ] ||
		! kill -0 "$1" 2>/dev/null
}

case_C2_export_that_is_stopped_leaves_nothing() {
	local pid status=0
	make_rows 1 400000 >rows.jsonl
	import --table rows rows.jsonl
	mkdir out
	env --default-signal "$CVX_BIN" export --source "local:$STATE" \
		--path out 2>said &
	pid=$!
	await 10 is_begun $pid
	kill -INT $pid
	wait $pid || status=$?
	case $status in
	0) expect_text "files" "$(find out -type f | wc -l)" 1 ;;
	130) expect_text "files" "$(ls -A out)" "" ;;
	*) fail "status $status" ;;
	esac
	# The reader does not read: it can be stopped all the same.
	mkfifo pipe
	env --default-signal "$CVX_BIN" export --source "local:$STATE" \
		--path - 2>said >pipe &
	pid=$!
	exec 5<pipe
	head -c 1 <&5 >/dev/null
	kill -TERM $pid
	status=0
	wait $pid || status=$?
	exec 5<&-
	expect_text "status" "$status" 130
	expect_text "stage" "$(find "$STATE/stage" -type f)" ""
}

case_C6_export_while_it_is_mounted() {
	start_mount
	seed t 1 2 3
	expect_status 0 export_to --path backup.zip
	documents t >mounted
	bsdtar -xOf backup.zip t/documents.jsonl >exported
	expect_file exported mounted
}

run_cases "$@"
