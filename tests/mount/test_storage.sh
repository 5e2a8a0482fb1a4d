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
	expect_file "$MNT/_storage/photo.png" photo.png
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

case_W4_an_empty_file_is_stored_when_it_is_copied() {
	local name

	need getfattr unzip zip
	start_mount
	: >empty.txt
	touch moved.txt
	cp empty.txt "$MNT/_storage/copied.txt"
	mv moved.txt "$MNT/_storage/moved.txt"
	tar -c empty.txt | tar -x -C "$MNT/_storage"
	for name in copied moved empty; do
		expect_file /dev/null "$MNT/_storage/$(stored $name.txt).txt"
	done
	expect_text "files" "$(wc -l <"$MNT/_storage/documents.jsonl")" 3
	(cd "$MNT" && zip -q -r "$DIR/all.zip" .)
	start_mount_at "$DIR/state2" "$DIR/mnt2"
	cp all.zip "$DIR/mnt2/"
	diff -r "$MNT/_storage" "$DIR/mnt2/_storage"
}

case_W4_a_name_that_is_made_first_and_written_later_is_one_file() {
	local name

	start_mount
	make_files
	touch "$MNT/_storage/note.txt"
	name=$(mktemp -p "$MNT/_storage" note-XXXXXX.txt)
	expect_text "list" "$(cat "$MNT/_storage/documents.jsonl")" ""
	cat note.txt >"$MNT/_storage/note.txt"
	cat note.txt >"$name"
	expect_text "files" "$(wc -l <"$MNT/_storage/documents.jsonl")" 2
	cp note.txt "$MNT/_storage/other.txt"
	expect_text "files" "$(wc -l <"$MNT/_storage/documents.jsonl")" 3
	expect_text "names" "$(stored_names | wc -w)" 3
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

case_T6_the_content_type_can_be_set() {
	embedded_only "the time and type of a file that is stored there stay"
	need getfattr setfattr
	start_mount
	make_files
	local id
	cp photo.png "$MNT/_storage/.new"
	setfattr -n user.mime_type -v 'Image/WebP' "$MNT/_storage/.new"
	mv "$MNT/_storage/.new" "$MNT/_storage/photo"
	id=$(stored photo)
	expect_stored "$id.webp" photo.png image/webp
	setfattr -n user.mime_type -v image/gif "$MNT/_storage/photo"
	expect_stored "$id.gif" photo.png image/gif
	setfattr -n user.mime_type -v image/png "$MNT/_storage/$id.gif"
	expect_stored "$id.png" photo.png image/png
	expect_refused 'Invalid argument' \
		setfattr -n user.mime_type -v nonsense "$MNT/_storage/$id.png"
	expect_refused 'not supported' \
		setfattr -n user.mime_type -v image/png "$MNT/_storage"
	setfattr -x user.mime_type "$MNT/_storage/$id.png"
	expect_file photo.png "$MNT/_storage/$id"
}

# Programs that write under another name first, which is no name that tells.
case_W6_a_file_that_was_just_stored_is_renamed() {
	need getfattr
	start_mount
	make_files
	local id
	cp photo.png "$MNT/_storage/download.part"
	id=$(stored download.part)
	mv "$MNT/_storage/download.part" "$MNT/_storage/photo.png"
	# Elsewhere the type of a stored file stays: it is stored anew.
	id=$(of_kind "$id" "$(stored photo.png)")
	expect_stored "$id.png" photo.png image/png
	expect_text "id" "$(stored photo.png)" "$id"
	expect_text "names" "$(stored_names)" "$id.png "
	"$PYTHON" -c 'import os, sys
os.rename(sys.argv[1] + "/photo.png", sys.argv[1] + "/.scratch")' \
		"$MNT/_storage"
	expect_text "names" "$(stored_names)" ".scratch "
	expect_file photo.png "$MNT/_storage/.scratch"
	cp note.txt "$MNT/_storage/"
	echo '{"n":5}' >row
	mkdir "$MNT/t"
	cp row "$MNT/_storage/row"
	mv "$MNT/_storage/row" "$MNT/t/documents.jsonl"
	expect_numbers t 5
	cp row "$MNT/_storage/row"
	expect_refused 'not supported' \
		mv "$MNT/_storage/row" "$MNT/_storage/$(stored note.txt).txt"
	expect_text "files" "$(wc -l <"$MNT/_storage/documents.jsonl")" 2
}

case_W6_zip_makes_an_archive_that_is_stored() {
	need getfattr zip unzip
	start_mount
	make_files
	zip -q "$MNT/_storage/out.zip" photo.png
	unzip -q -p "$MNT/_storage/$(stored out.zip).zip" photo.png |
		cmp - photo.png
	expect_text "names" "$(stored_names)" "$(stored out.zip).zip "
}

# --- files of a backup -----------------------------------------------------

# A deployment with three files, one of them empty, and one in a component;
# $KEPT is the id of photo.png.
fill() {
	make_files
	mkdir "$MNT/_components/mail"
	cp photo.png note.txt "$MNT/_storage/"
	KEPT=$(stored photo.png)
	: >"$MNT/_storage/nothing"
	cp note.txt "$MNT/_components/mail/_storage/"
	seed t 1
}

expect_filled() {
	diff -r -x README.md "$MNT" "$1"
	expect_text "type" "$(xattr user.mime_type "$1/_storage/$KEPT.png")" \
		image/png
	expect_text "files" "$(find "$1/_storage" -type f | wc -l)" 4
}

# prove_copy COMMAND...: with a backup in ./backup and a mount at ./mnt2.
prove_copy() {
	need getfattr
	start_mount
	fill
	cp -r "$MNT" backup
	start_mount_at "$DIR/state2" "$DIR/mnt2"
	"$@"
	expect_filled "$DIR/mnt2"
	# The same once more changes nothing.
	cp "$DIR/mnt2/_storage/documents.jsonl" before
	"$@"
	expect_filled "$DIR/mnt2"
	expect_file "$DIR/mnt2/_storage/documents.jsonl" before
}

copy_cp() { cp -r backup/. "$DIR/mnt2"; }
copy_cp_a() { cp -a backup/. "$DIR/mnt2"; }
# Without the list, the attributes tell the type.
case_T6_attributes_tell_the_type_of_a_copy() {
	embedded_only "the time and type of a file that is stored there stay"
	need getfattr rsync
	start_mount
	cp /dev/null note.txt
	cp note.txt "$MNT/_storage/x.txt"
	: >"$MNT/_storage/x.txt"
	setfattr -n user.mime_type -v application/pdf \
		"$MNT/_storage/$(stored x.txt).txt"
	rsync -aX --exclude documents.jsonl "$MNT/_storage/" files
	start_mount_at "$DIR/state2" "$DIR/mnt2"
	rsync -aX files/ "$DIR/mnt2/_storage"
	expect_text "files" "$(cd "$DIR/mnt2/_storage" && echo k*.pdf)" \
		"$(cd "$MNT/_storage" && echo k*.pdf)"
	cp -a files "$DIR/copy"
	start_mount_at "$DIR/state3" "$DIR/mnt3"
	cp -a copy/. "$DIR/mnt3/_storage"
	expect_text "files" "$(cd "$DIR/mnt3/_storage" && echo k*.pdf)" \
		"$(cd "$MNT/_storage" && echo k*.pdf)"
}

copy_rsync() { rsync -a backup/ "$DIR/mnt2"; }
copy_tar() { tar -C backup -cf - . | tar -C "$DIR/mnt2" -xf -; }
copy_unzip() {
	rm -f backup.zip
	(cd backup && zip -q -r ../backup.zip .)
	unzip -q -o backup.zip -d "$DIR/mnt2"
}
copy_list_first() {
	cp backup/_storage/documents.jsonl "$DIR/mnt2/_storage/"
	copy_cp
}
copy_list_last() {
	cp backup/_storage/k* "$DIR/mnt2/_storage/"
	copy_cp
	cp backup/_storage/documents.jsonl "$DIR/mnt2/_storage/"
}

case_T1_cp_r_brings_files_back() {
	prove_copy copy_cp
}
case_T1_cp_a_brings_files_back() {
	prove_copy copy_cp_a
}
case_T1_rsync_brings_files_back() {
	need rsync
	prove_copy copy_rsync
}
case_T1_tar_brings_files_back() {
	prove_copy copy_tar
}
case_T1_unzip_brings_files_back() {
	need zip unzip
	prove_copy copy_unzip
}
case_T1_the_list_may_come_first() {
	prove_copy copy_list_first
}
case_T1_the_list_may_come_last() {
	prove_copy copy_list_last
}

# The archive that zip makes of the mount.
case_T1_zip_of_the_mount_restores_with_its_files() {
	need zip
	start_mount
	fill
	(cd "$MNT" && zip -q -r "$DIR/all.zip" .)
	start_mount_at "$DIR/state2" "$DIR/mnt2"
	cp all.zip "$DIR/mnt2/"
	expect_filled "$DIR/mnt2"
}

case_W13_a_daemon_that_is_killed_has_stored_nothing_staged() {
	start_mount
	make_files
	cp note.txt "$MNT/_storage/"
	exec 5>"$MNT/_storage/photo.png"
	cat photo.png >&5
	kill -KILL "$DAEMON"
	exec 5>&-
	wait "$DAEMON" 2>/dev/null || :
	unset "daemons[$DAEMON]"
	fusermount3 -u "$MNT"
	start_mount
	expect_text "files" "$(wc -l <"$MNT/_storage/documents.jsonl")" 1
	expect_text "names" "$(stored_names | wc -w)" 1
}

case_T1_a_file_without_its_row_is_stored_under_its_id() {
	start_mount
	fill
	cp "$MNT/_storage/$KEPT.png" .
	start_mount_at "$DIR/state2" "$DIR/mnt2"
	# The ending is not part of the name.
	cp "$KEPT.png" "$DIR/mnt2/_storage/$KEPT.jpeg"
	expect_text "type" "$(xattr user.mime_type \
		"$DIR/mnt2/_storage/$KEPT.jpeg")" image/jpeg
	cp "$KEPT.png" "$DIR/mnt2/_storage/$KEPT.png"
	expect_text "files" "$(cd "$DIR/mnt2/_storage" && echo k*)" "$KEPT.jpeg"
	expect_file photo.png "$DIR/mnt2/_storage/$KEPT.jpeg"
	# With its row, its type is that of the row.
	cp "$MNT/_storage/documents.jsonl" "$DIR/mnt2/_storage/"
	expect_text "files" "$(cd "$DIR/mnt2/_storage" && echo k*)" "$KEPT.png"
	grep -F "$KEPT" "$MNT/_storage/documents.jsonl" |
		cmp - "$DIR/mnt2/_storage/documents.jsonl"
}

case_W10_another_file_does_not_take_an_id() {
	start_mount
	fill
	cp "$MNT/_storage/documents.jsonl" before
	expect_refused 'not permitted' cp note.txt "$MNT/_storage/$KEPT.png"
	expect_reject "_storage/$KEPT.png" note.txt
	expect_match "last error" "$(last_error)" 'do not change'
	expect_refused 'not permitted' cp note.txt "$MNT/_storage/$KEPT.txt"
	cp note.txt "$MNT/_storage/.new"
	expect_refused 'not permitted' \
		mv "$MNT/_storage/.new" "$MNT/_storage/$KEPT.png"
	expect_file "$MNT/_storage/$KEPT.png" photo.png
	expect_file "$MNT/_storage/documents.jsonl" before
}

case_F2_rows_that_are_wrong_change_nothing() {
	start_mount
	fill
	cp "$MNT/_storage/documents.jsonl" before
	local list=$MNT/_storage/documents.jsonl
	sed '2s/{/{oops/' before >bad.jsonl
	expect_refused 'Invalid argument' cp bad.jsonl "$list"
	expect_match "last error" "$(last_error)" 'row 2'
	expect_reject _storage/documents.jsonl bad.jsonl
	rm "$list.error" "$list.rejected"
	# The checksum of another file.
	sed -E 's|"sha256":"[^"]*"|"sha256":"'"$(printf 'A%.0s' {1..43})"'="|;
		s|image/png|image/gif|' before >bad.jsonl
	expect_refused 'Invalid argument' cp bad.jsonl "$list"
	expect_match "last error" "$(last_error)" 'SHA-256'
	sed '$p' before >bad.jsonl
	expect_refused 'Invalid argument' cp bad.jsonl "$list"
	expect_match "last error" "$(last_error)" 'twice'
	expect_file "$list" before
	# A row that is left out removes nothing.
	: >"$list"
	expect_file "$list" before
}

case_M6_editing_the_list_changes_what_it_says() {
	embedded_only "the time and type of a file that is stored there stay"
	need getfattr
	start_mount
	fill
	sed -i 's|image/png|image/gif|' "$MNT/_storage/documents.jsonl"
	expect_stored "$KEPT.gif" photo.png image/gif
	test ! -e "$MNT/_storage/$KEPT.png"
	expect_text "files" "$(stored_names | wc -w)" 3
	sed -i.bak "/$KEPT/s|\"_creationTime\":[0-9.]*|\"_creationTime\":1e12|" \
		"$MNT/_storage/documents.jsonl"
	expect_text "time" "$(stat -c %Y "$MNT/_storage/$KEPT.gif")" 1000000000
}

case_T1_ids_of_another_number_are_refused() {
	start_mount
	fill
	start_mount_at "$DIR/state2" "$DIR/mnt2"
	# An id of the table 10001.
	cp note.txt "$DIR/mnt2/_storage/"
	local other
	other=$(documents t | sed 's/.*"_id":"\([^"]*\)".*/\1/')
	expect_refused 'Invalid argument' cp note.txt \
		"$DIR/mnt2/_storage/$other.txt"
	expect_match "error" "$(cat "$DIR/mnt2/.convex/last-error")" \
		'table number 10001'
	# Without files, the storage takes the number over.
	start_mount_at "$DIR/state3" "$DIR/mnt3"
	cp note.txt "$DIR/mnt3/_storage/$other.txt"
	expect_file note.txt "$DIR/mnt3/_storage/$other.txt"
	mkdir "$DIR/mnt3/t"
	expect_text "number" "$(xattr user.convex.table_number "$DIR/mnt3/t")" \
		10002
	# Not one that a table has.
	expect_refused 'Invalid argument' cp note.txt \
		"$MNT/_components/mail/_storage/$other.txt"
}

run_cases "$@"
