#!/usr/bin/env bash
# convexfs status, and .convex/staged.jsonl.
# shellcheck source=tests/mount/lib.sh disable=SC2119,SC2317
. "$(dirname "$0")/../mount/lib.sh"

status() {
	"$CVX_BIN" status "$@"
}

# field FILTER [WORD...]: of the mount of this case.
field() {
	local filter=$1
	shift
	status --json "$@" | jq -r --arg mnt "$MNT" \
		".mounts[] | select(.mountpoint == \$mnt) | $filter"
}

case_C1_status_of_a_place_that_is_no_mount() {
	mkdir "$MNT"
	expect_status 1 status "$MNT"
	expect_said "$MNT is no mount of convexfs"
	expect_status 1 status a b
	expect_status 1 status /
	expect_text "mounts here" "$(field .mountpoint)" ""
}

case_C9_wrong_calls_of_status_tell_json_as_well() {
	local words
	mkdir "$MNT"
	for words in "$MNT" "a b" "--jsno" "--show-key"; do
		# shellcheck disable=SC2086 # several words
		expect_status 1 status $words --json
		grep '^{' said >out || fail "no JSON for: $words"
		expect_match "outcome of $words" "$(jq -c '[.mounts,
			.error.code]' out)" '^\[\[\],"(EINVAL|ENOENT)"\]$'
	done
	expect_match "message" "$(jq -r .error.message out)" 'the key alone'
	status --json >out
	expect_text "error" "$(jq -c '.error' out)" null
}

case_C1_status_tells_what_is_mounted_from_where() {
	local other=$DIR/other
	start_mount -o mode=append
	start_mount_at "$DIR/second" "$other"
	expect_status 0 status
	expect_said "^$MNT$"
	expect_said "^$other$"
	expect_said "^  source   local:$STATE$"
	expect_said "^  mounted  embedded deployment .* in $DIR/second$"
	expect_status 0 status "$other"
	expect_text "mounts" "$(grep -c '^  source' said)" 1
	# By another way to the same place.
	ln -s "$other" link
	expect_status 0 status link
	expect_said "^$other$"
	expect_text "mode" "$(field .deployment.options.mode)" append
	expect_text "source" "$(field .source "$MNT")" "local:$STATE"
}

case_T5_status_shows_the_last_imports_and_their_outcome() {
	local n
	start_mount
	seed t 1 2
	echo '{]' >bad.jsonl
	expect_refused 'Invalid argument' cp bad.jsonl \
		"$MNT/t/bad.append.jsonl"
	expect_status 0 status "$MNT"
	expect_said '^  import   [0-9-]+ [0-9:]+  t/documents.jsonl: replace, completed, 2 rows$'
	expect_said '^  import   .*  t/bad.append.jsonl: append, failed: row 1: '
	expect_text "imports" "$(field '.imports | length')" 2
	for n in 1 2 3 4 5 6; do
		echo "{\"n\":$n}" >>"$MNT/t/documents.jsonl"
	done
	expect_text "imports" "$(field '[.imports[].mode] | join(" ")')" \
		"append append append append append"
}

case_status_shows_what_is_staged_and_what_runs() {
	start_mount
	mkdir "$MNT/t"
	make_rows 1 40000 >rows.jsonl
	exec 5>"$MNT/t/new.jsonl" 6>"$MNT/t/.scratch"
	cat rows.jsonl >&5
	echo hidden >&6
	expect_text "staged" "$(field '.staged[] | [.path, .bytes, .open,
		.state] | tostring' | sort)" \
		"[\"t/.scratch\",7,1,\"scratch\"]
[\"t/new.jsonl\",$(stat -c %s rows.jsonl),1,\"writing\"]"
	expect_text "runs" "$(field '.running[] | [.target, .state] |
		tostring')" '["t/new.jsonl","in_progress"]'
	expect_status 0 status
	expect_said '^  staged   t/new.jsonl: 3.. MB, writing$'
	expect_said '^  running  t/new.jsonl: require-empty, [0-9]+ % of '
	exec 5>&- 6>&-
	expect_text "staged" "$(field '.staged[] | .path')" t/.scratch
	expect_text "runs" "$(field '.running | length')" 0
	expect_rows t 40000
	expect_refused 'Permission denied' \
		cp rows.jsonl "$MNT/.convex/staged.jsonl"
}

case_C8_status_of_a_dead_mount_tells_how_to_clear_it() {
	start_mount
	kill -KILL "$DAEMON"
	wait "$DAEMON" 2>/dev/null || :
	unset "daemons[$DAEMON]"
	expect_status 0 status
	expect_said "its program is gone .* fusermount3 -u $MNT"
	expect_text "error" "$(field .error "$MNT")" ENOTCONN
	fusermount3 -u "$MNT"
	expect_text "mounts here" "$(field .mountpoint)" ""
}

case_C5_show_key_prints_the_key_and_nothing_else_does() {
	local key
	start_mount
	key=$(status --show-key "local:$STATE")
	expect_match "key" "$key" '^[^|]+\|[^|]+$'
	expect_text "key again" "$(status --show-key "local:$STATE")" "$key"
	status >said
	status --json >>said
	cat "$MNT/.convex/deployment.json" >>said
	! grep -qF "${key#*|}" said || fail "the key is told elsewhere"
	expect_status 4 status --show-key "local:$DIR/none"
	expect_status 1 status --show-key happy-otter-123
}

run_cases "$@"
