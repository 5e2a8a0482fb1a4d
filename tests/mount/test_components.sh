#!/usr/bin/env bash
# The tree below _components: the same for each component (T-1).
# shellcheck source=tests/mount/lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"

# A root with a table, a component and one below it, with a table of the same
# name each.
fill() {
	mkdir -p "$MNT/_components/mail/_components/log"
	seed t 1
	seed _components/mail/t 2 3
	seed _components/mail/_components/log/t 4 5 6
	mkdir "$MNT/_components/empty"
}

expect_filled() {
	local mnt=$1
	cmp "$MNT/t/documents.jsonl" "$mnt/t/documents.jsonl"
	diff -r "$MNT/_components" "$mnt/_components"
}

case_T1_components_are_listed_when_there_are_any() {
	start_mount
	test -d "$MNT/_components"
	expect_text "root" "$(listing .)" "README.md _tables "
	expect_text "components" "$(listing _components)" ""
	mkdir "$MNT/_components/mail"
	expect_text "root" "$(listing .)" "README.md _components _tables "
	expect_text "components" "$(listing _components)" "mail "
	expect_text "mail" "$(listing _components/mail)" "_tables "
	test ! -e "$MNT/_components/other"
	stop_mount
	start_mount
	expect_text "components" "$(listing _components)" "mail "
}

case_T1_components_have_tables_of_their_own() {
	start_mount
	fill
	expect_numbers t 1
	expect_numbers _components/mail/t 2 3
	expect_numbers _components/mail/_components/log/t 4 5 6
	expect_text "mail" "$(listing _components/mail)" "_components _tables t "
	expect_text "registry" \
		"$(cat "$MNT/_components/mail/_tables/documents.jsonl")" \
		'{"name":"t","id":10001}'
	echo '{"n":7}' >>"$MNT/_components/mail/t/documents.jsonl"
	printf 'n\n8\n' >in.csv
	cp in.csv "$MNT/_components/mail/t/in.append.csv"
	cp in.csv "$MNT/_components/mail/u.csv"
	mv "$MNT/_components/mail/u/documents.jsonl" "$MNT/_components/mail/u/b"
	expect_numbers _components/mail/t 2 3 7 8
	expect_numbers _components/mail/u 8
	: >"$MNT/_components/mail/t/documents.jsonl"
	expect_rows _components/mail/t 0
	expect_numbers t 1
	expect_text "target" "$(last_import target)" \
		_components/mail/t/documents.jsonl
}

case_W6_files_are_renamed_from_one_component_to_another() {
	start_mount
	fill
	cp "$MNT/t/documents.jsonl" "$MNT/t/.new"
	mv "$MNT/t/.new" "$MNT/_components/mail/t/documents.jsonl"
	expect_numbers _components/mail/t 1
	sed -i 's/1\.0}/9.0}/' "$MNT/_components/mail/t/documents.jsonl"
	cp "$MNT/_components/mail/t/documents.jsonl" b
	expect_numbers t 1
	expect_refused 'not supported' \
		mv "$MNT/_components/mail" "$MNT/_components/post"
}

case_M5_component_names_are_checked() {
	start_mount
	expect_refused 'Invalid argument' mkdir "$MNT/_components/a-b"
	expect_match "last error" "$(last_error)" 'name of a component'
	expect_refused 'too long' \
		mkdir "$MNT/_components/$(printf 'a%.0s' {1..65})"
	mkdir "$MNT/_components/_a"
	expect_refused 'exists' mkdir "$MNT/_components/_a/.convex"
	expect_refused 'not permitted' rmdir "$MNT/_components/_a"
	expect_text "components" "$(listing _components)" "_a "
}

case_W10_allow_delete_removes_empty_components() {
	start_mount -o allow_delete
	fill
	expect_refused 'not empty' rmdir "$MNT/_components/mail"
	expect_match "last error" "$(last_error)" 'has tables'
	rmdir "$MNT/_components/empty"
	test ! -e "$MNT/_components/empty"
	rm "$MNT/_components/mail/_components/log/t/documents.jsonl"
	rmdir "$MNT/_components/mail/_components/log/t"
	echo x >"$MNT/_components/mail/_components/log/_storage/x.txt"
	expect_refused 'not empty' rmdir "$MNT/_components/mail/_components/log"
	expect_match "last error" "$(last_error)" 'has stored files'
	rm "$MNT/_components/mail/_components/log/_storage/k"*.txt
	rmdir "$MNT/_components/mail/_components/log"
	expect_text "mail" "$(listing _components/mail)" "_tables t "
	mkdir "$MNT/_components/empty"
	seed _components/empty/t 7
	expect_numbers _components/empty/t 7
}

case_F3_rejects_of_components_stand_beside_their_targets() {
	start_mount
	fill
	echo '{"n":oops}' >bad.jsonl
	expect_refused 'Invalid argument' \
		cp bad.jsonl "$MNT/_components/mail/t/documents.jsonl"
	expect_reject _components/mail/t/documents.jsonl bad.jsonl
	expect_match "last error" "$(last_error)" \
		'^_components/mail/t/documents.jsonl' 'row 1'
	expect_refused 'Invalid argument' sync \
		"$MNT/_components/mail/t/documents.jsonl"
	sync "$MNT/t/documents.jsonl"
	expect_text "listing" "$(listing t)" \
		"documents.jsonl generated_schema.jsonl "
	cp bad.jsonl fine.jsonl && sed -i s/oops/7/ fine.jsonl
	cp fine.jsonl "$MNT/_components/mail/t/documents.jsonl.rejected"
	mv "$MNT/_components/mail/t/documents.jsonl.rejected" \
		"$MNT/_components/mail/t/documents.jsonl"
	expect_numbers _components/mail/t 7
}

case_T1_cp_r_of_a_backup_with_components_imports() {
	start_mount
	fill
	cp -r "$MNT" backup
	start_mount_at "$DIR/state2" "$DIR/mnt2"
	cp -r backup/. "$DIR/mnt2"
	expect_filled "$DIR/mnt2"
	# And over what is there.
	cp -r backup/. "$DIR/mnt2"
	expect_filled "$DIR/mnt2"
}

case_T1_rsync_of_a_backup_with_components_imports() {
	need rsync
	start_mount
	fill
	rsync -a "$MNT/" backup
	start_mount_at "$DIR/state2" "$DIR/mnt2"
	rsync -a backup/ "$DIR/mnt2"
	expect_filled "$DIR/mnt2"
}

case_T1_zip_of_components_restores_and_unpacks() {
	need zip unzip
	start_mount
	fill
	(cd "$MNT" && zip -q -r "$DIR/backup.zip" .)
	start_mount_at "$DIR/state2" "$DIR/mnt2"
	cp backup.zip "$DIR/mnt2/"
	expect_filled "$DIR/mnt2"
	start_mount_at "$DIR/state3" "$DIR/mnt3"
	unzip -q -o backup.zip -d "$DIR/mnt3"
	expect_filled "$DIR/mnt3"
}

case_M4_archive_dropped_into_a_component_restores_there() {
	need zip
	start_mount
	fill
	mkdir -p backup/t backup/_components/log/u
	echo '{"n":7.0}' >backup/t/documents.jsonl
	echo '{"n":8.0}' >backup/_components/log/u/documents.jsonl
	(cd backup && zip -q -r "$DIR/in.zip" .)
	expect_refused 'File exists' cp in.zip "$MNT/_components/mail/in.zip"
	expect_reject _components/mail/in.zip in.zip
	cp in.zip "$MNT/_components/mail/in.replace.zip"
	expect_numbers t 1
	expect_numbers _components/mail/t 7
	expect_numbers _components/mail/_components/log/u 8
	expect_numbers _components/mail/_components/log/t 4 5 6
	expect_text "target" "$(last_import target)" \
		_components/mail/in.replace.zip
}

case_C4_a_component_can_be_mounted() {
	start_mount
	fill
	start_mount_at "$STATE" "$DIR/mail" -o component=mail
	expect_text "listing" "$(find "$DIR/mail" -maxdepth 1 -printf '%P\n' |
		sort | tr '\n' ' ')" " README.md _components _tables t "
	diff -r -x README.md "$MNT/_components/mail" "$DIR/mail"
	echo '{"n":9}' >>"$DIR/mail/t/documents.jsonl"
	mkdir "$DIR/mail/_components/new"
	echo '{"n":10}' >"$DIR/mail/_components/log/t/documents.jsonl"
	expect_numbers t 1
	expect_numbers _components/mail/t 2 3 9
	expect_numbers _components/mail/_components/log/t 10
	test -d "$MNT/_components/mail/_components/new"
	# What it refuses is not beside a table of the root.
	expect_status fails cp /dev/null/x "$DIR/mail/t/documents.jsonl"
	echo '{' >bad.jsonl
	expect_refused 'Invalid argument' cp bad.jsonl \
		"$DIR/mail/t/documents.jsonl"
	expect_file "$DIR/mail/t/documents.jsonl.rejected" bad.jsonl
	expect_text "listing" "$(listing t)" \
		"documents.jsonl generated_schema.jsonl "
	start_mount_at "$STATE" "$DIR/log" -o component=mail/log
	expect_file "$DIR/log/t/documents.jsonl" \
		"$MNT/_components/mail/_components/log/t/documents.jsonl"
	expect_status 1 "$CVX_BIN" mount -o component=nope "${DEPLOYMENT[@]}" \
		"$DIR/nope"
}

case_T1_backup_of_a_mounted_component_is_of_its_tree() {
	local name

	need unzip
	start_mount
	fill
	start_mount_at "$STATE" "$DIR/mail" -o component=mail
	# An archive has the list of stored files of every component.
	echo hello >"$DIR/mail/_storage/hello.txt"
	echo deep >"$DIR/mail/_components/log/_storage/deep.txt"
	for name in snapshot snapshot-with-storage; do
		cp "$DIR/mail/.convex/$name.zip" .
		rm -rf unzipped
		unzip -q $name.zip -d unzipped
		find "$DIR/mail" -printf '%P\n' | sort >shown
		test $name = snapshot-with-storage ||
			sed -i '/_storage/d' shown
		(cd unzipped && find . -printf '%P\n' | sort) |
			diff shown -
		diff -r -x README.md -x _storage unzipped "$DIR/mail"
	done
	cp snapshot.zip "$DIR/mail/again.replace.zip"
	expect_text "components" "$(find "$MNT" -name _components | wc -l)" 2
	expect_filled "$MNT"
}

case_T6_attributes_of_tables_in_components() {
	need getfattr
	start_mount
	fill
	expect_text "documents" \
		"$(xattr user.convex.documents "$MNT/_components/mail/t")" 2
	echo '{' >"$MNT/_components/mail/t/documents.jsonl"
	expect_match "last error" \
		"$(xattr user.convex.last_error "$MNT/_components/mail/t")" \
		'row 1'
	expect_refused 'No such attribute' \
		xattr user.convex.last_error "$MNT/t"
}

run_cases "$@"
