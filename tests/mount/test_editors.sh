#!/usr/bin/env bash
# Editors and filters that change a table in place (M-6, W-6 to W-8; what they
# do to the file: fuse-facts.md a3). Documents keep their ids.
# shellcheck source=tests/mount/lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"

ids() {
	documents t | grep -o '"_id":"[^"]*"'
}

# prove_editor SEEN GOOD BAD: two functions that edit the file $1. GOOD makes
# the first document's n 10, BAD leaves no valid JSON behind. (When that is
# refused, some put the old contents back, which is an import like any other.)
prove_editor() {
	local seen=$1 good=$2 bad=$3 status=fails
	start_mount
	seed t 1 2 3
	ids >ids.before
	mark
	expect_status 0 "$good" "$MNT/t/documents.jsonl"
	expect_numbers t 10 2 3
	expect_committed replace 3
	ids | cmp - ids.before

	documents t >before
	mark
	[ "$seen" = seen ] || status=0
	expect_status $status "$bad" "$MNT/t/documents.jsonl"
	documents t >after
	expect_file after before
	expect_match "record" \
		"$(imports | tail -n "+$((MARK + 1))" | head -n 1)" \
		'"state":"failed"' 'row 2'
	expect_alive
}

GOOD='1s/"n":1\.0/"n":10.0/' BAD='2s/}$/,/'

sed_good() { sed -i "$GOOD" "$1"; }
sed_bad() { sed -i "$BAD" "$1"; }
sed_bak_good() { sed -i.bak "$GOOD" "$1"; }
sed_bak_bad() { sed -i.bak2 "$BAD" "$1"; }
busybox_good() { busybox sed -i "$GOOD" "$1"; }
busybox_bad() { busybox sed -i "$BAD" "$1"; }
perl_good() { perl -i -pe 's/"n":1\.0/"n":10.0/' "$1"; }
perl_bad() { perl -i -pe 's/}$/,/ if $. == 2' "$1"; }
perl_bak_good() { perl -i.bak -pe 's/"n":1\.0/"n":10.0/' "$1"; }
perl_bak_bad() { perl -i.bak2 -pe 's/}$/,/ if $. == 2' "$1"; }
gawk_good() {
	gawk -i inplace '{ sub(/"n":1\.0/, "\"n\":10.0"); print }' "$1"
}
gawk_bad() { gawk -i inplace 'NR == 2 { sub(/}$/, ",") } { print }' "$1"; }
ed_good() { printf '%s\nw\nq\n' "$GOOD" | ed -s "$1"; }
ed_bad() { printf '%s\nw\nq\n' "$BAD" | ed -s "$1"; }
jq_good() {
	jq -c 'if .n == 1 then .n = 10 else . end' "$1" | sponge "$1"
}
jq_bad() {
	sed "$BAD" "$1" | sponge "$1"
}

case_W6_sed_i() { prove_editor seen sed_good sed_bad; }
case_W6_sed_i_bak() { prove_editor seen sed_bak_good sed_bak_bad; }
case_W6_busybox_sed_i() {
	need busybox
	prove_editor seen busybox_good busybox_bad
}
case_W6_perl_i() { prove_editor seen perl_good perl_bad; }
case_W6_perl_i_bak() { prove_editor seen perl_bak_good perl_bak_bad; }
case_W6_gawk_i() {
	need gawk
	prove_editor seen gawk_good gawk_bad
}
case_W4_ed() {
	need ed
	prove_editor seen ed_good ed_bad
}
case_W4_jq_sponge() {
	need jq sponge
	prove_editor seen jq_good jq_bad
}

# The copy that an editor keeps is a plain file beside the table.
case_W6_backup_of_sed_holds_the_old_contents() {
	start_mount
	seed t 1 2
	documents t >before
	sed -i.bak 's/"n":1\.0/"n":7.0/' "$MNT/t/documents.jsonl"
	expect_numbers t 7 2
	expect_file "$MNT/t/documents.jsonl.bak" before
	rm "$MNT/t/documents.jsonl.bak"
	expect_numbers t 7 2
}

# --- vim ---

# vim_edit FILE SETTING COMMAND
vim_edit() {
	timeout 20 vim -Nes -u NONE -i NONE -c "set backupskip= $2" \
		-c "$3" -c 'wq' "$1" </dev/null
}
vim_good() { vim_edit "$1" "" "$GOOD"; }
vim_bad() { vim_edit "$1" "" "$BAD"; }
vim_rename_good() { vim_edit "$1" backupcopy=no "$GOOD"; }
vim_rename_bad() { vim_edit "$1" backupcopy=no "$BAD"; }
vim_copy_good() { vim_edit "$1" backupcopy=yes "$GOOD"; }
vim_copy_bad() { vim_edit "$1" backupcopy=yes "$BAD"; }
vim_plain_good() { vim_edit "$1" nowritebackup "$GOOD"; }
vim_plain_bad() { vim_edit "$1" nowritebackup "$BAD"; }

case_W8_vim() {
	need vim
	prove_editor seen vim_good vim_bad
}
case_W8_vim_renames_the_old_file() {
	need vim
	prove_editor seen vim_rename_good vim_rename_bad
}
# In these two it checks that it opens the very file that it has looked at.
case_W8_vim_copies_the_old_file() {
	need vim
	prove_editor seen vim_copy_good vim_copy_bad
}
case_W8_vim_without_backup() {
	need vim
	prove_editor seen vim_plain_good vim_plain_bad
}
case_W8_vim_leaves_nothing_behind() {
	start_mount
	need vim
	local setting
	for setting in "" backupcopy=no backupcopy=yes nowritebackup; do
		seed t 1 2
		vim_edit "$MNT/t/documents.jsonl" "$setting" "$GOOD"
		expect_text "listing of t" "$(listing t)" \
			"documents.jsonl generated_schema.jsonl "
	done
}

# --- sort, sponge, split ---

# Deployments elsewhere keep no order of rows but that of their ids (T-2): the
# rows are the same there, and stand as they stood.
expect_reversed() {
	if [ "$KIND" = embedded ]; then
		sort -r "$1" | cmp - "$MNT/t/documents.jsonl"
	else
		cmp "$1" "$MNT/t/documents.jsonl"
	fi
}

case_W8_sort_o_changes_the_order_only() {
	start_mount
	local pad=0123456789abcdef
	mkdir "$MNT/t"
	seq 3 | sed "s/.*/{\"a\":&,\"n\":&,\"pad\":\"$pad\"}/" |
		cat >"$MNT/t/documents.jsonl"
	cat "$MNT/t/documents.jsonl" >before
	mark
	sort -r -o "$MNT/t/documents.jsonl" "$MNT/t/documents.jsonl"
	expect_committed replace 3
	expect_text "n" "$(numbers t | sort -n | tr '\n' ' ')" "1 2 3 "
	expect_reversed before
}

case_W8_sort_o_of_large_tables() {
	start_mount
	make_rows 1 3000 >good.jsonl
	mkdir "$MNT/t"
	cp good.jsonl "$MNT/t/documents.jsonl"
	cat "$MNT/t/documents.jsonl" >before
	mark
	sort -r -o "$MNT/t/documents.jsonl" "$MNT/t/documents.jsonl"
	expect_committed replace 3000
	expect_reversed before
}

write_sponge() { sponge "$2" <"$1"; }
write_sort() { sort -t: -k2n -o "$2" "$1"; }
write_jq() { jq -c . "$1" >"$2"; }

case_W4_sponge() {
	need sponge
	prove_writer seen replace write_sponge
}
case_W4_sort_o_from_elsewhere() {
	prove_writer seen append write_sort data.append.jsonl
}

# jq reads all of its input before it stops at the row that is none.
case_W4_jq() {
	start_mount
	make_rows 1 3000 >good.jsonl
	seed t 1 2
	mark
	write_jq good.jsonl "$MNT/t/documents.jsonl"
	expect_committed replace 3000
	numbers t | cmp - <(seq 3000)
}

# It writes the old contents and the new: a replace that keeps what was there.
case_W4_sponge_a() {
	start_mount
	need sponge
	seed t 1 2
	ids >ids.before
	mark
	echo '{"n":3}' | sponge -a "$MNT/t/documents.jsonl"
	expect_numbers t 1 2 3
	expect_imports 1 completed
	ids | head -n 2 | cmp - ids.before
}

# --- truncate, touch ---

case_W7_truncate_to_nothing_clears() {
	start_mount
	seed t 1 2
	mark
	truncate -s 0 "$MNT/t/documents.jsonl"
	expect_rows t 0
	expect_committed replace 0
}

case_W7_truncate_to_a_length_is_refused() {
	start_mount
	seed t 1 2
	documents t >before
	expect_status fails truncate -s 20 "$MNT/t/documents.jsonl"
	documents t | cmp - before
	expect_alive
}

case_W7_truncate_by_path() {
	start_mount
	seed t 1 2
	documents t >before
	mark
	expect_refused 'Invalid argument' "$PYTHON" -c \
		'import os, sys; os.truncate(sys.argv[1], 20)' \
		"$MNT/t/documents.jsonl"
	documents t | cmp - before
	expect_imports 0
	"$PYTHON" -c 'import os, sys; os.truncate(sys.argv[1], 0)' \
		"$MNT/t/documents.jsonl"
	expect_rows t 0
	expect_committed replace 0
}

case_W4_touch_imports_nothing() {
	start_mount
	seed t 1 2
	stat -c %y "$MNT/t/documents.jsonl" >before
	mark
	touch "$MNT/t/documents.jsonl"
	touch -d 2001-01-01 "$MNT/t/documents.jsonl"
	touch "$MNT/t/new.jsonl" "$MNT/new.csv" "$MNT/t/scratch"
	expect_imports 0
	expect_numbers t 1 2
	stat -c %y "$MNT/t/documents.jsonl" | cmp - before
	rm "$MNT/t/new.jsonl" "$MNT/new.csv" "$MNT/t/scratch"
	expect_imports 0
	test ! -e "$MNT/new"
}

run_cases "$@"
