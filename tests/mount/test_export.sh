#!/usr/bin/env bash
# Archives that are made by reading them (T-4, import.md 13), and backups that
# zip -r and cp -r make (T-1).
# shellcheck source=tests/mount/lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"

# In the folder of the case.
SNAPSHOT=mnt/.convex/snapshot.zip
FULL=mnt/.convex/snapshot-with-storage.zip
VALUES=$TESTS/../data/vectors/values.json

# An archive with a table of every value there is, and one of a component.
make_values() {
	need zip jq
	mkdir -p values/v values/_components/waitlist/entries
	jq -r '.cases[] | select(.export and .nesting < 15) |
		"{\"v\":\(.export)}"' "$VALUES" >values/v/documents.jsonl
	[ "$(wc -l <values/v/documents.jsonl)" -gt 50 ]
	echo '{"n":1}' >values/_components/waitlist/entries/documents.jsonl
	for table in v _components/waitlist/entries; do
		echo '"uniform"' >"values/$table/generated_schema.jsonl"
	done
	(cd values && zip -q -r ../values.zip .)
}

# expect_same MNT: the other mount shows the same tables, to the byte.
expect_same() {
	local file other=$1
	while IFS= read -r file; do
		expect_file "$other/$file" "$MNT/$file"
	done < <(cd "$MNT" && find . -name documents.jsonl)
	expect_text "tables" "$(cd "$other" && find . | grep -c documents)" \
		"$(cd "$MNT" && find . | grep -c documents)"
}

start_other() {
	start_mount_at "$DIR/other-state" "$DIR/other"
}

# expect_same_archive ZIP OTHER: entries, their lengths and checksums. How well
# they are packed is the library's choice, which isa-l does not always make the
# same way.
expect_same_archive() {
	local listing='/ Defl:| Stored/ { print $1, $7, $8 }'
	unzip -tq "$1"
	expect_text "entries of $1" "$(unzip -v "$1" | awk "$listing")" \
		"$(unzip -v "$2" | awk "$listing")"
	expect_text "entries" "$(unzip -v "$1" | awk "$listing" | wc -l)" 4
}

# prove_program COMMAND...: called with the source and the destination.
prove_program() {
	need unzip
	start_mount
	make_rows 1 3000 >good.jsonl
	mkdir "$MNT/t"
	cp good.jsonl "$MNT/t/"
	cp "$SNAPSHOT" first.zip
	unzip -tq first.zip
	expect_status 0 "$@" "$SNAPSHOT" got.zip
	expect_same_archive got.zip first.zip # of the same moment
	echo '{"n":3001}' >>"$MNT/t/documents.jsonl"
	expect_status 0 "$@" "$SNAPSHOT" got.zip
	unzip -p got.zip t/documents.jsonl >got
	expect_file got "$MNT/t/documents.jsonl"
}

run_curl() {
	need curl
	curl -sS -T "$1" "file://$PWD/$2"
}

run_redirection() {
	cat <"$1" >"$2"
}

# As long as an archive is open, all who open it get that one.
run_sha256sum() {
	local sum
	exec 3<"$1"
	sum=$(sha256sum <"$1")
	cp "$1" "$2"
	exec 3<&-
	expect_text "sum" "$(sha256sum <"$2")" "$sum"
}

run_busybox_cp() {
	need busybox
	busybox cp "$1" "$2"
}

run_busybox_cat() {
	need busybox
	busybox cat "$1" >"$2"
}

run_dd() {
	dd if="$1" of="$2" bs=7000 status=none
}

run_dd_large() {
	dd if="$1" of="$2" bs=4M status=none
}

run_python() {
	"$PYTHON" -c '
import mmap, os, shutil, sys, zipfile
with open(sys.argv[1], "rb") as f:
    assert mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)[:2] == b"PK"
    size = os.fstat(f.fileno()).st_size
    data = f.read()
    assert len(data) == size > 0, (len(data), size)
    f.seek(-22, 2)  # the record at the end
    assert f.read(4) == b"PK\x05\x06"
assert zipfile.ZipFile(sys.argv[1]).testzip() is None
shutil.copyfile(sys.argv[1], sys.argv[2])' "$1" "$2"
}

run_node() {
	need node
	node -e '
const fs = require("fs");
const [from, to] = process.argv.slice(1);
const fd = fs.openSync(from); // for as long, it is one archive
const data = fs.readFileSync(from);
fs.createReadStream(from).pipe(fs.createWriteStream(to)).on("finish", () => {
	if (!fs.readFileSync(to).equals(data)) process.exit(1);
	fs.closeSync(fd);
});' "$1" "$2"
}

add_case "T4 cp reads a whole archive" prove_program cp
add_case "T4 cp -a reads a whole archive" prove_program cp -a
add_case "T4 install reads a whole archive" prove_program install
add_case "T4 cat reads a whole archive" prove_program run_redirection
add_case "T4 busybox cp splices a whole archive" prove_program run_busybox_cp
add_case "T4 busybox cat splices a whole archive" prove_program run_busybox_cat
add_case "T4 dd reads a whole archive" prove_program run_dd
add_case "T4 dd of large blocks does too" prove_program run_dd_large
add_case "T4 sha256sum reads a whole archive" prove_program run_sha256sum
add_case "T4 curl -T reads a whole archive" prove_program run_curl
add_case "T4 python reads a whole archive" prove_program run_python
add_case "T4 node reads a whole archive" prove_program run_node

case_T4_size_is_that_of_the_archive_once_it_is_open() {
	start_mount
	seed t 1 2
	expect_text "size before" "$(stat -c %s "$SNAPSHOT")" 0
	exec 3<"$SNAPSHOT"
	local size
	size=$(stat -L -c %s /proc/self/fd/3)
	expect_text "bytes" "$(wc -c <&3)" "$size"
	# An open archive shows its size to all, as long as nothing changes. What
	# a deployment elsewhere is, is known only by asking for the next one.
	expect_text "size" "$(stat -c %s "$SNAPSHOT")" "$(of_kind "$size" 0)"
	seed t 1 2 3
	expect_text "size after" "$(stat -c %s "$SNAPSHOT")" 0
	expect_text "old size" "$(stat -L -c %s /proc/self/fd/3)" "$size"
	exec 3<&-
}

case_T4_readers_keep_the_moment_in_which_they_opened() {
	need unzip
	start_mount
	seed t 1 2
	seed gone 7
	documents t >before
	exec 3<"$SNAPSHOT"
	seed t 5 6 7
	: >"$MNT/gone/documents.jsonl"
	cp "$SNAPSHOT" new.zip
	cat <&3 >old.zip
	exec 3<&-
	expect_text "old" "$(unzip -p old.zip t/documents.jsonl)" \
		"$(cat before)"
	expect_text "new" "$(unzip -p new.zip t/documents.jsonl)" \
		"$(documents t)"
	expect_text "gone" "$(unzip -p old.zip gone/documents.jsonl | wc -l)" 1
}

case_T4_all_tables_are_of_one_moment() {
	need zip unzip
	start_mount
	local n writer
	for n in 1 2 3 4; do
		rm -rf pair
		mkdir -p pair/a pair/b
		echo "{\"n\":$n}" | tee pair/a/documents.jsonl \
			>pair/b/documents.jsonl
		(cd pair && zip -q -r "../$n.zip" .)
	done
	cp 1.zip "$MNT/x.replace.zip"
	(
		trap 'exit 0' TERM
		while :; do
			for n in 1 2 3 4; do
				cp "$n.zip" "$MNT/x.replace.zip" || exit 1
			done
		done
	) &
	writer=$!
	for n in $(seq 20); do
		cp "$SNAPSHOT" got.zip
		unzip -tq got.zip
		expect_text "table b" \
			"$(unzip -p got.zip b/documents.jsonl | jq .n)" \
			"$(unzip -p got.zip a/documents.jsonl | jq .n)"
	done
	kill "$writer"
	wait "$writer"
}

copy_again_and_again() {
	local n
	for n in $(seq 15); do
		cp "$SNAPSHOT" "got.$1"
		unzip -tq "got.$1"
	done
}

# Neither another moment than the one of stat, nor another reader's, is
# another file to cp.
case_T4_cp_while_rows_are_appended() {
	need unzip
	start_mount
	seed t 1 2
	local writer reader pids=()
	(
		trap 'exit 0' TERM
		while :; do
			echo '{"n":1}' >>"$MNT/t/documents.jsonl" || exit 1
		done
	) &
	writer=$!
	for reader in 1 2 3; do
		copy_again_and_again "$reader" &
		pids+=($!)
	done
	for reader in "${pids[@]}"; do
		wait "$reader"
	done
	kill "$writer"
	wait "$writer"
}

case_T4_readers_at_once() {
	start_mount
	make_inputs
	mkdir "$MNT/t"
	cp good.jsonl "$MNT/t/"
	local n pids=()
	for n in 1 2 3 4 5 6; do
		cat "$SNAPSHOT" >"got.$n" &
		pids+=($!)
	done
	for n in "${pids[@]}"; do
		wait "$n"
	done
	for n in 2 3 4 5 6; do
		expect_file "got.$n" got.1
	done
	expect_text "stage" "$(ls "$STATE/stage")" ""
}

case_T4_restored_elsewhere_every_value_is_the_same() {
	start_mount
	make_values
	cp values.zip "$MNT/values.zip"
	cp "$SNAPSHOT" out.zip
	start_other
	cp out.zip "$DIR/other/in.replace-all.zip"
	expect_same "$DIR/other"
	# Straight from mount to mount.
	cp "$SNAPSHOT" "$DIR/other/again.replace-all.zip"
	expect_same "$DIR/other"
}

case_T1_zip_of_the_mount_restores() {
	start_mount
	make_values
	cp values.zip "$MNT/values.zip"
	(cd "$MNT" && zip -q -r "$DIR/out.zip" .)
	start_other
	cp out.zip "$DIR/other/in.replace-all.zip"
	expect_same "$DIR/other"
}

case_T1_copy_of_the_mount_restores() {
	start_mount
	make_values
	cp values.zip "$MNT/values.zip"
	cp -r "$MNT" copy
	start_other
	cp -r copy/. "$DIR/other/"
	expect_same "$DIR/other"
}

case_T4_old_snapshots_restore_and_export() {
	need unzip
	local old
	start_mount
	start_other
	for old in "$CVX_DATA"/snapshot-*.zip; do
		[ -e "$old" ] || lacks "the snapshots of ../shared/data"
		cp "$old" "$MNT/in.replace-all.zip"
		cp "$SNAPSHOT" out.zip
		unzip -tq out.zip
		cp out.zip "$DIR/other/in.replace-all.zip"
		expect_same "$DIR/other"
	done
}

case_T4_stored_files_are_in_the_larger_archive() {
	need unzip
	start_mount
	seq 1 100000 >photo.png
	cp photo.png "$MNT/_storage/"
	local id
	id=$(xattr user.convex.storage_id "$MNT/_storage/photo.png")
	cp "$SNAPSHOT" small.zip
	cp "$FULL" full.zip
	unzip -tq full.zip
	unzip -p full.zip "_storage/$id.png" | cmp - photo.png
	unzip -p full.zip _storage/documents.jsonl |
		cmp - "$MNT/_storage/documents.jsonl"
	expect_text "storage" "$(unzip -l small.zip | grep -c _storage || :)" 0
}

expect_same_files() {
	diff -r "$1/_storage" "$MNT/_storage"
}

case_T4_stored_files_are_the_same_when_restored_elsewhere() {
	start_mount
	seed t 1 2
	seq 1 100000 >photo.png
	echo hello >note.txt
	head -c 3000000 /dev/urandom >random
	mkdir "$MNT/_components/waitlist"
	cp photo.png note.txt random "$MNT/_storage/"
	cp note.txt "$MNT/_components/waitlist/_storage/"
	start_other
	cp "$FULL" "$DIR/other/in.replace-all.zip"
	expect_same_files "$DIR/other"
	diff -r "$DIR/other/_components/waitlist/_storage" \
		"$MNT/_components/waitlist/_storage"
	expect_same "$DIR/other"
}

case_T1_zip_of_the_mount_brings_stored_files() {
	need zip
	start_mount
	seed t 1 2
	seq 1 100000 >photo.png
	cp photo.png "$MNT/_storage/"
	(cd "$MNT" && zip -q -r "$DIR/out.zip" .)
	start_other
	cp out.zip "$DIR/other/in.replace-all.zip"
	expect_same_files "$DIR/other"
	expect_same "$DIR/other"
}

case_T4_of_a_read_only_mount() {
	need unzip
	start_mount
	seed t 1 2 3
	stop_mount
	start_mount -o ro
	cp "$SNAPSHOT" out.zip
	expect_text "rows" "$(unzip -p out.zip t/documents.jsonl)" \
		"$(documents t)"
}

case_T4_archives_can_only_be_read() {
	start_mount
	seed t 1
	cp "$SNAPSHOT" out.zip
	expect_refused 'Permission denied' bash -c 'echo x >"$1"' _ "$SNAPSHOT"
	expect_refused 'not permitted' rm -f "$SNAPSHOT"
	expect_refused 'not permitted' mv out.zip "$SNAPSHOT"
	cp "$SNAPSHOT" again.zip
	expect_same_archive again.zip out.zip
	# Last night's backup is no obstacle to the next.
	expect_text "mode of a copy" "$(stat -c %a again.zip)" 644
}

is_all_dropped() {
	[ -z "$(ls "$STATE/stage")" ] &&
		! readlink "/proc/$DAEMON/fd/"* | grep -q deleted
}

case_T4_closed_early_it_leaves_nothing() {
	start_mount
	make_inputs
	mkdir "$MNT/t"
	cp good.jsonl "$MNT/t/"
	local n
	for n in 1 2 3; do
		head -c 10 "$SNAPSHOT" >part
		expect_text "part" "$(wc -c <part)" 10
		: <"$SNAPSHOT"
	done
	await 5 is_all_dropped
}

case_T4_full_disk_is_the_errno_of_the_reader() {
	need_root
	need mount
	mkdir small
	mount -t tmpfs -o size=1m small "$DIR/small"
	start_mount -o "cache_dir=$DIR/small"
	mkdir "$MNT/t"
	# By the names of drops, for which no table must be here.
	local n
	for n in 1 2 3 4; do
		"$PYTHON" -c '
import base64, os
for _ in range(400):
    print("{\"a\":\"%s\"}" % base64.b64encode(os.urandom(900)).decode())' \
			>rows
		cp rows "$MNT/t/more.append.jsonl"
	done
	expect_refused 'No space left' cp "$SNAPSHOT" out.zip
	expect_refused 'No space left' cat "$SNAPSHOT"
	expect_text "stage" "$(ls "$STATE/stage")" ""
	grep -q 'error: .*snapshot.zip: cannot write' "$DAEMON_LOG"
	expect_alive
	echo '{"n":1}' >row
	cp row "$MNT/t/one.replace.jsonl"
	cp "$SNAPSHOT" out.zip
}

case_T4_the_next_start_removes_what_a_kill_left() {
	embedded_only "the server lives on, and what lies in its folder"
	need unzip
	start_mount
	seed t 1 2
	mkdir "$STATE/stage/stage-0123456789abcdef"
	: >"$STATE/stage/stage-0123456789abcdef/1.rows"
	kill_mount
	start_mount
	expect_text "stage" "$(ls "$STATE/stage")" ""
	cp "$SNAPSHOT" out.zip
	unzip -tq out.zip
}

run_cases "$@"
