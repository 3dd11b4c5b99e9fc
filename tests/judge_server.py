"""A judge on loopback: real HTTP, replies as the test says."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from serving import running

FULL = '{"completeness": 2, "preciseness": 1, "relevance": 2}'


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.reply(200, {"data": [{"id": name} for name in self.server.models]})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            number = len(self.server.bodies)
            self.server.bodies.append(body)
            self.server.keys.append(self.headers["Authorization"])
        said = self.server.say(number, body)
        if isinstance(said, int):
            self.reply(said, {"error": {"message": "no"}})
        else:
            self.reply(200, {"choices": [{"message": {"content": said}}]})

    def reply(self, status, body):
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_):
        pass


@contextmanager
def serve(say):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.say, server.bodies, server.keys, server.lock = say, [], [], threading.Lock()
    server.models = ["judge-7b"]
    server.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    with running(server):
        yield server
