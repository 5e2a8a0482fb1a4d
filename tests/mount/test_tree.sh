#!/usr/bin/env bash
# What every path shows (T-1 to T-9).
# shellcheck source=tests/mount/lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"

# A deployment of three tables, one of them empty, made from real inputs if
# they are at hand.
fill() {
	make_rows 1 500 >"$MNT/apples.jsonl"
	printf 'name,x\nä,1.5\n"b ""c""",\n' >"$MNT/pears.csv"
	mkdir "$MNT/plums"
	if [ -r "$CVX_DATA/cities.jsonl" ]; then
		cp "$CVX_DATA/cities.jsonl" "$CVX_DATA/airports.csv" \
			"$CVX_DATA/cars.json" "$MNT/"
	fi
}

tree() {
	(cd "$1" && find . -type f | sort)
}

case_T1_listing_is_that_of_a_backup() {
	start_mount
	fill
	tree "$MNT" | grep -vE '^./(cities|airports|cars|_storage)/' >got
	cat >want <<-'END'
		./README.md
		./_tables/documents.jsonl
		./apples/documents.jsonl
		./apples/generated_schema.jsonl
		./pears/documents.jsonl
		./pears/generated_schema.jsonl
		./plums/documents.jsonl
		./plums/generated_schema.jsonl
	END
	expect_file got want
	expect_text "schema" "$(cat "$MNT/apples/generated_schema.jsonl")" \
		'"uniform"'
	grep -q . "$MNT/README.md"
}

case_T1_registry_names_every_table_with_its_number() {
	start_mount
	mkdir "$MNT/apples" "$MNT/pears"
	expect_text "registry" "$(cat "$MNT/_tables/documents.jsonl")" \
		'{"name":"apples","id":10001}
{"name":"pears","id":10002}'
}

# An archive made of the mount holds the bytes that the mount shows, and
# unpacked into another deployment it gives the same documents.
case_T1_zip_of_the_mount_unpacks_to_the_same() {
	need zip unzip
	start_mount
	fill
	(cd "$MNT" && zip -q -r "$DIR/backup.zip" .)
	mkdir unpacked
	unzip -q backup.zip -d unpacked
	(cd "$MNT" && find . -type f) | while read -r path; do
		cmp "$MNT/$path" "unpacked/$path"
	done
	start_mount_at "$DIR/state2" "$DIR/mnt2"
	unzip -q -o backup.zip -d "$DIR/mnt2"
	diff -r -x README.md "$MNT" "$DIR/mnt2"
}

case_T1_cp_r_of_an_unpacked_backup_imports() {
	start_mount
	fill
	cp -r "$MNT" backup
	start_mount_at "$DIR/state2" "$DIR/mnt2"
	cp -r backup/. "$DIR/mnt2"
	diff -r -x README.md "$MNT" "$DIR/mnt2"
	diff -r -x README.md backup "$DIR/mnt2"
}

case_T1_tar_of_the_mount_unpacks_to_the_same() {
	start_mount
	fill
	tar -C "$MNT" -cf backup.tar .
	start_mount_at "$DIR/state2" "$DIR/mnt2"
	tar -C "$DIR/mnt2" -xf backup.tar
	diff -r -x README.md "$MNT" "$DIR/mnt2"
}

case_T2_size_is_true() {
	start_mount
	fill
	find "$MNT" -type f | while read -r path; do
		expect_text "size of $path" "$(stat -c %s "$path")" \
			"$(wc -c <"$path")"
	done
	test -s "$MNT/apples/documents.jsonl"
}

case_T2_mtime_is_the_last_commit() {
	start_mount
	local before after
	before=$(date +%s)
	seed t 1
	after=$(date +%s)
	seed u 1
	# Of a folder elsewhere no such time is known: it has that of the mount.
	for path in t/documents.jsonl "$(of_kind t t/documents.jsonl)"; do
		[ "$(stat -c %Y "$MNT/$path")" -ge "$before" ]
		[ "$(stat -c %Y "$MNT/$path")" -le "$after" ]
	done
	stat -c %y "$MNT/t/documents.jsonl" >first
	seed u 2
	stat -c %y "$MNT/t/documents.jsonl" | cmp - first
	seed t 2
	if stat -c %y "$MNT/t/documents.jsonl" | cmp -s - first; then
		fail "mtime did not move"
	fi
}

case_T2_inode_is_new_for_each_revision() {
	start_mount
	local i
	for i in 1 2 3 4 5; do
		seed t $i
		stat -c %i "$MNT/t/documents.jsonl"
	done >inodes
	seed u 1
	stat -c %i "$MNT/t/documents.jsonl" >>inodes
	expect_text "inodes" "$(sort -u inodes | wc -l)" 5
}

case_T2_ids_ascend_in_the_order_of_import() {
	start_mount
	make_rows 1 3000 >good.jsonl
	mkdir "$MNT/t"
	cp good.jsonl "$MNT/t/documents.jsonl"
	make_rows 3001 6000 >>"$MNT/t/documents.jsonl"
	numbers t | cmp - <(seq 6000)
	documents t | grep -o '"_id":"[^"]*"' >ids
	sort -cu ids
}

case_T2_bytes_are_export_encoding() {
	start_mount
	mkdir "$MNT/t"
	printf '%s\n' '{"z":1,"A":"\u00e4\/","_creationTime":5,"b":[1e3,-0,{}]}' \
		>"$MNT/t/documents.jsonl"
	expect_text "document" "$(documents t | sed 's/"_id":"[^"]*"/ID/')" \
		'{"A":"ä/","_creationTime":5.0,ID,"b":[1000.0,-0.0,{}],"z":1.0}'
}

case_T3_an_open_reader_keeps_its_revision() {
	start_mount
	make_rows 1 9000 >good.jsonl
	mkdir "$MNT/t"
	cp good.jsonl "$MNT/t/documents.jsonl"
	documents t >before
	exec 5<"$MNT/t/documents.jsonl"
	head -c 10 <&5 >during
	seed t 1 2
	seed t 3
	expect_numbers t 3
	cat <&5 >>during
	exec 5<&-
	# head may have read more than it printed.
	tail -c 100 during >end
	tail -c 100 before | cmp - end

	exec 5<"$MNT/t/documents.jsonl"
	: >"$MNT/t/documents.jsonl"
	cat <&5 >during
	exec 5<&-
	expect_text "cleared meanwhile" "$(wc -l <during)" 1
	expect_rows t 0
}

case_T3_no_reader_sees_a_part() {
	start_mount
	local i writer
	make_rows 1 3000 >one.jsonl
	make_rows 1 2000 >two.jsonl
	mkdir "$MNT/t"
	cp one.jsonl "$MNT/t/documents.jsonl"
	(
		for i in $(seq $(((LOOPS + 3) / 4))); do
			cp two.jsonl "$MNT/t/documents.jsonl"
			cp one.jsonl "$MNT/t/documents.jsonl"
		done
	) &
	writer=$!
	while kill -0 $writer 2>/dev/null; do
		i=$(numbers t | tail -n 1)/$(rows t)
		case $i in
		3000/3000 | 2000/2000 | 3000/2000 | 2000/3000) ;;
		*) fail "a reader saw $i" ;;
		esac
		documents t | tail -c 1 | cmp - <(echo)
	done
	wait $writer
}

case_T5_imports_are_recorded() {
	start_mount
	need jq
	seed t 1 2
	mark
	printf 'n\n3\n' >"$MNT/t/more.append.csv"
	expect_committed append 1
	expect_text "target" "$(last_import target)" t/more.append.csv
	expect_text "format" "$(last_import format)" csv
	expect_text "bytes" "$(last_import bytes)" 4
	echo '{' >"$MNT/t/documents.jsonl"
	expect_text "state" "$(last_import state)" failed
	# A deployment elsewhere tells why in words alone.
	expect_match "code" "$(last_import error.code)" \
		"$(of_kind JsonInvalidRow EINVAL)"
	expect_match "message" "$(last_import error.message)" 'row 1'
	imports | jq -es 'length == 3 and ([.[].id] | . == sort) and all(.[];
		(.started | endswith("Z")) and .finished >= .started and
		(.state == "failed") == (.error != null) and
		has("progress"))' >/dev/null
}

case_T5_running_imports_are_shown() {
	start_mount
	make_rows 1 30000 >good.jsonl
	mkdir "$MNT/t"
	exec 5>"$MNT/t/documents.jsonl"
	cat good.jsonl >&5
	grep '"state":"in_progress"' "$MNT/.convex/imports.jsonl" >running
	expect_text "target" "$(jq -r .target running)" t/documents.jsonl
	expect_text "bytes" "$(jq -r .bytes running)" \
		"$(stat -c %s good.jsonl)"
	jq -e '.progress >= 0 and .progress <= 1' running >/dev/null
	exec 5>&-
	expect_rows t 30000
	expect_text "running" "$(grep -c '"state":"in_progress"' \
		"$MNT/.convex/imports.jsonl")" 0
}

case_T5_control_folder_is_reachable_but_not_listed() {
	start_mount
	expect_text "root" "$(find "$MNT" -maxdepth 1 -name '.convex')" ""
	test -d "$MNT/.convex"
	jq -e .kind "$MNT/.convex/deployment.json" >/dev/null
	test "$(wc -c <"$MNT/.convex/imports.jsonl")" -eq 0
	: >empty
	cmp "$MNT/.convex/last-error" empty
	expect_refused 'denied|permitted|Read-only' \
		cp empty "$MNT/.convex/last-error"
	expect_refused 'denied|permitted|Read-only' rm "$MNT/README.md"
}

case_T6_attributes() {
	start_mount
	need getfattr
	seed t 1 2 3
	expect_text "documents" "$(xattr user.convex.documents "$MNT/t")" 3
	expect_text "number" "$(xattr user.convex.table_number "$MNT/t")" 10001
	xattr user.convex.revision "$MNT/t" >first
	seed t 1
	if xattr user.convex.revision "$MNT/t" | cmp -s - first; then
		fail "the revision did not move"
	fi
	expect_refused 'No such attribute' \
		xattr user.convex.last_error "$MNT/t"
	echo '{' >"$MNT/t/documents.jsonl"
	expect_match "last error" \
		"$(xattr user.convex.last_error "$MNT/t")" 'row 1'
	seed t 1
	expect_refused 'No such attribute' \
		xattr user.convex.last_error "$MNT/t"
	expect_text "all" "$(getfattr --absolute-names -d "$MNT/t" |
		grep -c '^user.convex')" 3
}

case_T6_attributes_are_not_set() {
	start_mount
	need setfattr rsync
	seed t 1 2 3
	expect_refused 'not supported' setfattr -n user.x -v 1 "$MNT/t"
	# The kernel itself keeps users from it.
	expect_refused 'not supported|not permitted' \
		setfattr -n security.x -v 1 "$MNT/t/documents.jsonl"
	setfattr -n user.convex.documents -v 7 "$MNT/t"
	expect_text "documents" "$(xattr user.convex.documents "$MNT/t")" 3
}

# With or without the attributes, and over what is there.
case_T6_attributes_do_not_hinder_copying() {
	start_mount
	need rsync
	seed t 1 2 3
	rsync -aX "$MNT/" with
	rsync -a "$MNT/" without
	cp -a "$MNT" copy
	: >"$MNT/t/documents.jsonl"
	rsync -aX with/ "$MNT"
	expect_numbers t 1 2 3
	rsync -aX without/ "$MNT"
	cp -a copy/. "$MNT"
	expect_numbers t 1 2 3
}

# The kernel asks for security.capability before each write to a cached file.
case_T6_writing_asks_for_no_attributes() {
	need dd
	start_mount -d
	make_inputs
	mkdir "$MNT/t"
	dd if=good.jsonl of="$MNT/t/documents.jsonl" bs=1k
	dd if=good.jsonl of="$MNT/t/x.append.jsonl" bs=1k
	dd if=good.jsonl of="$MNT/t/scratch" bs=1k
	documents t >own.jsonl
	dd if=own.jsonl of="$MNT/t/documents.jsonl" bs=1k conv=notrunc
	cat good.jsonl >>"$MNT/t/documents.jsonl"
	[ "$(grep -c 'opcode: WRITE' "$DAEMON_LOG")" -gt 1000 ]
	# One for a truncation that dd asks for.
	[ "$(grep -c 'opcode: GETXATTR' "$DAEMON_LOG")" -le 1 ]
	xattr user.convex.documents "$MNT/t" >/dev/null
	[ "$(grep -c 'opcode: GETXATTR' "$DAEMON_LOG")" -gt 1 ]
}

case_T7_an_empty_table_is_listed() {
	start_mount
	mkdir "$MNT/t"
	expect_text "listing" "$(listing t)" \
		"documents.jsonl generated_schema.jsonl "
	expect_rows t 0
	stop_mount
	start_mount
	expect_text "listing" "$(listing t)" \
		"documents.jsonl generated_schema.jsonl "
}

case_T8_statfs_is_that_of_the_disk_below() {
	start_mount
	expect_text "blocks" "$(stat -f -c '%b * %S' "$MNT" | xargs expr)" \
		"$(stat -f -c '%b * %S' "$STATE" | xargs expr)"
	[ "$(stat -f -c %c "$MNT")" -gt 0 ]
	df "$MNT" >/dev/null
	df -i "$MNT" >/dev/null
}

# 10,000 is also the most there can be (import.md 7.4), so that replacing
# needs one less.
case_T9_ten_thousand_tables() {
	start_mount
	seq 10001 19999 | sed 's/.*/{"name":"t&","id":&}/' >registry.jsonl
	cp registry.jsonl "$MNT/_tables/documents.jsonl"
	expect_text "tables" "$(find "$MNT" -maxdepth 1 -name 't[0-9]*' |
		wc -l)" 9999
	cmp "$MNT/_tables/documents.jsonl" registry.jsonl
	expect_text "files" "$(find "$MNT" -name documents.jsonl | wc -l)" \
		10000
	echo '{"n":1}' >"$MNT/t15000/documents.jsonl"
	expect_numbers t15000 1
	mkdir "$MNT/last"
	expect_status fails mkdir "$MNT/one_more"
	expect_match "last error" "$(last_error)" 10000
	echo '{"n":2}' >>"$MNT/t15000/documents.jsonl"
	expect_numbers t15000 1 2
}

run_cases "$@"
