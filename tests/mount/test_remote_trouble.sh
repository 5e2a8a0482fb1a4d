#!/usr/bin/env bash
# A mounted deployment that is away, hangs, or answers nonsense (F-5): commands
# end, the mount lives on, and works again when the deployment does.
# shellcheck source=tests/client/lib.sh disable=SC2119
. "$(dirname "$0")/../client/lib.sh"

export no_proxy='*'

# A table of two rows, mounted through its server.
mount_served() {
	start_server
	export CONVEX_SELF_HOSTED_ADMIN_KEY=$KEY
	start_mount_at "$URL" "$MNT" "$@"
	seed t 1 2
	echo '{"n":7}' >one
}

# The next commands see the deployment as it is, and change it.
expect_works() {
	await 20 has_numbers "1 2 "
	cp one "$MNT/t/x.append.jsonl"
	expect_numbers t 1 2 7
}

has_numbers() {
	[ "$(numbers t 2>/dev/null | tr '\n' ' ')" = "$1" ]
}

# --- selection -------------------------------------------------------------

mount_here() {
	expect_status 0 "$CVX_BIN" mount "$MNT"
	pgrep -x convexfs >>"$DIR/.daemons" || :
	expect_numbers t 1 2
	fusermount3 -u "$MNT"
}

# SEL-2: what the environment says comes before .env.local.
case_C1_two_variables_and_env_local() {
	mount_served
	stop_mount
	unset CONVEX_SELF_HOSTED_ADMIN_KEY
	mkdir with
	cd with || exit 1
	printf 'CONVEX_SELF_HOSTED_URL=%s\nCONVEX_SELF_HOSTED_ADMIN_KEY=%s\n' \
		"'$URL'" "'$KEY'" >.env.local
	chmod 600 .env.local
	mount_here
	printf 'CONVEX_SELF_HOSTED_URL=%s\nCONVEX_SELF_HOSTED_ADMIN_KEY=%s\n' \
		http://127.0.0.1:1 "'a|b'" >.env.local
	expect_status 4 "$CVX_BIN" mount "$MNT"
	expect_said 'http://127.0.0.1:1: Connection refused'
	export CONVEX_SELF_HOSTED_URL=$URL CONVEX_SELF_HOSTED_ADMIN_KEY=$KEY
	mount_here
	cd .. || exit 1
	mount_here
	stop_server
}

# --- away ------------------------------------------------------------------

# Each of these ends by itself, whatever it says.
expect_ends() {
	local status=0
	timeout -k 5 40 "$@" >"$DIR/said" 2>&1 || status=$?
	if [ $status -eq 124 ] || [ $status -eq 137 ]; then
		fail "does not end: $*"
	fi
	ENDED=$status
}

expect_ends_in_vain() {
	expect_ends "$@"
	[ "$ENDED" -ne 0 ] || fail "succeeded: $*"
}

# Reading may show what was read before.
expect_all_end() {
	expect_ends ls -l "$MNT" "$MNT/t"
	expect_ends cat "$MNT/t/documents.jsonl"
	expect_ends cat "$MNT/README.md" "$MNT/.convex/deployment.json"
	expect_ends cat "$MNT/.convex/snapshot.zip"
	expect_ends_in_vain cp one "$MNT/t/x.append.jsonl"
	expect_ends_in_vain cp one "$MNT/t/documents.jsonl"
	expect_ends_in_vain mkdir "$MNT/other"
	expect_alive
}

case_F5_a_server_that_comes_back_is_used_again() {
	mount_served -o timeout=1
	stop_server
	expect_all_end
	expect_said 'Connection refused|Input/output|timed out|not permitted'
	start_server_at "127.0.0.1:$PORT"
	expect_works
	stop_mounts
	stop_server
}

case_F5_a_server_that_is_replaced_between_commands() {
	mount_served
	stop_server
	start_server_at "127.0.0.1:$PORT"
	expect_works
	stop_mounts
	stop_server
}

# It takes connections, and that is all.
case_F5_a_server_that_hangs_does_not_hang_the_mount() {
	mount_served -o timeout=1
	kill -STOP "$SERVER"
	expect_ends_in_vain "$CVX_BIN" mount -o timeout=1 "$URL" "$DIR/m"
	mkdir "$DIR/m"
	expect_ends_in_vain "$CVX_BIN" mount -o timeout=1 "$URL" "$DIR/m"
	expect_said 'timed out|no answer|did not answer|Timeout'
	expect_all_end
	kill -CONT "$SERVER"
	expect_works
	stop_mounts
	stop_server
}

# --- Ctrl-C ----------------------------------------------------------------

# A program that lives on after Ctrl-C, and so sees what the mount answers.
make_patient() {
	cat >patient.py <<'PROGRAM'
import os, signal, sys
class Interrupted(Exception): pass
def interrupt(*_): raise Interrupted
signal.signal(signal.SIGINT, interrupt)
how, path = sys.argv[1:]
try:
    if how == "list":
        os.listdir(path)
    elif how == "read":
        open(path, "rb").read()
    else:
        with open(path, "wb") as f:
            f.write(b'{"n":9}\n')
except (Interrupted, OSError) as e:
    sys.exit(3)
PROGRAM
}

is_gone() {
	! kill -0 "$1" 2>/dev/null
}

# It is over already, or the kernel holds it until the mount answers.
waits_or_is_gone() {
	is_gone "$1" || grep -q request_wait "/proc/$1/wchan" ||
		grep -q '^D' <(sed 's/.*) //' "/proc/$1/stat")
}

# With an hour of patience only the signal can end it.
expect_interrupted() {
	local pid
	echo "interrupting: $*"
	env --default-signal "$@" >/dev/null 2>&1 &
	pid=$!
	await 10 waits_or_is_gone $pid
	kill -INT $pid 2>/dev/null || :
	await 10 is_gone $pid
	wait $pid || :
}

case_F5_interrupted_commands_return_at_once() {
	mount_served -o timeout=3600
	make_patient
	kill -STOP "$SERVER"
	expect_interrupted ls "$MNT"
	expect_interrupted ls -l "$MNT/t"
	expect_interrupted cat "$MNT/t/documents.jsonl"
	expect_interrupted cp "$MNT/t/documents.jsonl" got
	expect_interrupted cp "$MNT/.convex/snapshot.zip" got
	expect_interrupted cp one "$MNT/t/x.append.jsonl"
	expect_interrupted mkdir "$MNT/other"
	expect_interrupted "$PYTHON" patient.py list "$MNT/t"
	expect_interrupted "$PYTHON" patient.py read "$MNT/t/documents.jsonl"
	expect_interrupted "$PYTHON" patient.py write "$MNT/t/x.append.jsonl"
	kill -CONT "$SERVER"
	expect_alive
	rm -f "$MNT/t/x.append.jsonl".*
	expect_works
	stop_mounts
	stop_server
}

# --- nonsense --------------------------------------------------------------

# Answers as the file "way" says, else as the server does.
start_spoiler() {
	echo right >way
	"$PYTHON" - "${URL#http://}" >port 2>/dev/null <<'PROGRAM' &
import http.client, http.server, socket, struct, sys
HTML = b"<html><body>Please log in to the WLAN</body></html>"
SPOILT = {
    "html": (200, "text/html", HTML),
    "error": (500, "text/html", HTML),
    "busy": (503, "text/plain", b"later"),
    "limited": (429, "application/json", b"{}"),
    "gone": (404, "text/html", HTML),
    "denied": (401, "application/json", b'{"code":"BadAdminKey"}'),
    "nothing": (200, "application/json", b""),
    "object": (200, "application/json", b"{}"),
    "array": (200, "application/json", b"[[]]"),
    "null": (200, "application/json", b"null"),
    "odd": (200, "application/json",
            b'{"status":"success","value":{"page":7,"isDone":"x"}}'),
    "deep": (200, "application/json", b"[" * 100000),
    "half": (200, "application/json", b'{"status":"success","value":['),
}
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def answer(self, status, kind, body, size=None, **more):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(size or len(body)))
        for key, value in more.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = size is not None
    def spoil(self, way):
        if way in SPOILT:
            self.answer(*SPOILT[way])
        elif way == "redirect":
            self.answer(302, "text/html", HTML, Location=self.path)
        elif way == "short":
            self.answer(200, "application/json", b"{}", size=1000)
        elif way == "long":
            self.answer(200, "application/json", b" " * (80 << 20))
        elif way == "noise":
            self.wfile.write(bytes(range(256)) * 16)
            self.close_connection = True
        elif way == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                       struct.pack("ii", 1, 0))
            self.close_connection = True
        else:
            sys.exit(way)
    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        way = open("way").read().strip()
        if way != "right":
            return self.spoil(way)
        c = http.client.HTTPConnection(sys.argv[1])
        c.request(self.command, self.path, body, self.headers)
        answer = c.getresponse()
        body = answer.read()
        self.send_response(answer.status)
        for key, value in answer.getheaders():
            if key.lower() not in ("transfer-encoding", "connection",
                                   "content-length"):
                self.send_header(key, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_GET = do_POST = do_PUT = handle_any
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
s.daemon_threads = True
print(s.server_port, flush=True)
s.serve_forever()
PROGRAM
	await 10 test -s port
	URL=http://127.0.0.1:$(cat port)
}

set_way() {
	echo "$1" >way.new
	mv way.new way
}

prove_spoilt() {
	local way
	start_server
	export CONVEX_SELF_HOSTED_ADMIN_KEY=$KEY
	start_spoiler
	start_mount_at "$URL" "$MNT" -o timeout=1
	seed t 1 2
	echo '{"n":7}' >one
	mkdir m
	for way in "$@"; do
		set_way "$way"
		echo "way: $way"
		expect_all_end
		expect_ends_in_vain "$CVX_BIN" mount -o timeout=1 "$URL" m
		expect_said '^convexfs: .*(/api/|http://|_system/)'
		set_way right
		await 20 has_numbers "1 2 "
		rm -f "$MNT"/t/*.rejected "$MNT"/t/*.error
	done
	expect_works
	stop_mounts
	stop_server
}
add_case F5_answers_of_something_in_between prove_spoilt html error gone redirect
add_case F5_answers_that_say_no prove_spoilt busy limited denied
add_case F5_answers_that_are_no_answers prove_spoilt nothing object array null odd
add_case F5_answers_that_break_off prove_spoilt half short reset noise
add_case F5_answers_that_are_too_large prove_spoilt deep long

run_cases "$@"
