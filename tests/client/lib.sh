# shellcheck shell=bash
#
# lib: what the tests with Convex's own client share, on top of those of mounts
# (tests/mount/lib.sh). A case starts a server on a port that is free, talks to
# it with the client or with curl, and looks at what the deployment holds
# through a mount.
#
# Cases see, besides: $URL, $KEY of the server that was started last.
# Environment:
#   CVX_CLIENT  the folder with node_modules (this one)

CLIENT=${CVX_CLIENT:-$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)}
SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/mount/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../mount/lib.sh"

export CI=1 NO_COLOR=1

# Installed where the machine's own is too old for the client.
for dir in "$CLIENT"/node/node_modules/node-linux-*/bin; do
	[ ! -x "$dir/node" ] || PATH=$dir:$PATH
done

# At $PORT, where it can be started again.
start_server() {
	find_port
	start_server_at "127.0.0.1:$PORT"
}

# start_server_at ADDR:PORT [OPTION...]: port 0 is any that is free.
start_server_at() {
	launch_server "$STATE" "$@"
}

# It must end with status 0.
stop_server() {
	local status=0
	kill -TERM "$SERVER"
	wait "$SERVER" || status=$?
	[ $status -eq 0 ] || fail "the server ended with status $status"
}

kill_server() {
	kill -KILL "$SERVER"
	wait "$SERVER" 2>/dev/null || :
}

# The client itself. It wants to be called in a project that depends on it.
cli() {
	need node "$CLIENT/node_modules/convex/bin/main.js"
	[ -e package.json ] ||
		echo '{"dependencies":{"convex":"*"}}' >package.json
	timeout 150 node "$CLIENT/node_modules/convex/bin/main.js" "$@" \
		--url "$URL" --admin-key "$KEY" </dev/null
}

# expect_cli STATUS ARGUMENT...: what it says goes to the file "said".
expect_cli() {
	local want=$1
	shift
	expect_status "$want" cli "$@"
}

# start_way [OPTION...]: a way to the server, with what may go wrong on it
# (tests/mount/way.py): $THROUGH is its URL, $WAY its process.
start_way() {
	rm -f port
	"$PYTHON" "$SOURCE/../mount/way.py" "$@" "${URL#http://}" >port \
		2>>"$DIR/.log.way" &
	WAY=$!
	await 10 test -s port
	THROUGH=http://127.0.0.1:$(cat port)
}

stop_way() {
	kill "$WAY" 2>/dev/null || :
	wait "$WAY" 2>/dev/null || :
}

# The client between which and the server a fault happens (proxy.cjs). What is
# asked for goes to the file "asked".
through_fault() {
	need node "$CLIENT/node_modules/convex/bin/main.js"
	: >asked
	CLIENT=$CLIENT node "$SOURCE/proxy.cjs" "$1" "${URL##*:}" >>asked &
	await 20 grep -q '^proxy at ' asked
	URL=$(sed -n 's/^proxy at //p' asked)
}

# How often it was asked for: METHOD PATH STATUS.
expect_asked() {
	expect_text "how often $2" "$(grep -cE "^$2" asked)" "$1"
}

# --- the same by convexfs import -------------------------------------------

# A second deployment beside that of start_server and start_mount, for what
# `convexfs import` makes of the same files. It is mounted at $TWIN.
start_twin() {
	TWIN=$DIR/twin.mnt
	start_mount_at "$DIR/twin" "$TWIN"
}

# expect_both STATUS ARGUMENT...: as expect_cli 0 or 1 import; then `convexfs
# import` does or refuses the same, and both deployments show the same
# documents, but for what is assigned. What it says goes to "said.import".
expect_both() {
	local want=$1
	shift
	expect_cli "$want" import "$@"
	mv said said.client
	[ "$want" -eq 0 ] || want=fails
	expect_status "$want" "$CVX_BIN" import "$@" --source "local:$DIR/twin" \
		</dev/null
	mv said said.import
	cp said.client said
	expect_twins
}

expect_twins() {
	show_documents "$MNT" >.documents
	show_documents "$TWIN" >.documents.twin
	expect_file .documents .documents.twin
}

show_documents() (
	cd "$1"
	find . -path '*/_tables' -prune -o -path '*/_storage' -prune -o \
		-name documents.jsonl -print | sort |
		while read -r file; do
			echo "$file"
			jq -cS 'del(._id, ._creationTime)' "$file"
		done
)

# --- by hand ---------------------------------------------------------------

# call METHOD PATH [CURL ARGUMENT...]: prints the status, then the body.
call() {
	local method=$1 path=$2
	shift 2
	curl -sS -X "$method" -o "$DIR/.body" -w '%{http_code} ' \
		-H "Authorization: Convex $KEY" "$@" "$URL$path"
	cat "$DIR/.body"
	: >"$DIR/.body"
}

post() {
	call POST "$1" -H 'Content-Type: application/json' -d "$2"
}

# query PATH ARGS: the value, in the encoding of the socket.
query() {
	post /api/query "{\"path\":\"$1\",\"args\":$2,\"format\":\"convex_encoded_json\"}" |
		sed 's/^200 //' | jq -ce .value
}

# expect_call "STATUS PATTERN" CALL...
expect_call() {
	local pattern=$1 got
	shift
	got=$("$@")
	[[ $got =~ ^$pattern ]] || fail "got '$got', not '$pattern': $*"
}

# upload FILE [PART SIZE]: sets $UPLOAD and $PARTS, a JSON array.
upload() {
	local file=$1 size=${2:-1000000} part n=1
	UPLOAD=$(post /api/import/start_upload '' | sed 's/^200 //' |
		jq -re .uploadToken)
	split -b "$size" "$file" "$DIR/.part."
	PARTS=[]
	for part in "$DIR"/.part.*; do
		PARTS=$(call POST "/api/import/upload_part?uploadToken=$UPLOAD&partNumber=$n" \
			--data-binary "@$part" | sed 's/^200 //' |
			jq -ce --argjson parts "$PARTS" '$parts + [.]')
		n=$((n + 1))
	done
	rm "$DIR"/.part.*
}

# finish TABLE MODE [FORMAT]: the import's id to $IMPORT.
finish() {
	IMPORT=$(post /api/import/finish_upload "{\"import\":{\"tableName\":\"$1\",
		\"mode\":\"$2\",\"format\":\"${3:-jsonLines}\"},
		\"uploadToken\":\"$UPLOAD\",\"partTokens\":$PARTS}" |
		sed 's/^200 //' | jq -re .importId)
}

state_of() {
	query _system/cli/queryImport "{\"importId\":\"$1\"}" |
		jq -re .state.state
}

has_state() {
	[ "$(state_of "$1")" = "$2" ]
}

expect_state() {
	await 20 has_state "$1" "$2"
}

# The documents of a table, without what differs from import to import.
plain() {
	documents "$1" | jq -cS 'del(._id, ._creationTime)'
}

# expect_same_as_copy TABLE FILE: as if FILE had been copied into a mount.
expect_same_as_copy() {
	local other=copied_$1
	mkdir -p "$MNT/$other"
	cp "$2" "$MNT/$other/"
	plain "$1" >.imported
	plain "$other" >.copied
	expect_file .imported .copied
}
