#!/usr/bin/env python3
"""A way to the deployment at HOST:PORT of this machine, on a port of its own,
which it prints: it tells what is asked for, and what goes wrong on the way.

    way.py [--asked FILE] [--faults FILE] [--port PORT]
           [--tls CERTIFICATE KEY] HOST:PORT

--asked FILE   a line for each request, when it has come: METHOD NAME SIZE. The
               name is that of the function that is called, or else the path
               without its parameters; the size is the body's, in bytes.
--faults FILE  read at each request, may come and go. Lines NAME HOW: what
               happens to requests whose path or name begins with NAME, by the
               first line that fits.
--port         of its own, instead of any that is free
--tls          by that certificate, a PEM file each

HOW is one of ANSWERS, instead of the deployment's, or

    redirect   to where it was asked
    short      an answer that ends before its length
    long       one of 80 MiB
    noise      bytes that are no HTTP
    reset      of the connection
    before     the connection breaks before the deployment is asked, and
    after      when it is: its answer is lost; once, the file of faults goes
    end        as after, and the way is gone for good
"""

import argparse
import http.client
import http.server
import json
import os
import socket
import ssl
import struct
import sys

HTML = b"<html><body>Please log in to the WLAN</body></html>"
JSON = "application/json"
ANSWERS = {
    "html": (200, "text/html", HTML),
    "error": (500, "text/html", HTML),
    "busy": (503, "text/plain", b"later"),
    "limited": (429, JSON, b"{}"),
    "gone": (404, "text/html", HTML),
    "lacking": (404, JSON, b"{}"),
    "refused": (400, JSON, b'{"code":"No","message":"no"}'),
    "locked": (401, "text/html", b""),
    "denied": (401, JSON, b'{"code":"BadAdminKey"}'),
    "nothing": (200, JSON, b""),
    "object": (200, JSON, b"{}"),
    "array": (200, JSON, b"[[]]"),
    "null": (200, JSON, b"null"),
    "odd": (200, JSON,
            b'{"status":"success","value":{"page":7,"isDone":"x"}}'),
    "deep": (200, JSON, b"[" * 100000),
    "half": (200, JSON, b'{"status":"success","value":['),
}
OF_A_CONNECTION = ("transfer-encoding", "connection", "content-length")


class Way(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.split("?")[0]
        name = path
        if path.startswith("/api/query") and body[:1] == b"{":
            name = json.loads(body)["path"]
        if options.asked:
            with open(options.asked, "a") as f:
                f.write(f"{self.command} {name} {len(body)}\n")
        how = fault_of(path, name)
        if how in ("before", "after"):
            os.remove(options.faults)
        if how in (None, "after", "end"):
            self.forward(body, how)
        else:
            self.spoil(how)

    do_POST = do_PUT = do_GET

    def forward(self, body, how):
        there = http.client.HTTPConnection(options.deployment)
        there.request(self.command, self.path, body, self.headers)
        answer = there.getresponse()
        body = answer.read()
        there.close()
        if how == "end":
            os._exit(0)
        if how == "after":
            self.close_connection = True
        else:
            self.answer(answer.status, answer.getheaders(), body)

    def spoil(self, how):
        if how in ANSWERS:
            status, kind, body = ANSWERS[how]
            self.answer(status, [("Content-Type", kind)], body)
        elif how == "redirect":
            self.answer(302, [("Location", self.path)], HTML)
        elif how == "short":
            self.answer(200, [("Content-Type", JSON)], b"{}", size=1000)
        elif how == "long":
            self.answer(200, [("Content-Type", JSON)], b" " * (80 << 20))
        else:
            self.close_connection = True
        if how == "noise":
            self.wfile.write(bytes(range(256)) * 16)
        elif how == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                       struct.pack("ii", 1, 0))

    def answer(self, status, headers, body, size=None):
        self.send_response(status)
        for key, value in headers:
            if key.lower() not in OF_A_CONNECTION:
                self.send_header(key, value)
        if status != 204:
            self.send_header("Content-Length", str(size or len(body)))
        self.end_headers()
        self.wfile.write(body)
        if size:
            self.close_connection = True

    def log_message(self, *_):
        pass


SPOILT = {*ANSWERS, "redirect", "short", "long", "noise", "reset", "before",
          "after", "end"}


def fault_of(path, name):
    try:
        with open(options.faults or os.devnull) as f:
            lines = [line.split() for line in f if line.strip()]
    except FileNotFoundError:
        return None
    for start, how in lines:
        if how not in SPOILT:
            print(f"no such fault: {how}", file=sys.stderr, flush=True)
            os._exit(1)
        if path.startswith(start) or name.startswith(start):
            return how
    return None


def main():
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", options.port), Way)
    if options.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*options.tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_port, flush=True)
    server.serve_forever()


parser = argparse.ArgumentParser()
parser.add_argument("--asked", metavar="FILE")
parser.add_argument("--faults", metavar="FILE")
parser.add_argument("--port", type=int, default=0)
parser.add_argument("--tls", nargs=2, metavar=("CERTIFICATE", "KEY"))
parser.add_argument("deployment", metavar="HOST:PORT")
options = parser.parse_args()
main()
