# shellcheck shell=bash
#
# run: runs the cases of a test file, each as a process in a session and a
# folder of its own, and clears up behind them (lib.sh).

declare -a case_names=() case_commands=()

add_case() {
	is_for_kind "$2" || return 0
	case_names+=("$1")
	shift
	case_commands+=("$(printf '%q ' "$@")")
}

# The functions case_* of the test file, in its order.
find_cases() {
	local name
	while read -r name; do
		is_for_kind "$name" || continue
		case_names+=("${name#case_}")
		case_commands+=("$name")
	done < <(sed -n 's/^\(case_[A-Za-z0-9_]*\)().*/\1/p' "$0")
}

is_chosen() {
	local name=$1 word
	shift
	[ $# -gt 0 ] || return 0
	for word in "$@"; do
		[[ $name != *"$word"* ]] || return 0
	done
	return 1
}

# In the case's own process.
run_one() {
	local number=$1
	DIR=$2 MNT=$2/mnt STATE=$2/state
	export HOME=$DIR TMPDIR=$DIR XDG_DATA_HOME=$DIR/share MNT DIR STATE
	export XDG_CACHE_HOME=$DIR/cache XDG_RUNTIME_DIR=$DIR
	cd "$DIR" || exit 1
	set -eE
	trap 'echo "line $LINENO: $BASH_COMMAND: status $?" >&2' ERR
	eval "${case_commands[$number]}"
	expect_alive
	stop_mounts
	if grep -hsE 'Sanitizer|runtime error:|Assertion' "$DIR"/.log.*; then
		fail "the daemon complained"
	fi
	if is_mounted "$MNT"; then
		fail "still mounted"
	fi
}

# Ends what is left of a case: its processes, its daemons, its mounts.
clear_case() {
	local dir=$1 group=$2 pid mnt
	kill -KILL -- "-$group" 2>/dev/null
	# The number of one that has ended may be another's by now.
	while read -r pid; do
		[ "$(cat "/proc/$pid/comm" 2>/dev/null)" = convexfs ] &&
			grep -qsaF "$dir/" "/proc/$pid/cmdline" &&
			kill -KILL "$pid" 2>/dev/null
	done < <(cat "$dir/.daemons" 2>/dev/null)
	awk -v dir="$dir/" 'index($5, dir) == 1 { print $5 }' \
		/proc/self/mountinfo | tac | while read -r mnt; do
		fusermount3 -u "$mnt" 2>/dev/null || umount "$mnt" 2>/dev/null ||
			fusermount3 -uz "$mnt" 2>/dev/null || umount -l "$mnt"
	done
	rm -rf --one-file-system "$dir"
}

# What the processes of a case and the threads of its daemons wait for. Not
# with ps: it reads command lines, and that hangs with a mount that does.
list_waiting() {
	local pid task pids
	mapfile -t pids <"$2/.daemons"
	for pid in $(pgrep -s "$1") "${pids[@]}"; do
		for task in "/proc/$pid/task"/*; do
			echo "$pid $(cat "$task/comm"): $(cat "$task/wchan")"
		done
	done 2>/dev/null
	command -v gdb >/dev/null || return 0
	for pid in "${pids[@]}"; do
		timeout 20 gdb -p "$pid" -batch -ex 'thread apply all bt 12'
	done 2>/dev/null | grep -E '^(Thread|#)'
}

# The end of what the daemons said, and the first word of a sanitizer.
show_logs() {
	grep -hm1 -A 50 -E 'Sanitizer|runtime error:' "$@" || tail -n 20 "$@"
}

run_case() {
	local number=$1 name=$2 dir=$ROOT/$1 log=$ROOT/$1.log status=0 dog ended
	mkdir "$dir"
	setsid bash "$0" --case "$number" "$dir" >"$log" 2>&1 </dev/null &
	CURRENT=$!
	sleep "${CVX_CASE_SECONDS:-60}" &
	dog=$!
	wait -n -p ended "$CURRENT" "$dog" || status=$?
	if [ "${ended:-}" = "$dog" ]; then
		status=124
		echo "took too long" >>"$log"
		list_waiting "$CURRENT" "$dir" >>"$log"
	fi
	kill "$dog" 2>/dev/null
	[ $status -eq 0 ] || show_logs "$dir"/.log.* >>"$log" 2>/dev/null
	MISSING=$(cat "$dir/.missing" 2>/dev/null)
	LACKING=$(cat "$dir/.lacking" 2>/dev/null)
	clear_case "$dir" "$CURRENT"
	wait "$CURRENT" "$dog" 2>/dev/null
	CURRENT=
	if [ $status -eq 77 ] && [ -n "$MISSING" ]; then
		echo "not ok $COUNT - $name # missing: $MISSING"
	elif [ $status -eq 78 ] && [ -n "$LACKING" ]; then
		echo "ok $COUNT - $name # SKIP lacks $LACKING"
	elif [ $status -eq 0 ]; then
		echo "ok $COUNT - $name"
	else
		sed 's/^/# /' "$log"
		echo "not ok $COUNT - $name"
	fi
	rm -f "$log"
}

clear_all() {
	[ -z "${CURRENT-}" ] || clear_case "$ROOT/$NUMBER" "$CURRENT"
	rm -rf --one-file-system "$ROOT"
}

run_cases() {
	local base
	find_cases
	if [ "${1-}" = --case ]; then
		run_one "$2" "$3"
		return
	fi
	base=${CVX_TMP:-/dev/shm}
	[ -w "$base" ] || base=/tmp
	ROOT=$(mktemp -d "$base/convexfs-test.XXXXXX") || exit 1
	trap clear_all EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	COUNT=0
	for NUMBER in "${!case_names[@]}"; do
		is_chosen "${case_names[$NUMBER]}" "$@" || continue
		COUNT=$((COUNT + 1))
		run_case "$NUMBER" "${case_names[$NUMBER]}"
	done
	echo "1..$COUNT"
}
