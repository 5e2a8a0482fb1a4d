#!/usr/bin/env bash
# An upload to a deployment elsewhere whose process is killed in the middle: the
# next one sends what had not arrived, and nothing is there twice.
# shellcheck source=tests/client/lib.sh disable=SC2119
. "$(dirname "$0")/../client/lib.sh"

export no_proxy='*'
THERE=$PWD

unmount_both() {
	stop_mounts
	stop_server
}

sent_parts() {
	grep -c upload_part asked
}

sent_bytes() {
	awk '{ size += $3 } END { print size }' asked
}

CACHE=$PWD/cache

# has_on_record COUNT: parts that have arrived, after the line of the upload.
has_on_record() {
	[ "$(cat "$CACHE"/uploads-*/* 2>/dev/null | wc -l)" -eq $(($1 + 1)) ]
}

has_no_record() {
	[ -z "$(ls "$CACHE"/uploads-*)" ]
}

# Six parts and a bit, behind the row that is there.
prepare() {
	start_server
	export CONVEX_SELF_HOSTED_ADMIN_KEY=$KEY
	THERE=$DIR/there CACHE=$DIR/cache
	start_mount_at "$STATE" "$THERE"
	start_way --asked asked
	URL=$THROUGH
	start_mount_at "$URL" "$MNT" -o "cache_dir=$CACHE"
	seed t 1
	seq -f "{\"n\":%.0f,\"pad\":\"$(printf '%0180d' 0)\"}" 2 160000 >big
	mkfifo in
}

# Four of the parts have arrived when the daemon is killed.
die_in_the_middle() {
	local writer
	prepare
	cat in >"$MNT/t/big.append.jsonl" 2>/dev/null &
	writer=$!
	exec 4>in
	head -c $((4 * 5242880 + 100)) big >&4
	await 30 has_on_record 4
	kill -KILL "$DAEMON"
	exec 4>&- # which nobody sees any more
	wait $writer || :
	wait "$DAEMON" 2>/dev/null || :
	unset "daemons[$DAEMON]"
	fusermount3 -u "$MNT"
	start_mount_at "$URL" "$MNT" -o "cache_dir=$CACHE"
	expect_numbers t 1
	SENT_PARTS=$(sent_parts) SENT_BYTES=$(sent_bytes)
}

# expect_whole LAST: the rows 1 to LAST, each once, in their order.
expect_whole() {
	sed 's/.*"n":\([0-9]*\).*/\1/' "$MNT/t/documents.jsonl" |
		cmp - <(seq "$1")
	expect_file "$MNT/t/documents.jsonl" "$THERE/t/documents.jsonl"
	has_no_record || fail "a record is left"
}

# expect_sent PARTS: since the daemon was killed.
expect_sent() {
	expect_text "parts" $(($(sent_parts) - SENT_PARTS)) "$1"
}

case_W13_a_copy_goes_on_where_a_daemon_was_killed() {
	local size
	die_in_the_middle
	cp big "$MNT/t/big.append.jsonl"
	size=$(($(sent_bytes) - SENT_BYTES))
	expect_whole 160000
	expect_sent $((($(stat -c %s big) - 1) / 5242880 + 1 - 4))
	[ $size -lt $(($(stat -c %s big) - 4 * 5242880 + 100000)) ] ||
		fail "$size bytes were sent"
	# It is over: the same once more is more rows, and all of them are sent.
	SENT_PARTS=$(sent_parts)
	cp big "$MNT/t/big.append.jsonl"
	expect_rows t 319999
	expect_sent $((($(stat -c %s big) - 1) / 5242880 + 1))
	unmount_both
}

case_W13_what_is_another_file_by_now_is_sent_anew() {
	die_in_the_middle
	sed '100000s/0"}/1"}/' big >other
	cp other "$MNT/t/big.append.jsonl"
	expect_whole 160000
	expect_text "the row" "$(grep -c '00000001"}' "$MNT/t/documents.jsonl")" 1
	unmount_both
}

case_W13_a_server_that_forgot_the_upload_gets_all_of_it() {
	die_in_the_middle
	stop_server
	start_server_at "127.0.0.1:$PORT"
	cp big "$MNT/t/big.append.jsonl"
	expect_whole 160000
	unmount_both
}

import() {
	"$CVX_BIN" import --url "$URL" --admin-key "$KEY" --table t --append \
		--format jsonLines "$1" 2>/dev/null
}

case_W13_an_import_goes_on_where_one_was_killed() {
	local program
	prepare
	export XDG_CACHE_HOME=$DIR/home
	CACHE=$DIR/home/convexfs
	import - <in &
	program=$!
	exec 4>in
	head -c $((4 * 5242880 + 100)) big >&4
	await 30 has_on_record 4
	kill -KILL "$(pgrep -P $program || echo $program)"
	exec 4>&-
	wait $program || :
	expect_numbers t 1
	SENT_PARTS=$(sent_parts)
	import big
	expect_whole 160000
	expect_sent $((($(stat -c %s big) - 1) / 5242880 + 1 - 4))
	unmount_both
}

run_cases "$@"
