#!/usr/bin/env bash
# Deployments elsewhere as they mostly are: behind TLS, with HTTP/2, and behind
# a proxy. A front that is not ours (nghttpx) stands before our server.
# shellcheck source=tests/client/lib.sh disable=SC2119
. "$(dirname "$0")/../client/lib.sh"

COPY=$PWD
unset no_proxy NO_PROXY https_proxy HTTPS_PROXY http_proxy HTTP_PROXY all_proxy

# make_certificate NAME DAYS: by an authority of its own, authority.pem.
make_certificate() {
	need openssl
	[ -s authority.pem ] || openssl req -x509 -newkey rsa:2048 -nodes \
		-days 2 -subj '/CN=an authority of this test' \
		-keyout authority.key -out authority.pem 2>/dev/null
	openssl req -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout key.pem \
		-out request.pem 2>/dev/null
	openssl x509 -req -in request.pem -days "$2" -CA authority.pem \
		-CAkey authority.key -CAcreateserial -out cert.pem \
		-extfile <(echo "subjectAltName=DNS:$1") 2>/dev/null
}

# Before the server at $SERVED, at https://localhost:$FRONT_PORT.
start_front() {
	need nghttpx
	nghttpx --frontend="127.0.0.1,$FRONT_PORT" \
		--backend="127.0.0.1,${SERVED##*:}" --single-process \
		--single-thread --no-ocsp --accesslog-file="$PWD/front.log" \
		--accesslog-format="\$alpn \$request" \
		--errorlog-file="$PWD/front.errors" key.pem cert.pem \
		>/dev/null 2>&1 </dev/null &
	FRONT=$!
	echo "$FRONT" >>"$DIR/.daemons"
	await 10 answers "$FRONT_PORT"
}

answers() {
	(: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

stop_front() {
	kill -"${1:-TERM}" "$FRONT"
	wait "$FRONT" || :
}

# start_fronted [NAME DAYS]: sets $URL to that of the front.
start_fronted() {
	start_server
	SERVED=$URL
	FRONT_PORT=$((PORT + 1))
	while answers "$FRONT_PORT"; do
		FRONT_PORT=$((FRONT_PORT + 1))
	done
	make_certificate "${1:-localhost}" "${2:-2}"
	start_front
	URL=https://localhost:$FRONT_PORT
	export CONVEX_SELF_HOSTED_ADMIN_KEY=$KEY SSL_CERT_FILE=$PWD/authority.pem
	export XDG_CACHE_HOME=$PWD/cache
	COPY=$DIR/copy
}

stop_fronted() {
	stop_front
	stop_server
}

expect_asked() {
	grep -q "$1" front.log || fail "the front was never asked: $1"
}

# Reads, writes, a backup out and in, parts side by side: all by HTTP/2.
case_HTTP2_everything_by_streams() {
	start_fronted
	make_rows 1 120000 >big.jsonl
	start_mount_at "$URL" "$COPY"
	mkdir "$COPY/t"
	cp big.jsonl "$COPY/t/"
	expect_text 'rows' "$(wc -l <"$COPY/t/documents.jsonl")" 120000
	echo '{"n":1}' >>"$COPY/t/documents.jsonl"
	expect_text 'rows' "$(wc -l <"$COPY/t/documents.jsonl")" 120001
	cp "$COPY/.convex/snapshot.zip" whole.zip
	: >"$COPY/t/documents.jsonl"
	expect_text 'rows' "$(wc -l <"$COPY/t/documents.jsonl")" 0
	cp whole.zip "$COPY/"
	expect_text 'rows' "$(wc -l <"$COPY/t/documents.jsonl")" 120001
	stop_mount_at "$COPY"
	expect_asked '^h2 POST /api/import/upload_part'
	expect_asked '^h2 GET /api/export/zip/'
	! grep -v '^h2 ' front.log || fail 'something was not asked by HTTP/2'
	stop_fronted
}

# IMP-9, 15.3: the front dies with parts under way, and is there again.
case_HTTP2_a_connection_that_breaks_doubles_nothing() {
	local writer
	start_fronted
	start_mount_at "$URL" "$COPY"
	mkdir "$COPY/t"
	echo '{"n":0}' >"$COPY/t/documents.jsonl"
	make_rows 1 120000 >big.jsonl
	mkfifo slow
	cat slow >>"$COPY/t/documents.jsonl" &
	writer=$!
	exec 4>slow
	head -c 8000000 big.jsonl >&4
	await 20 grep -q upload_part front.log
	stop_front KILL
	tail -c +8000001 big.jsonl >&4
	exec 4>&-
	start_front
	wait "$writer" || fail "the append failed: $(cat "$COPY"/t/*.error)"
	expect_text 'rows' "$(wc -l <"$COPY/t/documents.jsonl")" 120001
	stop_mount_at "$COPY"
	stop_fronted
}

# refuse_certificate NAME DAYS TEXT: and nobody is told the key.
refuse_certificate() {
	start_fronted "$1" "$2"
	mkdir -p "$DIR/m"
	expect_status 4 "$CVX_BIN" mount "$URL" "$DIR/m"
	expect_said "$3"
	[ ! -s front.log ] || fail "it was asked all the same: $(cat front.log)"
	stop_fronted
}

case_C5_a_certificate_of_another_host_is_refused() {
	refuse_certificate elsewhere.example 2 \
		"no alternative certificate subject name matches.*'localhost'"
}

case_C5_a_certificate_that_has_expired_is_refused() {
	refuse_certificate localhost -1 'certificate has expired'
}

# A proxy for CONNECT, which says in proxy.log to where, at $PROXY_PORT.
start_proxy() {
	need "$PYTHON"
	"$PYTHON" - >proxy.port 2>proxy.errors <<'END' &
import select, socket, socketserver
log = open("proxy.log", "w", buffering=1)

class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        line = self.rfile.readline().decode()
        while self.rfile.readline().strip():
            pass
        log.write(line)
        port = int(line.split()[1].rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port)) as there:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            both = {self.request: there, there: self.request}
            while True:
                for one in select.select(list(both), [], [])[0]:
                    got = one.recv(65536)
                    if not got:
                        return
                    both[one].sendall(got)

class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

s = Server(("127.0.0.1", 0), Handler)
print(s.server_address[1], flush=True)
s.serve_forever()
END
	PROXY=$!
	echo "$PROXY" >>"$DIR/.daemons"
	await 10 test -s proxy.port
	PROXY_PORT=$(cat proxy.port)
}

stop_proxy() {
	kill "$PROXY"
	wait "$PROXY" || :
}

use_once() {
	start_mount_at "$URL" "$COPY"
	mkdir "$COPY/$1"
	echo '{"n":1}' >"$COPY/$1/documents.jsonl"
	expect_text 'rows' "$(wc -l <"$COPY/$1/documents.jsonl")" 1
	stop_mount_at "$COPY"
}

# The usual variables, and the hosts that need none.
case_HTTP_a_proxy_for_https_and_hosts_without() {
	start_fronted
	start_proxy
	export HTTPS_PROXY=http://127.0.0.1:$PROXY_PORT
	use_once through
	expect_text 'the proxy was asked' "$(sort -u proxy.log | tr -d '\r')" \
		"CONNECT localhost:$FRONT_PORT HTTP/1.1"
	expect_asked '^h2 POST /api/import/finish_upload'
	: >proxy.log
	NO_PROXY=other.example,localhost use_once beside
	[ ! -s proxy.log ] || fail "a host without proxy was asked through it"
	stop_proxy
	mkdir -p "$DIR/m"
	expect_status 4 "$CVX_BIN" mount "$URL" "$DIR/m"
	expect_said "127.0.0.1 port $PROXY_PORT"
	stop_fronted
}

run_cases "$@"
