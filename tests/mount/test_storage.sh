#!/usr/bin/env bash
# Stored files in _storage (T-1, T-6, W-4 to W-11).
# shellcheck source=tests/mount/lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"

# Writes photo.png, of more than one page and buffer, and note.txt.
make_files() {
	seq 1 100000 >photo.png
	echo hello >note.txt
}

stored() {
	xattr user.convex.storage_id "$MNT/_storage/$1"
}

# The names of stored files, sorted, on one line.
stored_names() {
	listing "${1:-}_storage" | sed 's/documents\.jsonl //'
}

expect_stored() {
	local name=$1 file=$2 type=$3
	expect_file "$MNT/_storage/$name" "$file"
	expect_text "size" "$(stat -c %s "$MNT/_storage/$name")" \
		"$(stat -c %s "$file")"
	expect_text "type" "$(xattr user.mime_type "$MNT/_storage/$name")" \
		"$type"
	expect_text "sha256" \
		"$(xattr user.convex.sha256 "$MNT/_storage/$name")" \
		"$(sha256sum "$file" | cut -d ' ' -f 1)"
}

case_T1_storage_is_listed_when_it_holds_files() {
	start_mount
	make_files
	expect_text "root" "$(listing .)" "README.md _tables "
	expect_text "storage" "$(listing _storage)" "documents.jsonl "
	expect_text "list" "$(cat "$MNT/_storage/documents.jsonl")" ""
	cp photo.png "$MNT/_storage/"
	expect_text "root" "$(listing .)" "README.md _storage _tables "
	expect_text "root" "$(find "$MNT/_storage" -type f | wc -l)" 2
}

case_W4_cp_stores_a_new_file() {
	need getfattr
	start_mount
	make_files
	local id before
	before=$(date +%s)
	cp photo.png "$MNT/_storage/"
	id=$(stored photo.png)
	expect_stored "$id.png" photo.png image/png
	expect_text "names" "$(stored_names)" "$id.png "
	[ "$(stat -c %Y "$MNT/_storage/$id.png")" -ge "$before" ]
	jq -e --arg id "$id" --argjson size "$(stat -c %s photo.png)" \
		'._id == $id and .contentType == "image/png" and
		.size == $size' "$MNT/_storage/documents.jsonl"
	expect_text "time" \
		"$(xattr user.convex.creation_time "$MNT/_storage/$id.png")" \
		"$(sed 's/.*"_creationTime":\([^,]*\),.*/\1/' \
			"$MNT/_storage/documents.jsonl")"
	expect_text "id" "$(stored "$id.png")" "$id"
	cp note.txt "$MNT/_storage/"
	[ "$(stored note.txt)" != "$id" ]
	expect_text "files" "$(wc -l <"$MNT/_storage/documents.jsonl")" 2
	# The same once more is another file.
	cp note.txt "$MNT/_storage/"
	expect_text "files" "$(wc -l <"$MNT/_storage/documents.jsonl")" 3
}

case_W11_the_name_just_written_answers() {
	need getfattr
	start_mount
	make_files
	cp -p photo.png "$MNT/_storage/"
	chmod 600 "$MNT/_storage/photo.png"
	touch -d 2020-01-01 "$MNT/_storage/photo.png"
	chown "$(id -u)" "$MNT/_storage/photo.png"
	expect_text "size" "$(stat -c %s "$MNT/_storage/photo.png")" \
		"$(stat -c %s photo.png)"
	expect_text "names" "$(stored_names)" "$(stored photo.png).png "
	install -m 644 note.txt "$MNT/_storage/note.txt"
	expect_text "note" "$(cat "$MNT/_storage/$(stored note.txt).txt")" hello
}

case_T1_names_have_the_ending_of_their_type() {
	need getfattr
	start_mount
	make_files
	local name ext
	for name in photo.jpg=jpeg photo.JPG=jpeg page.html=html \
		README= data.unheardof= archive.tar.gz=gz; do
		ext=${name#*=}
		cp note.txt "$MNT/_storage/${name%=*}"
		expect_file note.txt \
			"$MNT/_storage/$(stored "${name%=*}")${ext:+.$ext}"
	done
	expect_refused 'No such attribute' xattr user.mime_type \
		"$MNT/_storage/$(stored README)"
}

case_W4_many_ways_of_writing_a_file() {
	need getfattr "$PYTHON" dd
	start_mount
	make_files
	cat photo.png >"$MNT/_storage/a.png"
	expect_file photo.png "$MNT/_storage/$(stored a.png).png"
	cat photo.png photo.png >twice
	cat photo.png >photo
	(cat photo.png; cat photo.png) >"$MNT/_storage/b.png"
	expect_file twice "$MNT/_storage/$(stored b.png).png"
	dd if=photo.png of="$MNT/_storage/c.png" bs=3000 2>/dev/null
	expect_file photo.png "$MNT/_storage/$(stored c.png).png"
	"$PYTHON" -c 'import shutil, sys
shutil.copy2("photo.png", sys.argv[1])' "$MNT/_storage/d.png"
	expect_file photo.png "$MNT/_storage/$(stored d.png).png"
	mv photo "$MNT/_storage/e.png"
	expect_file photo.png "$MNT/_storage/$(stored e.png).png"
	: >"$MNT/_storage/empty.txt"
	expect_file /dev/null "$MNT/_storage/$(stored empty.txt).txt"
	expect_text "files" "$(wc -l <"$MNT/_storage/documents.jsonl")" 6
}

case_W6_a_renamed_scratch_file_is_stored() {
	need getfattr rsync
	start_mount
	make_files
	cp photo.png "$MNT/_storage/.new"
	expect_text "names" "$(stored_names)" ".new "
	expect_text "list" "$(cat "$MNT/_storage/documents.jsonl")" ""
	mv "$MNT/_storage/.new" "$MNT/_storage/photo.png"
	expect_stored "$(stored photo.png).png" photo.png image/png
	rsync -a note.txt "$MNT/_storage/"
	expect_stored "$(stored note.txt).txt" note.txt text/plain
	mkdir "$MNT/t"
	cp photo.png "$MNT/t/scratch"
	mv "$MNT/t/scratch" "$MNT/_storage/other.png"
	expect_stored "$(stored other.png).png" photo.png image/png
	expect_text "files" "$(stored_names | wc -w)" 3
}

case_W5_killed_writers_store_nothing() {
	local pid
	start_mount
	make_files
	mkfifo pipe
	dd if=pipe of="$MNT/_storage/photo.png" bs=64 2>dd.log &
	pid=$!
	exec 9>pipe
	head -c 640 photo.png >&9
	await 10 test -s "$MNT/_storage/photo.png"
	kill -KILL "$pid"
	wait "$pid" || :
	exec 9>&-
	await 10 test -e "$MNT/_storage/photo.png.rejected"
	expect_text "list" "$(cat "$MNT/_storage/documents.jsonl")" ""
	expect_match "error" "$(cat "$MNT/_storage/photo.png.error")" 'signal 9'
	# Renamed, it is stored all the same.
	mv "$MNT/_storage/photo.png.rejected" "$MNT/_storage/photo.png"
	expect_text "files" "$(wc -l <"$MNT/_storage/documents.jsonl")" 1
	test ! -e "$MNT/_storage/photo.png.error"
}

case_W10_touching_and_removing_before_the_close_stores_nothing() {
	start_mount
	make_files
	touch "$MNT/_storage/x.png"
	rm "$MNT/_storage/x.png"
	exec 5>"$MNT/_storage/y.png"
	cat photo.png >&5
	rm "$MNT/_storage/y.png"
	exec 5>&-
	expect_text "list" "$(cat "$MNT/_storage/documents.jsonl")" ""
	expect_text "names" "$(stored_names)" ""
}

case_W10_stored_files_stay() {
	need getfattr
	start_mount
	make_files
	local id
	cp photo.png "$MNT/_storage/"
	id=$(stored photo.png)
	expect_refused 'not permitted' rm "$MNT/_storage/$id.png"
	expect_refused 'not permitted' sh -c "echo >>$MNT/_storage/$id.png"
	expect_refused 'not permitted|Invalid' \
		truncate -s 5 "$MNT/_storage/$id.png"
	expect_refused 'not supported' \
		mv "$MNT/_storage/$id.png" "$MNT/_storage/other.png"
	expect_refused 'not permitted' mkdir "$MNT/_storage/folder"
	expect_refused 'Invalid argument' cp note.txt "$MNT/_storage/x.error"
	expect_stored "$id.png" photo.png image/png
}

case_W10_allow_delete_removes_stored_files() {
	need getfattr
	start_mount -o allow_delete
	make_files
	cp photo.png "$MNT/_storage/"
	local id
	id=$(stored photo.png)
	exec 5<"$MNT/_storage/$id.png"
	rm "$MNT/_storage/$id.png"
	test ! -e "$MNT/_storage/$id.png"
	# T-3
	cmp photo.png <(cat <&5)
	exec 5<&-
	expect_text "list" "$(cat "$MNT/_storage/documents.jsonl")" ""
	expect_text "root" "$(listing .)" "README.md _tables "
}

case_W12_files_of_several_writers() {
	start_mount
	make_files
	local i pids=()
	for i in 1 2 3 4 5 6 7 8; do
		seq 1 "${i}0000" >"f$i.txt"
		cp "f$i.txt" "$MNT/_storage/" &
		pids+=($!)
	done
	wait "${pids[@]}"
	expect_text "files" "$(stored_names | wc -w)" 8
	sha256sum f?.txt | cut -d ' ' -f 1 | sort >want
	(cd "$MNT/_storage" && sha256sum ./*.txt) | cut -d ' ' -f 1 | sort >got
	expect_file got want
}

case_T1_each_component_has_a_storage() {
	need getfattr
	start_mount
	make_files
	mkdir "$MNT/_components/mail"
	cp note.txt "$MNT/_components/mail/_storage/"
	expect_text "names" "$(stored_names)" ""
	expect_text "names" "$(stored_names _components/mail/ | wc -w)" 1
	expect_text "root" "$(listing .)" "README.md _components _tables "
	stop_mount
	start_mount
	expect_file note.txt "$MNT/_components/mail/_storage/"k*.txt
}

case_T2_large_files_read_as_they_were_written() {
	need getfattr
	start_mount
	head -c 20000000 /dev/urandom >big.bin
	cp big.bin "$MNT/_storage/"
	local id
	id=$(stored big.bin)
	expect_file big.bin "$MNT/_storage/$id.bin"
	dd if="$MNT/_storage/$id.bin" bs=7777 skip=1000 count=3 2>/dev/null |
		cmp - <(dd if=big.bin bs=7777 skip=1000 count=3 2>/dev/null)
	tail -c 100 "$MNT/_storage/$id.bin" | cmp - <(tail -c 100 big.bin)
}

case_F5_read_only_mounts_store_nothing() {
	start_mount
	make_files
	cp note.txt "$MNT/_storage/"
	stop_mount
	start_mount -o ro
	expect_refused 'Read-only' cp photo.png "$MNT/_storage/"
	expect_text "note" "$(cat "$MNT/_storage/"*.txt)" hello
}

run_cases "$@"
