# shellcheck shell=bash
#
# lib: what the mount tests share. A test file sources it, defines its cases
# and ends with `run_cases "$@"`:
#
#   case_W4_cp_over_existing_replaces() { start_mount; ... }
#   add_case "a sentence" function argument...      (cases made in a loop)
#
# Every case is a process of its own, in a session and a folder of its own,
# and mounts what it needs. A case fails when a command in it fails, when an
# expect_ function does, when it takes too long, when a daemon does not end
# with status 0 or when a sanitizer complained. Whatever happens, nothing stays
# mounted, running or on disk.
#
# Cases see:  $DIR (their folder, also the current one), $MNT, $STATE.
# Environment:
#   CVX_BIN            the convexfs to test
#   CVX_KIND           of the deployments: embedded (as if not set), or remote
#   CVX_TMP            where temporary folders go (/dev/shm, else /tmp)
#   CVX_LOOPS          how often the loops go round (200)
#   CVX_CASE_SECONDS   how long a case may take (60)
#   CVX_DATA           folder of real inputs; without it tests/data/demo is used
# Arguments: words; only cases whose name contains one of them are run.

set -u
export LC_ALL=C
umask 022

TESTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CVX_BIN=${CVX_BIN:-$TESTS/../../build-mount/fs/convexfs}
CVX_DATA=${CVX_DATA:-$TESTS/../../../shared/data}
[ -r "$CVX_DATA/movies.jsonl" ] || CVX_DATA=$TESTS/../data/demo
export LOOPS=${CVX_LOOPS:-200}
# A version switcher in front of it would be the process that opens files.
export PYTHON=python3
[ ! -x /usr/bin/python3 ] || PYTHON=/usr/bin/python3

declare -A daemons=() # process id -> mount point

# --- failing ---------------------------------------------------------------

fail() {
	printf 'failed: %s\n' "$*" >&2
	exit 1
}

# Every tool named must be there; a missing one fails the case by name.
need() {
	local tool
	for tool in "$@"; do
		if ! command -v "$tool" >/dev/null 2>&1 && [ ! -e "$tool" ]; then
			printf '%s' "$tool" >"$DIR/.missing"
			exit 77
		fi
	done
}

# lacks WHAT: the case cannot be had here, which is no fault of the machine. It is
# skipped by name.
lacks() {
	printf '%s' "$1" >"$DIR/.lacking"
	exit 78
}

need_root() {
	[ "$(id -u)" -eq 0 ] || lacks root
}

# --- mounting --------------------------------------------------------------

is_mounted() {
	grep -qF " $1 " /proc/self/mountinfo
}

# start_mount_at STATE MOUNTPOINT [OPTION...]: in the foreground, as a session
# of its own, so that its status and its log can be looked at. STATE is a folder
# (kind.sh), or a URL. Sets DAEMON and DAEMON_LOG.
start_mount_at() {
	local state=$1 mnt=$2 log pid
	shift 2
	need fusermount3 /dev/fuse
	select_deployment "$state"
	mkdir -p "$mnt"
	touch "$DIR/.daemons"
	log=$DIR/.log.$(($(wc -l <"$DIR/.daemons") + 1))
	setsid "$CVX_BIN" mount -f "$@" "${DEPLOYMENT[@]}" "$mnt" \
		>"$log" 2>&1 </dev/null &
	pid=$!
	echo "$pid" >>"$DIR/.daemons"
	until is_mounted "$mnt"; do
		if ! kill -0 "$pid" 2>/dev/null; then
			wait "$pid" || :
			cat "$log"
			fail "the mount did not start"
		fi
		sleep 0.01
	done
	daemons[$pid]=$mnt
	stat "$mnt" >/dev/null
	DAEMON=$pid DAEMON_LOG=$log
}

# shellcheck disable=SC2120 # the test files give options
start_mount() {
	start_mount_at "$STATE" "$MNT" "$@"
}

# The daemon must end with status 0 and without a word from a sanitizer.
await_daemon() {
	local pid=$1 status=0
	unset "daemons[$pid]"
	wait "$pid" || status=$?
	[ $status -eq 0 ] || fail "the daemon ended with status $status"
}

# Processes that a program leaves behind may still hold files for a moment.
stop_mount_at() {
	local mnt=$1 pid
	await 10 fusermount3 -q -u "$mnt"
	for pid in "${!daemons[@]}"; do
		[ "${daemons[$pid]}" != "$mnt" ] || await_daemon "$pid"
	done
}

stop_mount() {
	stop_mount_at "$MNT"
}

# All that this case has started.
stop_mounts() {
	local pid
	for pid in "${!daemons[@]}"; do
		stop_mount_at "${daemons[$pid]}"
	done
	release_all
}

# As a crash would: nothing is told to the daemon. A server stays.
kill_mount() {
	kill -KILL "$DAEMON"
	wait "$DAEMON" 2>/dev/null || :
	unset "daemons[$DAEMON]"
	fusermount3 -u "$MNT"
}

expect_alive() {
	local pid
	for pid in "${!daemons[@]}"; do
		kill -0 "$pid" 2>/dev/null || fail "the daemon is gone"
		stat "${daemons[$pid]}" >/dev/null
	done
	expect_held
}

is_sanitized() {
	grep -qE '__(asan|tsan)_init' "$CVX_BIN"
}

# --- looking ---------------------------------------------------------------

documents() {
	cat "$MNT/$1/documents.jsonl"
}

rows() {
	documents "$1" | wc -l
}

# The field n of every document, which the inputs below count up.
numbers() {
	documents "$1" | sed -n 's/.*"n":\([0-9]*\)\.0.*/\1/p'
}

last_error() {
	cat "$MNT/.convex/last-error"
}

# The names in a folder, sorted, on one line.
listing() {
	find "$MNT/$1" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort |
		tr '\n' ' '
}

# The records of imports that are over.
imports() {
	sed '/"state":"in_progress"/d' "$MNT/.convex/imports.jsonl"
}

# A field of the newest import record, as jq names it.
last_import() {
	imports | tail -n 1 | jq -r ".$1"
}

# Remembers how many imports there have been, for expect_imports.
mark() {
	MARK=$(imports | wc -l)
}

xattr() {
	getfattr --absolute-names --only-values -n "$1" "$2"
}

# --- expecting -------------------------------------------------------------

expect_text() {
	[ "$2" = "$3" ] || fail "$1: got '$2', not '$3'"
}

expect_rows() {
	expect_text "documents in $1" "$(rows "$1")" "$2"
}

# expect_numbers TABLE N...: the fields n, in order.
expect_numbers() {
	local table=$1
	shift
	expect_text "n in $table" "$(numbers "$table" | tr '\n' ' ')" "$*${1+ }"
}

expect_file() {
	cmp "$1" "$2" || fail "$1 differs from $2"
}

# expect_imports COUNT [STATE]: so many records since mark, the last of them
# in this state.
expect_imports() {
	local records state
	mapfile -t records < <(imports | tail -n "+$((MARK + 1))")
	if [ ${#records[@]} -ne "$1" ]; then
		[ ${#records[@]} -eq 0 ] || printf '%s\n' "${records[@]}"
		fail "${#records[@]} imports since the mark, not $1"
	fi
	[ $# -gt 1 ] || return 0
	state=$(jq -r .state <<<"${records[-1]}")
	expect_text "state of the import" "$state" "$2"
}

# expect_committed MODE ROWS: exactly one import since mark, and it worked.
expect_committed() {
	expect_imports 1
	expect_text "the import" \
		"$(last_import '| "\(.state) \(.mode) \(.rows) \(.error)"')" \
		"completed $1 $2 null"
}

# expect_status STATUS COMMAND...: STATUS is a number, or "fails" for any but
# 0. What the command says goes to the file "said".
expect_status() {
	local want=$1 got=0
	shift
	"$@" >"$DIR/said" 2>&1 || got=$?
	if [ "$want" = fails ] && [ $got -ne 0 ]; then
		return 0
	fi
	if [ "$want" != "$got" ]; then
		sed 's/^/said: /' "$DIR/said"
		fail "status $got, not $want: $*"
	fi
}

expect_said() {
	grep -qE -- "$1" "$DIR/said" && return
	sed 's/^/said: /' "$DIR/said"
	fail "nothing said about '$1'"
}

# expect_refused TEXT COMMAND...: it fails, and says TEXT (mostly an errno).
expect_refused() {
	local text=$1
	shift
	expect_status fails "$@"
	expect_said "$text"
}

# expect_match WHAT TEXT PATTERN...
expect_match() {
	local what=$1 text=$2 pattern
	shift 2
	for pattern in "$@"; do
		grep -qE -- "$pattern" <<<"$text" ||
			fail "$what: no '$pattern' in: $text"
	done
}

# expect_reject PATH BYTES: PATH was refused, and its bytes were kept.
expect_reject() {
	expect_alive
	test -s "$MNT/$1.error" || fail "no text in $1.error"
	expect_file "$MNT/$1.rejected" "$2"
}

# await SECONDS COMMAND...: until it succeeds.
await() {
	local turns=$(($1 * 50))
	shift
	until "$@"; do
		turns=$((turns - 1))
		[ $turns -gt 0 ] || fail "in vain waited for: $*"
		sleep 0.02
	done
}

# --- inputs ----------------------------------------------------------------

# make_rows FIRST LAST: about 100 bytes each.
make_rows() {
	local pad=0123456789abcdef0123456789abcdef0123456789abcdef
	seq "$1" "$2" |
		sed "s/.*/{\"n\":&,\"name\":\"row &\",\"pad\":\"$pad\"}/"
}

# Writes good.jsonl (more than one buffer of any program) and bad.jsonl, whose
# row 2000 is no JSON. The first case that needs them makes them for all.
GOOD_ROWS=3000
make_inputs() {
	if [ ! -e ../bad.jsonl ]; then
		make_rows 1 $GOOD_ROWS >../good.jsonl
		sed '2000s/.*/{"n":2000,}/' ../good.jsonl >../bad.jsonl
		seq $GOOD_ROWS >../good.numbers
	fi
	cp ../good.jsonl ../bad.jsonl .
}

# A table of the numbers given, one document each.
seed() {
	local table=$1 n
	shift
	mkdir -p "$MNT/$table"
	for n in "$@"; do
		printf '{"n":%d}\n' "$n"
	done >"$DIR/.seed"
	cp "$DIR/.seed" "$MNT/$table/documents.jsonl"
}

# --- proving a way of writing ----------------------------------------------

# prove_writer SEEN MODE WRITER [NAME]: WRITER is a function that writes the
# file $1 to the path $2, NAME a name in the table's folder (documents.jsonl).
# Good input is committed once, whole, and visible to the next command. Bad
# input leaves the table alone and is kept; SEEN tells what the program makes
# of it: "seen" (it fails), "silent" (fuse-facts.md a1 to a4), or "either".
prove_writer() {
	local seen=$1 mode=$2 writer=$3 name=${4:-documents.jsonl}
	make_inputs
	start_mount_at "$STATE" "$MNT"
	seed t 1 2
	prove_good "$mode" "$writer" "$name"
	prove_bad "$seen" "$writer" "$name"
	expect_reject "t/$name" bad.jsonl
	if [ "$name" != documents.jsonl ]; then
		rm "$MNT/t/$name.rejected" "$MNT/t/$name.error"
		prove_dropped "$name"
	fi
}

prove_good() {
	local mode=$1 writer=$2 name=$3
	mark
	expect_status 0 "$writer" good.jsonl "$MNT/t/$name"
	numbers t >got
	expect_committed "$mode" $GOOD_ROWS
	[ "$mode" != append ] || sed -i 1,2d got
	expect_file got ../good.numbers
}

prove_bad() {
	local seen=$1 writer=$2 name=$3 status=0
	documents t >before
	mark
	[ "$seen" = silent ] || status=fails
	if [ "$seen" = either ]; then
		"$writer" bad.jsonl "$MNT/t/$name" || :
	else
		expect_status "$status" "$writer" bad.jsonl "$MNT/t/$name"
	fi
	documents t >after
	expect_file after before
	expect_imports 1 failed
	expect_match "record" "$(last_import error.message)" 'row 2000'
}

# A drop that is done with is not listed (W-11).
prove_dropped() {
	expect_text "listing of t" "$(listing t)" \
		"documents.jsonl generated_schema.jsonl "
}

# shellcheck source=tests/mount/kind.sh
. "$TESTS/kind.sh"
# shellcheck source=tests/mount/run.sh
. "$TESTS/run.sh"
