#!/usr/bin/env bash
# A staged file until it is committed or not (W-3, W-6 to W-13).
# shellcheck source=tests/mount/lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"

# run_python ARGUMENT... <PROGRAM: with the errno names at hand.
run_python() {
	{
		echo 'import errno, os, sys, time'
		cat
	} >program.py
	"$PYTHON" program.py "$@"
}

case_W3_staged_files_are_files() {
	start_mount
	make_rows 1 9000 >good.jsonl
	seed t 1
	mark
	run_python good.jsonl "$MNT/t/new.replace.jsonl" <<-'END'
		rows = open(sys.argv[1], "rb").read()
		path = sys.argv[2]
		fd = os.open(path, os.O_RDWR | os.O_CREAT)
		os.pwrite(fd, b"end", 3000000)
		assert os.fstat(fd).st_size == 3000003
		assert os.pread(fd, 10, 2999995) == b"\0" * 5 + b"end"
		os.ftruncate(fd, 5)
		assert os.pread(fd, 10, 0) == b"\0" * 5
		os.ftruncate(fd, 0)
		for at in range(len(rows) - len(rows) % 70001, -1, -70001):
		    os.pwrite(fd, rows[at:at + 70001], at)
		assert os.pread(fd, 2 * len(rows), 0) == rows
		other = os.open(path, os.O_RDONLY)
		assert os.pread(other, 1000, 0) == rows[:1000]
		os.close(other)
		os.pwrite(fd, b"#", 1)
		os.pwrite(fd, rows[1:2], 1)
		os.close(fd)
	END
	expect_committed replace 9000
	numbers t | cmp - <(seq 9000)
}

# What follows the writer must start over when it writes behind itself (W-2).
case_W2_rewriting_a_large_file() {
	start_mount
	make_rows 1 30000 >good.jsonl
	mkdir "$MNT/t"
	mark
	run_python good.jsonl "$MNT/t/documents.jsonl" <<-'END'
		rows = open(sys.argv[1], "rb").read()
		with open(sys.argv[2], "wb") as f:
		    f.write(rows.replace(b'"n":', b'"m":'))
		    f.flush()
		    time.sleep(0.2)
		    f.seek(0)
		    f.write(rows)
	END
	expect_committed replace 30000
	numbers t | cmp - <(seq 30000)
	mark
	run_python good.jsonl "$MNT/t/documents.jsonl" <<-'END'
		rows = open(sys.argv[1], "rb").read()
		with open(sys.argv[2], "wb") as f:
		    f.write(rows[:1500000] + b"}" + rows[1500001:])
		    f.flush()
		    time.sleep(0.2)
		    f.seek(1500000)
		    f.write(rows[1500000:1500001])
	END
	expect_committed replace 30000
	numbers t | cmp - <(seq 30000)
}

case_W6_refused_rename_keeps_its_source() {
	start_mount
	make_inputs
	seed t 1 2
	mark
	cp bad.jsonl "$MNT/t/scratch"
	expect_refused 'cannot move' \
		mv "$MNT/t/scratch" "$MNT/t/documents.jsonl"
	expect_imports 1 failed
	expect_numbers t 1 2
	expect_file "$MNT/t/scratch" bad.jsonl
	sed -i '2000s/.*/{"n":2000}/' "$MNT/t/scratch"
	mv "$MNT/t/scratch" "$MNT/t/documents.jsonl"
	expect_rows t 3000
}

case_W6_rename_between_scratch_names() {
	start_mount
	make_inputs
	mkdir "$MNT/t"
	mark
	cp good.jsonl "$MNT/t/one"
	mv "$MNT/t/one" "$MNT/two"
	mv "$MNT/two" "$MNT/t/three"
	expect_file "$MNT/t/three" good.jsonl
	cp bad.jsonl "$MNT/t/four"
	mv -f "$MNT/t/four" "$MNT/t/three"
	expect_file "$MNT/t/three" bad.jsonl
	expect_imports 0
}

case_W6_rename_to_a_drop() {
	start_mount
	seed t 1
	echo '{"n":2}' >"$MNT/t/scratch"
	mv "$MNT/t/scratch" "$MNT/t/x.append.jsonl"
	expect_numbers t 1 2
	echo '{"n":3}' >"$MNT/scratch"
	mv "$MNT/scratch" "$MNT/u.jsonl"
	expect_numbers u 3
}

case_W8_closing_unchanged_commits_nothing() {
	start_mount
	seed t 1 2
	mark
	run_python "$MNT/t/documents.jsonl" <<-'END'
		for flags in (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_APPEND):
		    fd = os.open(sys.argv[1], flags)
		    if flags == os.O_RDWR:
		        assert os.read(fd, 1000).count(b"\n") == 2
		    os.close(fd)
	END
	expect_imports 0
}

case_W8_a_change_in_between_is_not_overwritten() {
	start_mount
	seed t 1 2
	mark
	run_python "$MNT/t/documents.jsonl" <<-'END'
		mine = os.open(sys.argv[1], os.O_RDWR)
		text = os.read(mine, 1000)
		with open(sys.argv[1], "a") as f:
		    f.write('{"n":3}\n')
		os.pwrite(mine, text.replace(b"1.0", b"9.0"), 0)
		try:
		    os.close(mine)
		except OSError as e:
		    assert e.errno == errno.ESTALE, e
		else:
		    sys.exit("overwritten")
	END
	expect_numbers t 1 2 3
	expect_imports 2 failed
	expect_match "reject" \
		"$(cat "$MNT/t/documents.jsonl.rejected")" '"n":9\.0'
	expect_match "text" "$(cat "$MNT/t/documents.jsonl.error")" 'chang'
}

# Replacing does not look at what is there, so it cannot be out of date.
case_W8_replacing_needs_no_base() {
	start_mount
	seed t 1 2
	run_python "$MNT/t/documents.jsonl" <<-'END'
		mine = os.open(sys.argv[1], os.O_WRONLY | os.O_TRUNC)
		with open(sys.argv[1], "a") as f:
		    f.write('{"n":3}\n')
		os.write(mine, b'{"n":4}\n')
		os.close(mine)
	END
	expect_numbers t 4
}

case_W9_fsync_does_not_commit() {
	start_mount
	seed t 1
	mark
	run_python "$MNT/t/documents.jsonl" <<-'END'
		fd = os.open(sys.argv[1], os.O_WRONLY | os.O_TRUNC)
		os.write(fd, b'{"n":2}\n')
		os.fsync(fd)
		os.fdatasync(fd)
		assert b'"n":1.0' in open(sys.argv[1], "rb").read()
		os.write(fd, b'{"n":3}\n')
		os.close(fd)
	END
	expect_committed replace 2
	expect_numbers t 2 3
}

# A portable question in scripts: did the last import work?
case_W9_sync_reports_the_last_failure() {
	start_mount
	seed t 1
	sync "$MNT/t/documents.jsonl"
	echo '{' >"$MNT/t/documents.jsonl"
	expect_refused 'Invalid argument' sync "$MNT/t/documents.jsonl"
	seed t 2
	sync "$MNT/t/documents.jsonl"
}

case_W10_unlinking_staged_files_discards_them() {
	start_mount
	seed t 1
	mark
	run_python "$MNT/t/new.replace.jsonl" <<-'END'
		fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
		os.write(fd, b'{"n":2}\n')
		os.unlink(sys.argv[1])
		assert not os.path.exists(sys.argv[1])
		os.write(fd, b'{"n":3}\n')
		os.close(fd)
	END
	echo x >"$MNT/t/scratch"
	rm "$MNT/t/scratch"
	expect_imports 0
	expect_numbers t 1
}

case_W10_deleting_is_refused() {
	start_mount
	seed t 1
	expect_refused 'not permitted' rm "$MNT/t/documents.jsonl"
	expect_refused 'not permitted' rm -f "$MNT/t/generated_schema.jsonl"
	expect_refused 'not permitted' rmdir "$MNT/t"
	expect_refused 'not permitted' rm -r "$MNT/t"
	expect_numbers t 1
}

case_W10_allow_delete() {
	start_mount -o allow_delete
	seed t 1
	expect_refused 'not empty' rmdir "$MNT/t"
	rm "$MNT/t/documents.jsonl"
	expect_rows t 0
	rmdir "$MNT/t"
	test ! -e "$MNT/t"
	seed t 1
	rm -r "$MNT/t"
	test ! -e "$MNT/t"
	cat "$MNT/_tables/documents.jsonl" >registry
	expect_text "registry" "$(cat registry)" ""
}

case_W11_a_drop_answers_for_a_while() {
	start_mount
	local drop=$MNT/t/x.append.jsonl
	seed t 1
	echo '{"n":2}' >"$drop"
	expect_text "listing of t" "$(listing t)" \
		"documents.jsonl generated_schema.jsonl "
	stat "$drop" >/dev/null
	chmod 600 "$drop"
	chown "$(id -u)" "$drop"
	touch -d 2020-01-01 "$drop"
	expect_numbers t 1 2
	# The same name drops again, at once.
	echo '{"n":3}' >"$drop"
	expect_numbers t 1 2 3
	await 30 test ! -e "$drop"
}

case_W12_commits_in_the_order_of_last_closes() {
	start_mount
	mkdir "$MNT/t"
	mark
	run_python "$MNT/t/documents.jsonl" "$LOOPS" <<-'END'
		path, rounds = sys.argv[1], int(sys.argv[2])
		fds = []
		for i in range(rounds):
		    fds.append(os.open(path, os.O_WRONLY | os.O_APPEND))
		    os.write(fds[i], b'{"n":%d}\n' % (rounds - i))
		for fd in reversed(fds):
		    os.close(fd)
	END
	expect_imports "$LOOPS" completed
	numbers t | cmp - <(seq "$LOOPS")
}

case_W13_what_was_never_closed_is_dropped() {
	start_mount
	seed t 1
	exec 5>"$MNT/t/documents.jsonl"
	echo '{"n":2}' >&5
	kill -TERM "$DAEMON"
	await_daemon "$DAEMON"
	exec 5>&-
	expect_status fails is_mounted "$MNT"
	start_mount
	expect_numbers t 1
}

case_W13_unmounting_waits_for_commits() {
	start_mount
	local i pids=()
	make_rows 1 3000 >good.jsonl
	for i in 1 2 3 4 5 6; do
		mkdir "$MNT/t$i"
	done
	for i in 1 2 3 4 5 6; do
		cp good.jsonl "$MNT/t$i/documents.jsonl" &
		pids+=($!)
	done
	until fusermount3 -u "$MNT" 2>/dev/null; do
		sleep 0.01
	done
	wait "${pids[@]}" || :
	await_daemon "$DAEMON"
	start_mount
	for i in 1 2 3 4 5 6; do
		case $(rows "t$i") in
		0 | 3000) ;;
		*) fail "t$i is half there" ;;
		esac
	done
}

case_W13_a_killed_daemon_leaves_the_last_commit() {
	start_mount
	seed t 1
	make_rows 1 9000 >good.jsonl
	exec 5>"$MNT/t/documents.jsonl"
	cat good.jsonl >&5 || :
	echo kept >"$MNT/t/scratch"
	kill -KILL "$DAEMON"
	wait "$DAEMON" || :
	unset "daemons[$DAEMON]"
	exec 5>&- || :
	fusermount3 -u "$MNT"
	start_mount
	expect_numbers t 1
	stop_mount
	# Nothing of what was staged is left on disk.
	[ "$(du -s -B1 "$STATE" | cut -f 1)" -lt 900000 ]
}

case_W13_commits_survive_remounting() {
	start_mount
	fill_two
	find "$MNT" -name documents.jsonl -exec cksum {} + | sort >before
	imports >imports.before
	stop_mount
	start_mount
	find "$MNT" -name documents.jsonl -exec cksum {} + | sort | cmp - before
	imports | cmp - imports.before
}

fill_two() {
	seed t 1 2
	seed u 3
	echo '{"n":4}' >>"$MNT/u/documents.jsonl"
}

# A database puts files beside its own, writes here and there, and syncs.
case_W3_scratch_files_serve_a_database() {
	start_mount
	need sqlite3
	mkdir "$MNT/t"
	mark
	sqlite3 "$MNT/t/notes.db" 'create table n (x); insert into n
		values (1), (2); update n set x = x + 1; vacuum;'
	expect_text "sum" \
		"$(sqlite3 "$MNT/t/notes.db" 'select sum(x) from n')" 5
	expect_imports 0
}

# --- C-6: several mounts of one deployment ---

case_C6_two_mounts_see_each_other() {
	start_mount
	start_mount_at "$STATE" "$DIR/mnt2"
	local i
	for i in $(seq $(((LOOPS + 3) / 4))); do
		echo "{\"n\":$i}" >"$MNT/t$i.jsonl"
		grep -q "\"n\":$i\.0" "$DIR/mnt2/t$i/documents.jsonl"
		echo "{\"n\":0}" >>"$DIR/mnt2/t$i/documents.jsonl"
		expect_numbers "t$i" "$i" 0
	done
	cmp "$MNT/.convex/imports.jsonl" "$DIR/mnt2/.convex/imports.jsonl"
}

case_C6_two_mounts_write_at_once() {
	start_mount
	start_mount_at "$STATE" "$DIR/mnt2"
	local i pid
	mkdir "$MNT/t"
	(for i in $(seq "$LOOPS"); do
		echo "{\"n\":$i}" >>"$MNT/t/documents.jsonl"
	done) &
	pid=$!
	for i in $(seq "$LOOPS"); do
		echo "{\"n\":$((i + LOOPS))}" >>"$DIR/mnt2/t/documents.jsonl"
	done
	wait $pid
	numbers t | sort -n | cmp - <(seq $((2 * LOOPS)))
	cmp "$MNT/t/documents.jsonl" "$DIR/mnt2/t/documents.jsonl"
}

# How many files the daemon holds that have no name: staged bytes.
count_spools() {
	find "/proc/$(tail -n 1 "$DIR/.daemons")/fd" -lname '*(deleted)' \
		2>/dev/null | wc -l
}

expect_no_spools() {
	local i
	for ((i = 0; i < 100; i++)); do
		[ "$(count_spools)" -ne 0 ] || return 0
		sleep 0.05
	done
	fail "$(count_spools) spools are held"
}

# The kernel remembers names for as long as it has memory.
case_W1_what_is_committed_leaves_the_spool() {
	local i
	make_rows 1 30000 >rows
	start_mount
	mkdir "$MNT/t"
	for i in 1 2 3; do
		cp rows "$MNT/t/drop$i.append.jsonl"
		cp rows "$MNT/_storage/file$i.bin"
		cp rows "$MNT/t/scratch$i"
		mv "$MNT/t/scratch$i" "$MNT/t/moved$i.append.jsonl"
	done
	expect_rows t 180000
	expect_no_spools
	sed 's/}$/,}/' rows >bad
	expect_status 1 cp bad "$MNT/t/bad.append.jsonl"
	expect_no_spools
	cmp bad "$MNT/t/bad.append.jsonl.rejected"
}

case_W1_a_reader_keeps_what_is_committed_meanwhile() {
	make_rows 1 30000 >rows
	start_mount
	mkdir "$MNT/t"
	cp rows "$MNT/t/scratch"
	exec 5<"$MNT/t/scratch"
	mv "$MNT/t/scratch" "$MNT/t/moved.append.jsonl"
	expect_rows t 30000
	cmp rows - <&5
	exec 5<&-
	expect_no_spools
}

run_cases "$@"
