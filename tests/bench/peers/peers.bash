# shellcheck shell=bash
# shellcheck disable=SC2016 # backquotes in labels are Markdown
#
# peers: the programs that scripts/bench compares with, sourced by it.
#
# setup_PEER installs and starts one, under $memory (or $disk where it must be
# durable), or says in missing[PEER] why it cannot be measured; stop_peers ends
# what was started. run_PEER_KIND imports $input of $rows rows once and sets
# us, the microseconds it took; what comes before or after is not counted.
#
# Each peer gets the form of its import that was fastest of those tried, and
# what is not its work is left out: the start of Node, PostgreSQL's checkpoint.

declare -A missing=() label=()
declare -r peers=(passthrough node duckdb sqlite postgres)

label[passthrough]='`cp` through libfuse'\''s `passthrough_ll`'
label[node]='Node, `JSON.parse` of each line and nothing else'
label[duckdb_objects]='DuckDB `read_ndjson_objects` into a database file'
label[duckdb_json]='DuckDB `read_json` into a database file'
label[duckdb_memory]='DuckDB `read_ndjson_objects`, nothing stored'
label[sqlite_raw]='SQLite `.import` of raw lines, unchecked'
label[sqlite_json]='SQLite `.import` + `json()`'
label[postgres_jsonb]='PostgreSQL `\copy` jsonb, durable'
label[postgres_uuid]='PostgreSQL `\copy` jsonb with uuid key, durable'
label[postgres_csv]='PostgreSQL `\copy` CSV, typed columns, durable'

# --- libfuse's passthrough_ll: what FUSE itself costs -----------------------

setup_passthrough()
{
	local source=/usr/share/doc/libfuse3-dev/examples/passthrough_ll.c flags

	# Some images leave documentation out; the package has the file.
	if [ ! -r "$source" ]; then
		(cd "$memory" && apt-get -qq download libfuse3-dev &&
			dpkg-deb -x libfuse3-dev_*.deb libfuse3-dev) \
			>>"$log" 2>&1
		source=$memory/libfuse3-dev$source
	fi
	flags=$(pkg-config --cflags --libs fuse3)
	# shellcheck disable=SC2086 # flags are several words
	if ! gcc -O2 "$source" -o "$memory/passthrough_ll" $flags \
		>>"$log" 2>&1; then
		missing[passthrough]='its source could not be had or built'
		return
	fi
	mkdir "$memory/pass" "$memory/pass-source"
	version[passthrough]="libfuse $(pkg-config --modversion fuse3)"
}

# In the foreground, as convexfs: on a busy machine a daemon of its own session
# would get a larger share of the processor.
mount_passthrough()
{
	"$memory/passthrough_ll" -f -o "source=$memory/pass-source" \
		"$memory/pass" >>"$log" 2>&1 &
	daemon[passthrough]=$!
	wait_for_mount "$memory/pass" "${daemon[passthrough]}"
}

unmount_passthrough()
{
	unmount "$memory/pass"
	if [ -n "${daemon[passthrough]-}" ]; then
		wait "${daemon[passthrough]}"
		unset 'daemon[passthrough]'
	fi
}

run_passthrough()
{
	mount_passthrough || return
	rm -f "$memory/pass/rows"
	timed cp "$input" "$memory/pass/rows" &&
		cmp -s "$input" "$memory/pass-source/rows"
	local status=$?
	unmount_passthrough
	return "$status"
}

# --- Node and DuckDB: packages of npm --------------------------------------

# Installs as the lock file says, once, into the build folder. (Not `npm ci`:
# it wants the binaries of every other system in the lock file, too.)
install_npm()
{
	local dir=$build/peers

	if ! command -v npm >>"$log"; then
		printf 'npm is not installed\n' >>"$log"
		return 1
	fi
	mkdir -p "$dir" || return
	cmp -s tests/bench/peers/package-lock.json "$dir/installed.json" &&
		return
	cp tests/bench/peers/package{,-lock}.json "$dir" &&
		npm install --prefix "$dir" --no-audit --no-fund \
			>>"$log" 2>&1 &&
		cp tests/bench/peers/package-lock.json "$dir/installed.json"
}

setup_node()
{
	if ! command -v node >>"$log"; then
		missing[node]='Node is not installed'
		return
	fi
	version[node]="Node $(node --version)"
}

setup_duckdb()
{
	if [ -n "${missing[node]-}" ]; then
		missing[duckdb]=${missing[node]}
	elif ! install_npm; then
		missing[duckdb]='its npm package could not be installed'
	else
		version[duckdb]="DuckDB $(jq -r \
			'.packages["node_modules/@duckdb/node-api"].version' \
			tests/bench/peers/package-lock.json)"
	fi
}

# Runs a script that prints its seconds itself.
timed_node()
{
	local seconds

	seconds=$(NODE_PATH=$build/peers/node_modules node "$@") || return
	us=$(awk -v s="$seconds" 'BEGIN { printf "%.0f", s * 1e6 }')
}

run_node()
{
	timed_node tests/bench/peers/parse-lines.js "$input" "$rows"
}

run_duckdb()
{
	local reader=$1 database=$2 status

	rm -f "$memory"/duckdb.*
	timed_node tests/bench/peers/duckdb-import.js "$reader" "$input" \
		"$rows" "$database"
	status=$?
	rm -f "$memory"/duckdb.*
	return "$status"
}

run_duckdb_objects()
{
	run_duckdb read_ndjson_objects "$memory/duckdb.db"
}

run_duckdb_json()
{
	run_duckdb read_json "$memory/duckdb.db"
}

run_duckdb_memory()
{
	run_duckdb read_ndjson_objects :memory:
}

# --- SQLite ----------------------------------------------------------------

setup_sqlite()
{
	if ! command -v sqlite3 >>"$log"; then
		missing[sqlite]='sqlite3 is not installed'
		return
	fi
	version[sqlite]="SQLite $(sqlite3 --version | cut -d ' ' -f 1)"
}

# A view with a trigger checks each line on its way, which is faster than a
# second table.
run_sqlite()
{
	local into=$1 db=$memory/rows.sqlite3 count

	rm -f "$db"
	sqlite3 "$db" 'CREATE TABLE t(doc TEXT)' \
		'CREATE VIEW checked AS SELECT doc FROM t' \
		'CREATE TRIGGER check_json INSTEAD OF INSERT ON checked
		 BEGIN INSERT INTO t VALUES(json(new.doc)); END' || return
	timed sqlite3 "$db" '.mode ascii' '.separator "\037" "\n"' \
		".import '$input' $into" || return
	count=$(sqlite3 "$db" 'SELECT count(*) FROM t')
	rm -f "$db"
	[ "$count" = "$rows" ]
}

run_sqlite_raw()
{
	run_sqlite t
}

run_sqlite_json()
{
	run_sqlite checked
}

# --- PostgreSQL: a cluster of our own, on disk, without network ------------

declare -r pg_bin=/usr/lib/postgresql/15/bin

# PostgreSQL refuses to run as root.
as_postgres()
{
	if [ "$(id -u)" -eq 0 ]; then
		setpriv --reuid=postgres --regid=postgres --clear-groups "$@"
	else
		"$@"
	fi
}

in_postgres()
{
	psql -qAtX -h "$disk/pg" -U postgres -v ON_ERROR_STOP=1 -c "$1"
}

setup_postgres()
{
	local cluster=$disk/pg options

	if [ ! -x "$pg_bin/initdb" ]; then
		missing[postgres]='postgresql-15 is not installed'
		return
	fi
	mkdir "$cluster"
	[ "$(id -u)" -ne 0 ] || chown postgres "$cluster"
	options="-k $cluster -c listen_addresses= -c shared_buffers=1GB"
	options+=' -c max_wal_size=8GB -c checkpoint_timeout=1h'
	if ! { as_postgres "$pg_bin/initdb" -D "$cluster/data" -U postgres \
		-A trust -E UTF8 --locale=C.UTF-8 --no-sync &&
		as_postgres "$pg_bin/pg_ctl" -D "$cluster/data" -w \
			-l "$cluster/log" -o "$options" start; } \
		>>"$log" 2>&1; then
		missing[postgres]='its cluster does not start'
		return
	fi
	in_postgres 'CREATE TABLE jsonb(doc jsonb)'
	in_postgres 'CREATE TABLE uuid(id uuid PRIMARY KEY
		DEFAULT gen_random_uuid(), doc jsonb)'
	in_postgres 'CREATE TABLE csv(account bigint, name text, email text,
		age int, city text, plan text, "isActive" boolean,
		balance float8, "signedUpAt" bigint, score float8)'
	version[postgres]="PostgreSQL $(in_postgres 'SHOW server_version' |
		cut -d ' ' -f 1)"
}

stop_postgres()
{
	[ ! -f "$disk/pg/data/postmaster.pid" ] ||
		as_postgres "$pg_bin/pg_ctl" -D "$disk/pg/data" -w -m fast \
			stop >>"$log" 2>&1
}

run_postgres()
{
	local table=$1 copy=$2

	in_postgres "TRUNCATE $table" && in_postgres CHECKPOINT &&
		sync -f "$disk" && timed in_postgres "$copy" &&
		[ "$(in_postgres "SELECT count(*) FROM $table")" = "$rows" ]
}

# Quote and delimiter are bytes that JSON text cannot have, so a line is a cell.
run_postgres_jsonb()
{
	run_postgres jsonb "\\copy jsonb(doc) from '$input' with
		(format csv, quote e'\\x01', delimiter e'\\x02')"
}

run_postgres_uuid()
{
	run_postgres uuid "\\copy uuid(doc) from '$input' with
		(format csv, quote e'\\x01', delimiter e'\\x02')"
}

run_postgres_csv()
{
	run_postgres csv "\\copy csv from '$input' with (format csv, header)"
}

# ---------------------------------------------------------------------------

setup_peers()
{
	local peer

	for peer in "${peers[@]}"; do
		"setup_$peer"
	done
}

stop_peers()
{
	stop_postgres
	unmount_passthrough
}
