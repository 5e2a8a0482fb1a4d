#!/usr/bin/env bash
# Write, then read in the next command, a few hundred times for each way of
# writing (W-4): commits that happen late, at release, must be waited for, and
# every round must commit once.
# shellcheck source=tests/mount/lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"

# prove_rounds SHELL ROUNDS WAY: WAY writes {"n":$i} as the last line of $f.
prove_rounds() {
	local shell=$1 rounds=$2 way=$3 program script
	need "$shell"
	program=("$shell")
	[ "$shell" != busybox ] || program=(busybox sh)
	start_mount
	seed t 0
	mark
	# shellcheck disable=SC2016
	script='f=$1 n=$2 i=0
	while [ $i -lt $n ]; do
		i=$((i + 1))
		'$way'
		line=
		while IFS= read -r next; do line=$next; done <"$f"
		case $line in
		*"\"n\":$i.0"*) ;;
		*) echo "stale in round $i: $line"; exit 1 ;;
		esac
	done'
	"${program[@]}" -c "$script" "$shell" "$MNT/t/documents.jsonl" "$rounds"
	expect_imports "$rounds" completed
}

# way NAME SCRIPT: all rounds in bash, fewer in the others.
way() {
	local shell rounds
	for shell in bash dash zsh mksh busybox; do
		# mksh keeps a copy of what "exec 3>&-" closes until it exits
		# (fuse-facts.md a2), so the next command comes too early.
		[[ $shell$1 != mkshexec_* ]] || continue
		case $shell in
		bash) rounds=$LOOPS ;;
		dash) rounds=$(((LOOPS + 1) / 2)) ;;
		*) rounds=$(((LOOPS + 3) / 4)) ;;
		esac
		add_case "W4_${shell}_$1" prove_rounds "$shell" "$rounds" "$2"
	done
}

# shellcheck disable=SC2016 # the shells under test expand them
make_ways() {
	way builtin 'echo "{\"n\":$i}" >"$f"'
	way external 'env echo "{\"n\":$i}" >"$f"'
	way subshell '(env echo "{\"n\":-1}"; echo "{\"n\":$i}") >"$f"'
	way group '{ echo "{\"n\":-1}"; env echo "{\"n\":$i}"; } >"$f"'
	way exec_builtin 'exec 3>"$f"; echo "{\"n\":$i}" >&3; exec 3>&-'
	way exec_external 'exec 3>"$f"; env echo "{\"n\":$i}" >&3; exec 3>&-'
	way exit_without_close \
		'(exec 3>"$f"; echo "{\"n\":$i}" >&3; exit 0)'
	way background_builtin 'echo "{\"n\":$i}" >"$f" & wait'
	way background_external 'env echo "{\"n\":$i}" >"$f" & wait'
	way pipeline 'echo "{\"n\":$i}" | cat >"$f"'
	way tee 'echo "{\"n\":$i}" | tee "$f" >/dev/null'
}
make_ways

# Appends grow the table that is read back, so there are fewer of them.
case_W4_append_builtin() {
	prove_rounds bash "$LOOPS" "echo \"{\\\"n\\\":\$i}\" >>\"\$f\""
}

# A process that ends without closing, and one whose child closes last.
case_W4_python_exit_without_close() {
	start_mount
	seed t 0
	mark
	"$PYTHON" - "$MNT/t/documents.jsonl" "$LOOPS" <<-'END'
		import os, sys
		path, rounds = sys.argv[1], int(sys.argv[2])
		for i in range(1, rounds + 1):
		    pid = os.fork()
		    if pid == 0:
		        fd = os.open(path, os.O_WRONLY | os.O_TRUNC)
		        os.write(fd, b'{"n":%d}\n' % i)
		        os._exit(0)
		    os.waitpid(pid, 0)
		    got = open(path, "rb").read()
		    if b'"n":%d.0' % i not in got:
		        sys.exit(f"stale in round {i}: {got}")
	END
	expect_imports "$LOOPS" completed
}

case_W4_python_child_closes_last() {
	start_mount
	seed t 0
	mark
	"$PYTHON" - "$MNT/t/documents.jsonl" "$LOOPS" <<-'END'
		import os, sys
		path, rounds = sys.argv[1], int(sys.argv[2])
		for i in range(1, rounds + 1):
		    fd = os.open(path, os.O_WRONLY | os.O_TRUNC)
		    os.write(fd, b'{"n":-1}\n')
		    pid = os.fork()
		    if pid == 0:
		        os.write(fd, b'{"n":%d}\n' % i)
		        os._exit(0)
		    os.close(fd)
		    os.waitpid(pid, 0)
		    got = open(path, "rb").read().split(b"\n")
		    if len(got) != 3 or b'"n":%d.0' % i not in got[1]:
		        sys.exit(f"wrong in round {i}: {got}")
	END
	expect_imports "$LOOPS" completed
}

# stat of the size must not be stale either: programs read just so much.
case_W4_size_after_the_last_close() {
	start_mount
	seed t 0
	"$PYTHON" - "$MNT/t/documents.jsonl" "$LOOPS" <<-'END'
		import os, subprocess, sys
		path, rounds = sys.argv[1], int(sys.argv[2])
		for i in range(rounds):
		    rows = b"".join(b'{"n":%d}\n' % n for n in range(i % 7 + 1))
		    with open(path, "wb") as f:
		        f.write(rows)
		    size = os.stat(path).st_size
		    got = open(path, "rb").read()
		    if size != len(got) or got.count(b"\n") != i % 7 + 1:
		        sys.exit(f"round {i}: size {size}, read {len(got)}")
	END
}

run_cases "$@"
