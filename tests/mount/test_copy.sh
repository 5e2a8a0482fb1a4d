#!/usr/bin/env bash
# Programs that copy, download and unpack into the mount (W-4; what each sees
# of a failed import: fuse-facts.md a1).
# shellcheck source=tests/mount/lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"

# --- cp ---

write_cp() { cp "$1" "$2"; }
write_cp_p() { cp -p "$1" "$2"; }
write_cp_a() { cp -a "$1" "$2"; }
write_cp_force() { cp -f "$1" "$2"; }

case_W4_cp_over_existing() { prove_writer seen replace write_cp; }
case_W4_cp_new() { prove_writer seen append write_cp data.append.jsonl; }
case_W4_cp_p_over_existing() { prove_writer seen replace write_cp_p; }
case_W4_cp_p_new() { prove_writer seen append write_cp_p data.append.jsonl; }
case_W4_cp_a_over_existing() { prove_writer seen replace write_cp_a; }
case_W4_cp_a_new() { prove_writer seen append write_cp_a data.append.jsonl; }
case_W4_cp_f() { prove_writer seen replace write_cp_force; }

case_W4_cp_within_the_mount() {
	start_mount
	make_rows 1 3000 >good.jsonl
	mkdir "$MNT/t" "$MNT/u"
	cp good.jsonl "$MNT/t/documents.jsonl"
	mark
	sed -E 's/"_(id|creationTime)":[^,]*,//g' \
		"$MNT/t/documents.jsonl" >"$MNT/t/scratch"
	cp "$MNT/t/scratch" "$MNT/u/documents.jsonl"
	expect_committed replace 3000
	numbers u | cmp - <(seq 3000)
}

# The copy of a drop to the root of the mount (the table's name is the file's).
case_W4_cp_of_many_to_the_root() {
	start_mount
	local name
	for name in apples pears plums; do
		make_rows 1 10 >$name.jsonl
	done
	mark
	cp apples.jsonl pears.jsonl plums.jsonl "$MNT/"
	expect_imports 3 completed
	for name in apples pears plums; do
		expect_rows $name 10
	done
}

case_W4_cp_of_nothing_empties_the_table() {
	start_mount
	seed t 1 2
	mark
	cp /dev/null "$MNT/t/documents.jsonl"
	expect_committed replace 0
	expect_rows t 0
}

# The backup that it makes is a plain copy beside the table.
case_W6_cp_b() {
	start_mount
	make_inputs
	seed t 1 2
	documents t >before
	mark
	cp -b good.jsonl "$MNT/t/documents.jsonl"
	expect_committed replace 3000
	expect_file "$MNT/t/documents.jsonl~" before
	expect_refused 'Invalid argument' \
		cp -b bad.jsonl "$MNT/t/documents.jsonl"
	expect_rows t 3000
}

write_cp_remove() { cp --remove-destination "$1" "$2"; }
case_W4_cp_remove_destination() { prove_writer seen replace write_cp_remove; }

# The folder that they make is not empty; they expect it to be.
prove_new_folder() {
	start_mount
	mkdir -p tables/t
	make_rows 1 10 >tables/t/documents.jsonl
	echo '"uniform"' >tables/t/generated_schema.jsonl
	"$@" tables/t "$MNT/"
	expect_rows t 10
	expect_status fails mkdir "$MNT/t"
	expect_text "listing" "$(listing t)" \
		"documents.jsonl generated_schema.jsonl "
}

case_M5_cp_r_of_a_folder_makes_a_table() { prove_new_folder cp -r; }
case_M5_cp_a_of_a_folder_makes_a_table() { prove_new_folder cp -a; }
case_M5_mv_of_a_folder_makes_a_table() { prove_new_folder mv; }

case_W3_cp_of_a_table_onto_itself() {
	start_mount
	seed t 1 2
	mark
	expect_refused 'same file' \
		cp "$MNT/t/documents.jsonl" "$MNT/t/documents.jsonl"
	expect_imports 0
	expect_numbers t 1 2
}

# --- mv ---

write_mv() { cp "$1" moved && mv moved "$2"; }

case_W4_mv_from_outside_over_existing() { prove_writer seen replace write_mv; }
case_W4_mv_from_outside_new() {
	prove_writer seen append write_mv data.append.jsonl
}

case_W4_mv_from_outside_keeps_its_source_when_refused() {
	start_mount
	make_inputs
	mkdir "$MNT/t"
	cp bad.jsonl moved
	expect_refused 'Invalid argument' mv moved "$MNT/t/documents.jsonl"
	expect_file moved bad.jsonl
}

case_W6_mv_within_is_the_commit() {
	start_mount
	make_inputs
	seed t 1 2
	mark
	cp good.jsonl "$MNT/t/scratch"
	expect_imports 0
	expect_numbers t 1 2
	mv "$MNT/t/scratch" "$MNT/t/documents.jsonl"
	expect_committed replace 3000
	numbers t | cmp - <(seq 3000)
	test ! -e "$MNT/t/scratch"
}

# --- install ---

write_install() { install -m 644 "$1" "$2"; }

case_W4_install_over_existing() { prove_writer seen replace write_install; }
case_W4_install_new() {
	prove_writer seen append write_install data.append.jsonl
}

# --- dd ---

write_dd() { dd if="$1" of="$2" bs=64k; }
write_dd_append() { dd if="$1" of="$2" oflag=append conv=notrunc bs=64k; }
write_dd_fsync() { dd if="$1" of="$2" bs=1M conv=fsync; }

case_W4_dd() { prove_writer seen replace write_dd; }
case_W4_dd_append() { prove_writer seen append write_dd_append; }
case_W4_dd_fsync() { prove_writer seen replace write_dd_fsync; }

# --- tee ---

write_tee() { tee "$2" <"$1" >/dev/null; }
write_tee_append() { tee -a "$2" <"$1" >/dev/null; }

case_W4_tee() { prove_writer seen replace write_tee; }
case_W4_tee_a() { prove_writer seen append write_tee_append; }

case_W4_tee_to_two_tables() {
	start_mount
	make_rows 1 3000 >good.jsonl
	mkdir "$MNT/t" "$MNT/u"
	mark
	tee "$MNT/t/documents.jsonl" "$MNT/u/documents.jsonl" \
		<good.jsonl >/dev/null
	expect_imports 2 completed
	expect_rows t 3000
	expect_rows u 3000
}

# --- curl, wget ---

write_curl_file() { curl -sS -o "$2" "file://$PWD/$1"; }

# serve COMMAND...: with an HTTP server on $PORT for the current folder.
serve() {
	local server status=0
	rm -f port
	"$PYTHON" -c '
import functools, http.server, sys
class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
print(server.server_port, flush=True)
server.serve_forever()
' >port 2>/dev/null &
	server=$!
	await 20 test -s port
	PORT=$(cat port)
	"$@" || status=$?
	kill $server
	wait $server 2>/dev/null || :
	return $status
}
fetch_curl() { curl -sS -o "$2" "http://127.0.0.1:$PORT/$1"; }
fetch_wget() { wget -q -O "$2" "http://127.0.0.1:$PORT/$1"; }
fetch_busybox() { busybox wget -q -O "$2" "http://127.0.0.1:$PORT/$1"; }
write_curl() { serve fetch_curl "$@"; }
write_wget() { serve fetch_wget "$@"; }
write_busybox_wget() { serve fetch_busybox "$@"; }

case_W4_curl_file() { prove_writer seen replace write_curl_file; }
case_W4_curl_http() { prove_writer seen replace write_curl; }
case_W4_curl_new() { prove_writer seen append write_curl data.append.jsonl; }
case_W4_wget() {
	need wget
	prove_writer seen replace write_wget
}

# --- unpacking ---

write_tar() {
	cp "$1" "${2##*/}" && tar -cf in.tar "${2##*/}" &&
		tar -xf in.tar -C "${2%/*}"
}
write_bsdtar() {
	cp "$1" "${2##*/}" && tar -cf in.tar "${2##*/}" &&
		bsdtar -xf in.tar -C "${2%/*}"
}
write_unzip() {
	rm -f in.zip && cp "$1" "${2##*/}" && zip -q in.zip "${2##*/}" &&
		unzip -q -o in.zip -d "${2%/*}"
}

case_W4_tar_x_over_existing() { prove_writer seen replace write_tar; }
case_W4_tar_x_new() { prove_writer seen append write_tar data.append.jsonl; }
case_W4_bsdtar_x() {
	need bsdtar
	prove_writer silent append write_bsdtar data.append.jsonl
}
case_W4_unzip_over_existing() {
	need zip unzip
	prove_writer silent replace write_unzip
}
case_W4_unzip_new() {
	need zip unzip
	prove_writer silent append write_unzip data.append.jsonl
}

# --- busybox ---

write_busybox_cp() { busybox cp "$1" "$2"; }
write_busybox_tee() { busybox tee "$2" <"$1" >/dev/null; }
write_busybox_dd() { busybox dd if="$1" of="$2" bs=64k; }

case_W4_busybox_cp() {
	need busybox
	prove_writer seen replace write_busybox_cp
}
case_W4_busybox_dd() {
	need busybox
	prove_writer seen replace write_busybox_dd
}
case_W4_busybox_tee() {
	need busybox
	prove_writer silent replace write_busybox_tee
}
case_W4_busybox_wget() {
	need busybox
	prove_writer seen replace write_busybox_wget
}

run_cases "$@"
