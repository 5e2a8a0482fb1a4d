# shellcheck shell=bash
#
# goals: what figures are held against, in the order of the README; sourced by
# scripts/bench.

print_goals()
{
	goal 'cp D1' 'DuckDB `read_ndjson_objects`' max 0.40 \
		"$(ratio D1/ours_memory D1/duckdb_objects)"
	goal 'cp D1' '`passthrough_ll`' max 1.8 \
		"$(ratio D1/ours_memory D1/passthrough)"
	goal 'cp D1' 'Node `JSON.parse` of each line' max 0.45 \
		"$(ratio D1/ours_memory D1/node)"
	goal 'cp D1' 'SQLite `.import` + `json()`' max 0.25 \
		"$(ratio D1/ours_memory D1/sqlite_json)"
	goal 'D1, durable on disk' 'PostgreSQL `\copy` jsonb' max 0.20 \
		"$(ratio durable/ours_disk durable/postgres_jsonb)"
	goal 'D1, durable on disk' 'PostgreSQL `\copy` jsonb, uuid key' max 0.10 \
		"$(ratio durable/ours_disk durable/postgres_uuid)"
	goal 'D1, durable on disk' 'the same, memory-backed' max 1.35 \
		"$(ratio durable/ours_disk durable/ours_memory)"
	goal 'cp D5 (CSV), durable' 'PostgreSQL `\copy`, typed columns' max 0.7 \
		"$(ratio csv/ours_disk csv/postgres_csv)"
	goal 'rate of `cat documents.jsonl`' '`passthrough_ll`' min 1.5 \
		"$(ratio cat/passthrough_cat cat/ours_cat)"
	goal 'last close, D1' 'the whole copy' max 20 \
		"$(median close/D1/memory)" %
	goal 'last close, D1id' 'the whole copy' max 20 \
		"$(median close/D1id/memory)" %
	goal 'scanner, D1' 'instructions a row' max 5500 \
		"$(median instructions/D1)" ''
	goal 'scanner, D3' 'instructions a row' max 55000 \
		"$(median instructions/D3)" ''
	goal 'bytes stored, D1' 'bytes shown' max 1.10 "$(median size/D1)"
	goal 'bytes stored, D1id' 'bytes shown' max 1.10 "$(median size/D1id)"
	goal 'memory, large file, D1' 'idle mount' max 64 \
		"$(median memory/D1)" MiB
	goal 'memory, large file, D1id' 'idle mount + 24 B a row' max 64 \
		"$(median memory/D1id)" MiB
	goal 'restoring one table of a backup' 'libzip reading the entry' \
		max 1.15 "$(ratio restore/backup/zlib restore/backup/libzip)"
	goal 'restoring one table of a backup, isa-l' \
		'libzip reading the entry' max 0.6 \
		"$(ratio restore/backup/isal restore/backup/libzip)"
	goal 'restoring one table, D1' 'libzip reading the entry' max 1.15 \
		"$(ratio restore/D1/zlib restore/D1/libzip)"
	goal 'restoring one table, D1, isa-l' 'libzip reading the entry' \
		max 0.6 "$(ratio restore/D1/isal restore/D1/libzip)"
	goal 'restoring 40 tables' 'the same with one processor' max 0.65 \
		"$(ratio restore/tables/all restore/tables/one)"
	goal 'memory, restoring, D1' 'before' max 64 \
		"$(median restore/D1/zlib/mib)" MiB
	goal 'memory, restoring, D1id' 'before, + 24 B a row' max 64 \
		"$(awk -v m="$(median restore/D1id/zlib/mib)" \
			-v n="$((restore_bytes / 272))" 'BEGIN {
			if (m != "") printf "%.1f", m - n * 24 / 2^20 }')" MiB

	goal 'export with stored files, isa-l' '`zip -1` of the same files' \
		max 0.4 "$(ratio export/export_isal export/zip_files)"
	goal 'export with stored files, zlib' '`zip -1` of the same files' \
		max 1.2 "$(ratio export/export_zlib export/zip_files)"
	goal 'memory, export' 'idle mount' max 64 \
		"$(spread memory/export | cut -d ' ' -f 3)" MiB

	goal 'processor time of an upload, server' '`convexfs import`' max 1.5 \
		"$(ratio serve/cpu/server serve/cpu/import)"

	goal '`cp` into a mount of `convexfs serve`' '`convexfs import`' max 1.3 \
		"$(ratio serve/servedcp serve/import)"
	goal 'requests of opening a cached table' 'behind a URL' max 1 \
		"$(median cached/requests)" ''
	goal 'the first byte of it' 'from `head` being started' max 20 \
		"$(awk -v t="$(median cached/byte)" 'BEGIN {
			if (t != "") printf "%.1f", t / 1e3 }')" ms
	goal 'upload, 50 ms there and back' '`npx convex import`' max 0.5 \
		"$(ratio link/linkimport link/linkclient)"

	printf '\n### Goals\n\n'
	[ "$rows_full" -ge 1000000 ] ||
		printf 'They are meant for 1,000,000 rows, not %s.\n\n' \
			"$(group "$rows_full")"
	printf '| work | against | goal | measured | |\n|---|---|---|---|---|\n'
	printf '%s\n' "${goals[@]}"
}
