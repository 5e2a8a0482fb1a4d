#!/usr/bin/env bash
# A mounted deployment that is away, hangs, or answers nonsense (F-5): commands
# end, the mount lives on, and works again when the deployment does.
# shellcheck source=tests/client/lib.sh disable=SC2119
. "$(dirname "$0")/../client/lib.sh"

export no_proxy='*'

# A table of two rows, mounted through its server.
mount_served() {
	start_server
	export CONVEX_SELF_HOSTED_ADMIN_KEY=$KEY
	start_mount_at "$URL" "$MNT" "$@"
	seed t 1 2
	echo '{"n":7}' >one
}

# The next commands see the deployment as it is, and change it.
expect_works() {
	await 20 has_numbers "1 2 "
	cp one "$MNT/t/x.append.jsonl"
	expect_numbers t 1 2 7
}

has_numbers() {
	[ "$(numbers t 2>/dev/null | tr '\n' ' ')" = "$1" ]
}

# --- selection -------------------------------------------------------------

mount_here() {
	expect_status 0 "$CVX_BIN" mount "$MNT"
	pgrep -x convexfs >>"$DIR/.daemons" || :
	expect_numbers t 1 2
	fusermount3 -u "$MNT"
}

# SEL-2: what the environment says comes before .env.local.
case_C1_two_variables_and_env_local() {
	mount_served
	stop_mount
	unset CONVEX_SELF_HOSTED_ADMIN_KEY
	mkdir with
	cd with || exit 1
	printf 'CONVEX_SELF_HOSTED_URL=%s\nCONVEX_SELF_HOSTED_ADMIN_KEY=%s\n' \
		"'$URL'" "'$KEY'" >.env.local
	chmod 600 .env.local
	mount_here
	printf 'CONVEX_SELF_HOSTED_URL=%s\nCONVEX_SELF_HOSTED_ADMIN_KEY=%s\n' \
		http://127.0.0.1:1 "'a|b'" >.env.local
	expect_status 4 "$CVX_BIN" mount "$MNT"
	expect_said 'http://127.0.0.1:1: Connection refused'
	export CONVEX_SELF_HOSTED_URL=$URL CONVEX_SELF_HOSTED_ADMIN_KEY=$KEY
	mount_here
	cd .. || exit 1
	mount_here
	stop_server
}

# --- away ------------------------------------------------------------------

# Each of these ends by itself, whatever it says.
expect_ends() {
	local status=0
	timeout -k 5 40 "$@" >"$DIR/said" 2>&1 || status=$?
	if [ $status -eq 124 ] || [ $status -eq 137 ]; then
		fail "does not end: $*"
	fi
	ENDED=$status
}

expect_ends_in_vain() {
	expect_ends "$@"
	[ "$ENDED" -ne 0 ] || fail "succeeded: $*"
}

# Reading may show what was read before.
expect_all_end() {
	expect_ends ls -l "$MNT" "$MNT/t"
	expect_ends cat "$MNT/t/documents.jsonl"
	expect_ends cat "$MNT/README.md" "$MNT/.convex/deployment.json"
	expect_ends cat "$MNT/.convex/snapshot.zip"
	expect_ends_in_vain cp one "$MNT/t/x.append.jsonl"
	expect_ends_in_vain cp one "$MNT/t/documents.jsonl"
	expect_ends_in_vain mkdir "$MNT/other"
	expect_alive
}

case_F5_a_server_that_comes_back_is_used_again() {
	mount_served -o timeout=1
	stop_server
	expect_all_end
	expect_said 'Connection refused|Input/output|timed out|not permitted'
	start_server_at "127.0.0.1:$PORT"
	expect_works
	stop_mounts
	stop_server
}

case_F5_a_server_that_is_replaced_between_commands() {
	mount_served
	stop_server
	start_server_at "127.0.0.1:$PORT"
	expect_works
	stop_mounts
	stop_server
}

# It takes connections, and that is all.
case_F5_a_server_that_hangs_does_not_hang_the_mount() {
	mount_served -o timeout=1
	kill -STOP "$SERVER"
	expect_ends_in_vain "$CVX_BIN" mount -o timeout=1 "$URL" "$DIR/m"
	mkdir "$DIR/m"
	expect_ends_in_vain "$CVX_BIN" mount -o timeout=1 "$URL" "$DIR/m"
	expect_said 'timed out|no answer|did not answer|Timeout'
	expect_all_end
	kill -CONT "$SERVER"
	expect_works
	stop_mounts
	stop_server
}

# --- Ctrl-C ----------------------------------------------------------------

# A program that lives on after Ctrl-C, and so sees what the mount answers.
make_patient() {
	cat >patient.py <<'PROGRAM'
import os, signal, sys
class Interrupted(Exception): pass
def interrupt(*_): raise Interrupted
signal.signal(signal.SIGINT, interrupt)
how, path = sys.argv[1:]
try:
    if how == "list":
        os.listdir(path)
    elif how == "read":
        open(path, "rb").read()
    else:
        with open(path, "wb") as f:
            f.write(b'{"n":9}\n')
except (Interrupted, OSError) as e:
    sys.exit(3)
PROGRAM
}

is_gone() {
	! kill -0 "$1" 2>/dev/null
}

# It is over already, or the kernel holds it until the mount answers.
waits_or_is_gone() {
	is_gone "$1" || grep -q request_wait "/proc/$1/wchan" ||
		grep -q '^D' <(sed 's/.*) //' "/proc/$1/stat")
}

# With an hour of patience only the signal can end it.
expect_interrupted() {
	local pid
	echo "interrupting: $*"
	env --default-signal "$@" >/dev/null 2>&1 &
	pid=$!
	await 10 waits_or_is_gone $pid
	kill -INT $pid 2>/dev/null || :
	await 10 is_gone $pid
	wait $pid || :
}

case_F5_interrupted_commands_return_at_once() {
	mount_served -o timeout=3600
	make_patient
	kill -STOP "$SERVER"
	expect_interrupted ls "$MNT"
	expect_interrupted ls -l "$MNT/t"
	expect_interrupted cat "$MNT/t/documents.jsonl"
	expect_interrupted cp "$MNT/t/documents.jsonl" got
	expect_interrupted cp "$MNT/.convex/snapshot.zip" got
	expect_interrupted cp one "$MNT/t/x.append.jsonl"
	expect_interrupted mkdir "$MNT/other"
	expect_interrupted "$PYTHON" patient.py list "$MNT/t"
	expect_interrupted "$PYTHON" patient.py read "$MNT/t/documents.jsonl"
	expect_interrupted "$PYTHON" patient.py write "$MNT/t/x.append.jsonl"
	kill -CONT "$SERVER"
	expect_alive
	rm -f "$MNT/t/x.append.jsonl".*
	expect_works
	stop_mounts
	stop_server
}

# --- nonsense --------------------------------------------------------------

# spoil WAY: all answers, as tests/mount/way.py names them.
spoil() {
	echo "/ $1" >faults.new
	mv faults.new faults
}

prove_spoilt() {
	local way
	start_server
	export CONVEX_SELF_HOSTED_ADMIN_KEY=$KEY
	start_way --faults faults
	URL=$THROUGH
	start_mount_at "$URL" "$MNT" -o timeout=1
	seed t 1 2
	echo '{"n":7}' >one
	mkdir m
	for way in "$@"; do
		spoil "$way"
		echo "way: $way"
		expect_all_end
		expect_ends_in_vain "$CVX_BIN" mount -o timeout=1 "$URL" m
		expect_said '^convexfs: .*(/api/|http://|_system/)'
		rm faults
		await 20 has_numbers "1 2 "
		rm -f "$MNT"/t/*.rejected "$MNT"/t/*.error
	done
	expect_works
	stop_mounts
	stop_server
}
add_case F5_answers_of_something_in_between prove_spoilt html error gone redirect
add_case F5_answers_that_say_no prove_spoilt busy limited denied
add_case F5_answers_that_are_no_answers prove_spoilt nothing object array null odd
add_case F5_answers_that_break_off prove_spoilt half short reset noise
add_case F5_answers_that_are_too_large prove_spoilt deep long

run_cases "$@"
