#!/usr/bin/env bash
# A deployment behind a URL, mounted: the server of this project holds it.
# shellcheck source=tests/client/lib.sh disable=SC2119
. "$(dirname "$0")/../client/lib.sh"

export no_proxy='*'
COPY=$PWD

# A server with a certificate that nobody knows; it knows no key.
serve_tls() {
	need openssl "$PYTHON"
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \
		-addext subjectAltName=IP:127.0.0.1 \
		-keyout key.pem -out cert.pem 2>/dev/null
	echo '/ locked' >faults
	URL=http://127.0.0.1:1
	start_way --faults faults --tls cert.pem key.pem
	URL=https${THROUGH#http}
}

# The certificate is looked at, and other ones can be trusted.
case_C5_a_certificate_is_verified() {
	serve_tls
	mkdir "$DIR/m"
	export CONVEX_SELF_HOSTED_ADMIN_KEY='a|b'
	expect_status 4 "$CVX_BIN" mount "$URL" "$DIR/m"
	expect_said 'SSL certificate problem: self-signed certificate'
	SSL_CERT_FILE=$PWD/cert.pem expect_status 3 "$CVX_BIN" mount "$URL" "$DIR/m"
	expect_said 'answered 401'
	stop_way
}

# A deployment with all that a backup holds, served.
serve_all() {
	export XDG_CACHE_HOME=$DIR/cache HOME=$DIR/home
	mkdir -p "$HOME"
	start_mount
	seed users 1 2 3
	mkdir -p "$MNT/_components/inner/posts"
	echo '{"n":1}' >"$MNT/_components/inner/posts/documents.jsonl"
	echo hello >note.txt
	cp note.txt "$MNT/_storage/"
	stop_mount
	start_server
	export CONVEX_SELF_HOSTED_ADMIN_KEY=$KEY
	COPY=$DIR/copy
}

mount_copy() {
	start_mount_at "$URL" "$COPY"
}

expect_users() {
	expect_text "users" "$(grep -c . "$COPY/users/documents.jsonl")" "$1"
}

# T-1: byte for byte what the deployment itself shows.
case_T1_a_url_is_mounted_as_its_backup() {
	serve_all
	mount_copy
	start_mount -o ro
	diff -r "$MNT" "$COPY" || fail "the copy shows something else"
	expect_users 3
	expect_file "$COPY"/_storage/*.txt note.txt
	stop_mount_at "$COPY"
	stop_mount
	stop_server
}

case_C1_the_environment_selects_it() {
	serve_all
	export CONVEX_SELF_HOSTED_URL=$URL
	mkdir -p "$COPY"
	expect_status 0 "$CVX_BIN" mount "$COPY"
	expect_users 3
	grep -q "\"url\":\"$URL\"" "$COPY/.convex/deployment.json" ||
		fail "deployment.json does not name it"
	jq -e '.options | has("timeout") and has("cache_size")' \
		"$COPY/.convex/deployment.json" >/dev/null ||
		fail "deployment.json does not tell its options"
	await 10 fusermount3 -q -u "$COPY"
	stop_server
}

# The copy is made anew, and what is gone there is gone here.
case_T2_mounting_again_shows_what_is_there_now() {
	serve_all
	mount_copy
	stop_mount_at "$COPY"
	start_mount
	echo '{"n":7}' >"$MNT/users/documents.jsonl"
	mkdir "$MNT/more"
	stop_mount
	mount_copy
	expect_users 1
	[ -d "$COPY/more" ] || fail "a new table is missing"
	stop_mount_at "$COPY"
	stop_server
}

case_F_what_cannot_be_done_says_so() {
	serve_all
	start_mount_at "$URL" "$COPY" -o ro
	expect_refused 'Read-only file system' \
		cp note.txt "$COPY/users/documents.jsonl"
	expect_refused 'Read-only file system' mkdir "$COPY/other"
	stop_mount_at "$COPY"
	CONVEX_SELF_HOSTED_ADMIN_KEY='a|SECRETKEY' \
		expect_status 3 "$CVX_BIN" mount "$URL" "$COPY"
	expect_said '401 BadAdminKey'
	! grep -q SECRETKEY "$DIR/said" || fail "the key was told"
	expect_status 4 "$CVX_BIN" mount http://127.0.0.1:1 "$COPY"
	expect_said 'Connection refused'
	expect_status 1 "$CVX_BIN" mount --prod "$COPY"
	expect_said 'CONVEX_SELF_HOSTED_ADMIN_KEY selects a deployment only'
	stop_server
}

# C-5
case_C5_the_key_is_nowhere_to_be_seen() {
	local secret
	serve_all
	secret=${KEY#*|}
	unset CONVEX_SELF_HOSTED_ADMIN_KEY
	printf 'CONVEX_SELF_HOSTED_URL=%s\nCONVEX_SELF_HOSTED_ADMIN_KEY=%s\n' \
		"$URL" "$KEY" >keys
	expect_status fails "$CVX_BIN" mount --env-file keys "$COPY"
	expect_said 'chmod 600'
	chmod 600 keys
	mkdir -p "$COPY"
	expect_status 0 "$CVX_BIN" mount -o debug --env-file keys \
		-o log="$DIR/log" "$COPY"
	cat "$COPY/.convex/deployment.json" "$COPY/README.md" >seen
	! grep -qF "$secret" seen "$DIR/log" || fail "the key was told"
	await 10 fusermount3 -q -u "$COPY"
	stop_server
}

# The table's documents, in the deployment itself.
expect_table() {
	start_mount -o ro
	expect_text "documents of $1" "$(grep -c . "$MNT/$1/documents.jsonl")" \
		"$2"
	stop_mount
}

# C-2
case_C2_import_into_it() {
	serve_all
	export CONVEX_SELF_HOSTED_URL=$URL
	printf 'name,n\nAda,1\nBob,2\n' >p.csv
	expect_status 0 "$CVX_BIN" import --table people p.csv
	expect_said 'Added 2 documents to table "people"'
	expect_status 0 "$CVX_BIN" import --table people --append - \
		--format jsonLines <<<'{"name":"Cy"}'
	expect_table people 3
	expect_status 3 "$CVX_BIN" import --table people p.csv
	expect_status 1 "$CVX_BIN" import --table people --replace p.csv
	expect_said 'no terminal to ask'
	expect_table people 3
	expect_status 0 "$CVX_BIN" import --table people --replace -y p.csv
	expect_table people 2
	expect_status 0 "$CVX_BIN" import --table in --component inner p.csv
	stop_server
}

case_C2_export_of_it() {
	need unzip
	serve_all
	export CONVEX_SELF_HOSTED_URL=$URL
	mkdir backups
	expect_status 0 "$CVX_BIN" export --include-file-storage --path backups
	expect_match "name" "$(echo backups/*)" 'backups/snapshot_[0-9]+\.zip'
	expect_text "stored" "$(unzip -p backups/*.zip '_storage/*.txt')" hello
	expect_status 1 "$CVX_BIN" export --path backups/*.zip
	expect_said 'is there already'
	"$CVX_BIN" export --path - 2>/dev/null >piped.zip
	unzip -tq piped.zip
	stop_server
	expect_status 4 "$CVX_BIN" export --path gone.zip
	[ ! -e gone.zip ] || fail "half an archive is left"
}

case_C9_import_tells_why_not() {
	serve_all
	echo '{"a":' >bad.jsonl
	expect_status 2 "$CVX_BIN" import --url "$URL" --table t bad.jsonl
	expect_said '^convexfs: bad.jsonl: '
	expect_status 3 "$CVX_BIN" import --url "$URL" --admin-key 'a|SECRETKEY' \
		--table t bad.jsonl
	expect_said BadAdminKey
	! grep -q SECRETKEY said || fail "the key was told"
	stop_server
	expect_status 4 "$CVX_BIN" import --url http://127.0.0.1:1 \
		--admin-key 'a|b' --table t bad.jsonl
	expect_said 'Connection refused'
}

run_cases "$@"
