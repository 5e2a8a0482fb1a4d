#!/usr/bin/env bash
# Writers that die never commit (W-5): the table stays as it was, and what
# they had written is kept as a reject.
# shellcheck source=tests/mount/lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"

TARGET=t/documents.jsonl

# The writers read from "in", a pipe that never ends after 2000 whole rows: only
# the signal tells that they are not all.
make_part() {
	make_inputs
	head -n 2000 good.jsonl >part
	PART=$(stat -c %s part)
	mkfifo in
}

# has_moved KEY COUNT: the process in the file "pid" has moved so many bytes.
has_moved() {
	local pid
	pid=$(cat pid 2>/dev/null) || return 1
	awk -v key="$1:" -v count="$2" '$1 == key { exit !($2 >= count) }' \
		"/proc/$pid/io" 2>/dev/null
}

# Writers start as a person's would: nothing ignored, their own process known.
launch() {
	env --default-signal sh -c 'echo $$ >pid; exec "$@"' sh "$@" &
	LAUNCHED=$!
}

expect_untouched() {
	expect_numbers t 1 2
	if imports | tail -n "+$((MARK + 1))" | jq -r .state |
		grep -q completed; then
		fail "half a file was committed"
	fi
	expect_alive
}

# What was written so far is kept.
expect_part() {
	local size
	size=$(stat -c %s "$MNT/$TARGET.rejected")
	[ "$size" -gt 0 ] || fail "the reject is empty"
	head -c "$size" good.jsonl | cmp - "$MNT/$TARGET.rejected"
	test -s "$MNT/$TARGET.error"
}

# prove_killed SIGNAL COMMAND...
prove_killed() {
	local signal=$1
	shift
	make_part
	start_mount
	seed t 1 2
	mark
	launch "$@"
	exec 4>in
	cat part >&4
	await 20 has_moved wchar "$PART"
	kill -s "$signal" "$(cat pid)"
	expect_status fails wait "$LAUNCHED"
	exec 4>&-
	expect_untouched
	expect_part
	# The same name works again, and takes the reject with it.
	cp good.jsonl "$MNT/$TARGET"
	expect_rows t $GOOD_ROWS
	test ! -e "$MNT/$TARGET.rejected"
}

redirect='exec cat in >"$1"' append='exec cat in >>"$1"'
loop='while IFS= read -r line; do echo "$line"; done <in >"$1"'

prove_redirection() {
	prove_killed "$1" "$2" -c "$3" "$2" "$MNT/$TARGET"
}

prove_cp() { prove_killed "$1" cp in "$MNT/$TARGET"; }
prove_tee() {
	prove_killed "$1" sh -c 'exec tee "$1" <in >/dev/null' sh \
		"$MNT/$TARGET"
}

for signal in INT TERM KILL HUP; do
	add_case "W5_${signal}_cp" prove_cp $signal
	add_case "W5_${signal}_cat" prove_redirection $signal sh "$redirect"
	add_case "W5_${signal}_cat_append" \
		prove_redirection $signal sh "$append"
	add_case "W5_${signal}_tee" prove_tee $signal
	add_case "W5_${signal}_bash_loop" prove_redirection $signal bash "$loop"
	add_case "W5_${signal}_dash_loop" prove_redirection $signal dash "$loop"
done

prove_nothing_written() {
	start_mount
	seed t 1 2
	mark
	mkfifo in
	launch sh -c "$redirect" sh "$MNT/$TARGET"
	exec 4>in
	await 20 test -s pid
	await 20 grep -q cat "/proc/$(cat pid)/comm"
	kill -s "$1" "$(cat pid)"
	expect_status fails wait "$LAUNCHED"
	exec 4>&-
	expect_untouched
}
case_W5_KILL_before_the_first_byte() { prove_nothing_written KILL; }
case_W5_INT_before_the_first_byte() { prove_nothing_written INT; }

# A program that ends in the middle of its own work, by a signal of its own.
prove_fatal() {
	make_inputs
	start_mount
	seed t 1 2
	mark
	expect_status fails "$@"
	expect_untouched
}

case_W5_abort() {
	prove_fatal "$PYTHON" -c 'import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_TRUNC)
os.write(fd, b"{\"n\":9}\n")
os.abort()' "$MNT/$TARGET"
}

case_W5_file_size_limit() {
	prove_fatal bash -c 'ulimit -f 100; cat good.jsonl >"$1"' _ \
		"$MNT/$TARGET"
}

case_W5_TERM_python() {
	make_inputs
	start_mount
	seed t 1 2
	mark
	launch "$PYTHON" -c 'import sys, time
with open(sys.argv[1], "wb", buffering=0) as f:
    f.write(b"{\"n\":9}\n" * 50000)
    time.sleep(100)' "$MNT/$TARGET"
	await 20 has_moved wchar 400000
	kill -TERM "$(cat pid)"
	expect_status fails wait "$LAUNCHED"
	expect_untouched
}

case_W5_INT_node_stream() {
	need node
	make_inputs
	start_mount
	seed t 1 2
	mark
	launch node -e 'const s = require("fs").createWriteStream(process.argv[1]);
s.write("{\"n\":9}\n".repeat(50000)); setTimeout(() => {}, 1e5);' \
		"$MNT/$TARGET"
	await 20 has_moved wchar 400000
	kill -INT "$(cat pid)"
	expect_status fails wait "$LAUNCHED"
	expect_untouched
}

# A download that the user stops while the server is slow.
prove_download() {
	local signal=$1 server
	shift
	make_inputs
	start_mount
	seed t 1 2
	mark
	"$PYTHON" -c '
import socket, time
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
c, _ = s.accept()
c.recv(65536)
c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n")
c.sendall(open("good.jsonl", "rb").read(200000))
time.sleep(100)' >port &
	server=$!
	await 20 test -s port
	launch "$@" "http://127.0.0.1:$(cat port)/"
	await 20 has_moved wchar 100000
	kill -s "$signal" "$(cat pid)"
	expect_status fails wait "$LAUNCHED"
	kill $server
	expect_untouched
}

case_W5_INT_curl() { prove_download INT curl -s -o "$MNT/$TARGET"; }
case_W5_KILL_curl() { prove_download KILL curl -s -o "$MNT/$TARGET"; }
case_W5_INT_wget() {
	need wget
	prove_download INT wget -q -O "$MNT/$TARGET"
}

case_W5_TERM_tar_x() {
	make_inputs
	start_mount
	mkdir "$MNT/t"
	mark
	cp good.jsonl documents.jsonl
	tar -cf good.tar documents.jsonl
	mkfifo in
	launch tar -xf in -C "$MNT/t"
	exec 4>in
	head -c 200000 good.tar >&4
	await 20 has_moved wchar 100000
	kill -TERM "$(cat pid)"
	expect_status fails wait "$LAUNCHED"
	exec 4>&-
	expect_rows t 0
	expect_text "tables committed" \
		"$(imports | grep -c '"state":"completed"')" "$MARK"
}

# --- members of larger commands ---

# prove_member SIGNAL SCRIPT: $1 is the path; the one to kill is told by its
# "echo $$ >pid" and reads from "in". The script ends by itself afterwards.
prove_member() {
	local signal=$1 script=$2 runner
	make_part
	start_mount
	seed t 1 2
	mark
	env --default-signal bash -c "$script" bash "$MNT/$TARGET" &
	runner=$!
	exec 4>in
	cat part >&4
	await 20 has_moved wchar "$PART"
	kill -s "$signal" "$(cat pid)"
	exec 4>&-
	wait $runner || :
	expect_untouched
}

member="sh -c 'echo \$\$ >pid; exec cat in'"
pipeline='cat in | sh -c '\''echo $$ >pid; exec cat'\'' >"$1"'
group='{ '"$member"'; echo "{\"n\":3}"; } >"$1"'
group_append='{ '"$member"'; echo "{\"n\":3}"; } >>"$1"'
subshell='('"$member"'; env echo "{\"n\":3}") >"$1"'
descriptor='exec 3>"$1"; '"$member"' >&3; echo "{\"n\":3}" >&3; exec 3>&-'
background="$member"' >"$1" & wait'
for signal in TERM KILL; do
	add_case "W5_${signal}_end_of_a_pipeline" prove_member $signal "$pipeline"
	add_case "W5_${signal}_member_of_a_group" prove_member $signal "$group"
	add_case "W5_${signal}_member_of_a_group_append" \
		prove_member $signal "$group_append"
	add_case "W5_${signal}_member_of_a_subshell" \
		prove_member $signal "$subshell"
	add_case "W5_${signal}_writer_to_a_descriptor" \
		prove_member $signal "$descriptor"
	add_case "W5_${signal}_background_job" prove_member $signal "$background"
done

# Ctrl-C on a terminal reaches the whole group: shell and program.
case_W5_INT_whole_process_group() {
	make_part
	start_mount
	seed t 1 2
	mark
	env --default-signal setsid bash -c \
		'sh -c '\''echo $$ >pid; exec cat in'\'' >"$1"; echo next' \
		bash "$MNT/$TARGET" >said &
	exec 4>in
	cat part >&4
	await 20 has_moved wchar "$PART"
	kill -INT -- "-$(ps -o pgid= -p "$(cat pid)" | tr -d ' ')"
	exec 4>&-
	wait $! || :
	expect_untouched
	expect_part
}

# `timeout` holds the file open as well, and closes it without a signal.
case_W5_timeout() {
	make_part
	start_mount
	seed t 1 2
	mark
	env --default-signal bash -c 'timeout 1 cat in >"$1"' bash \
		"$MNT/$TARGET" &
	exec 4>in
	cat part >&4
	wait $! && fail "timeout did not end it"
	exec 4>&-
	expect_untouched
}

# Killed many times over, at any point of its work.
case_W5_KILL_at_any_time() {
	local i n
	make_rows 1 20000 >good.jsonl
	start_mount
	seed t 1 2
	for i in $(seq $(((LOOPS + 3) / 4))); do
		cat good.jsonl >"$MNT/$TARGET" &
		n=$((i % 10))
		sleep 0.00$n
		kill -KILL $! 2>/dev/null || :
		wait $! 2>/dev/null || :
		n=$(rows t)
		if [ "$n" -ne 2 ] && [ "$n" -ne 20000 ]; then
			fail "round $i: $n rows"
		fi
	done
}

run_cases "$@"
