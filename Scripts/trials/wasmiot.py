"""What the trials of wasmiot share: orchestrators and devices in processes, modules, forms and nodes."""

import http.server
import json
import pathlib
import re
import subprocess
import tempfile
import threading
import time

from harness import Fault, Server, assemble, check, program

COUNTER = """
(module
  (memory (export "memory") 1)
  (func (export "next") (result i64)
    (i64.store (i32.const 8) (i64.add (i64.load (i32.const 8)) (i64.const 1)))
    (i64.load (i32.const 8)))
  (func (export "same") (param i64) (result i64) (local.get 0)))
"""


def counter():
    """A module that counts its runs in memory (`next`), and returns what it gets (`same`)."""
    return assemble(COUNTER)


class Daemon(Server):
    """`wasmd serve --config` with one section, orchestrator or supervisor, on a port that is kept."""

    def __init__(self, folder, section, port, settings="", wait=60, more=""):
        self.section, self.port = section, port
        self.ports = {}
        pathlib.Path(folder).mkdir(exist_ok=True)
        place = pathlib.Path(folder, "wasmd.toml")
        place.write_text(
            f'data = "{folder}/data"\nloops = 1\n[discovery]\nmdns = false\n{more}'
            f'[{section}]\nlisten = ["127.0.0.1:{port}"]\n{settings}\n')
        self.log = tempfile.TemporaryFile(prefix="wasmd-trial-log-")
        self.process = subprocess.Popen(
            [program(), "serve", "--config", place], stdout=self.log, stderr=self.log,
            stdin=subprocess.DEVNULL)
        if wait:
            self.wait(wait)

    def wait(self, seconds=60):
        """Waits until the section listens."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            text = self.messages()
            if re.search(rf"{self.section} at http://127\.0\.0\.1:{self.port}", text) \
                    and "data in" in text:
                return
            if self.process.poll() is not None:
                raise Fault(f"the {self.section} ended with {self.process.returncode}: {text}")
            time.sleep(0.005)
        raise Fault(f"the {self.section} did not start: " + self.messages())

    def processor_seconds(self):
        """What the process has used of processors so far."""
        with open(f"/proc/{self.process.pid}/stat") as place:
            words = place.read().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / 100


def form(fields, files=(), boundary="wasmd-trial-5f3a"):
    """A body of multipart/form-data and its media type; files are (field, media type, bytes)."""
    body = b""
    for name, value in fields.items():
        body += (f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
                 f"{value}\r\n").encode()
    for name, kind, content in files:
        body += (f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; '
                 f'filename="{name}"\r\nContent-Type: {kind}\r\n\r\n').encode()
        body += content + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


NUMBER = {"method": "get", "param0": "integer", "output": "integer"}
FUNCTIONS = {"same": NUMBER, "next": {"method": "get", "output": "integer"}}


def create(client, name, wasm, functions=None, files=()):
    """Creates and describes a module in one request; returns its id."""
    body, kind = form(
        {"name": name, "functions": json.dumps(functions or FUNCTIONS)},
        [("wasm", "application/wasm", wasm), *files])
    answer = client.send("POST", "/file/module", body, {"Content-Type": kind})
    check(answer.status == 201, "creating", name, answer)
    return answer.json["id"]


def register(client, name, port):
    """Registers a device as supervisors do it."""
    answer = client.send("POST", "/file/device/discovery/register", {
        "name": name, "type": "_webthing._tcp.local.", "port": port,
        "properties": {"path": "/", "tls": 0, "address": "127.0.0.1"},
        "addresses": ["127.0.0.1"], "host": "127.0.0.1"})
    check(answer.status == 204, "registering", name, answer)


def node(identity, files_port, module="m"):
    """A deployment node with the functions of the counter."""
    def endpoint(name, parameters):
        return {
            "url": "http://127.0.0.1:5000", "path": f"/{identity}/modules/{module}/{name}",
            "method": "get",
            "request": {"parameters": [
                {"name": text, "in": "query", "required": True, "schema": {"type": "integer"}}
                for text in parameters]},
            "response": {"media_type": "application/json", "schema": {"type": "integer"}}}

    functions = {"same": endpoint("same", ["param0"]), "next": endpoint("next", [])}
    return {
        "deploymentId": identity,
        "modules": [{"id": module, "name": module, "urls": {
            "binary": f"http://127.0.0.1:{files_port}/m.wasm",
            "description": f"http://127.0.0.1:{files_port}/description", "other": {}}}],
        "endpoints": {module: functions},
        "instructions": {"modules": {module: {
            name: {"from": value, "to": None} for name, value in functions.items()}}},
        "mounts": {module: {
            name: {"execution": [], "deployment": [], "output": []} for name in functions}}}


class Files:
    """A server of one file, from which devices fetch their module."""

    def __init__(self, content):
        class Handler(http.server.BaseHTTPRequestHandler):
            """Sends the file for each path."""

            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
