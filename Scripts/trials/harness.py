"""What the trials of `wasmd serve --data` share: a server, a client, modules made byte by byte.

WASMD names the program that is tried; otherwise release/wasmd, or the debug build.
"""

import hashlib
import http.client
import json
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


# What trials are told by WASMD_ and a name: not for the servers, which would say that it is no setting
# of theirs.
SETTINGS = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("WASMD_")}


def setting(name, default=None):
    """A variable of the environment that is for the trial."""
    return SETTINGS.get(name, default)


def program():
    named = os.environ.get("WASMD")
    places = [named] if named else [ROOT / "release/wasmd", ROOT / ".build/debug/wasmd"]
    for place in places:
        if os.access(place, os.X_OK):
            return str(place)
    sys.exit("no wasmd: build it, or name it by WASMD")


class Fault(Exception):
    """Something that must hold does not."""


def check(condition, *words):
    if not condition:
        raise Fault(" ".join(str(word)[:2000] for word in words))


class Folder:
    """A temporary folder."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="wasmd-trial-")
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


class Server:
    """`wasmd serve --data` at ports that the system chose."""

    def __init__(self, data, *options, wess=True, executor=True, wait=20, prefix=()):
        self.log = tempfile.TemporaryFile(prefix="wasmd-trial-log-")
        command = [*prefix, program(), "serve", "--data", data]
        if executor:
            command += ["--executor", "127.0.0.1:0"]
        if wess:
            command += ["--wess", "127.0.0.1:0"]
        self.process = subprocess.Popen(
            command + list(options), stderr=self.log, stdout=self.log, stdin=subprocess.DEVNULL)
        self.ports = {}
        self.wait_for = ["executor"] * executor + ["wess"] * wess
        if wait:
            self.wait(wait)

    def messages(self, most=1 << 20):
        self.log.flush()
        return os.pread(self.log.fileno(), most, 0).decode(errors="replace")

    def wait(self, seconds=20):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            text = self.messages()
            for name, port in re.findall(r"(executor|wess) at http://127\.0\.0\.1:(\d+)/", text):
                self.ports[name] = int(port)
            if all(name in self.ports for name in self.wait_for) and "data in" in text:
                return
            if self.process.poll() is not None:
                raise Fault(f"the server ended with {self.process.returncode}: {text}")
            time.sleep(0.002)
        raise Fault("the server did not start: " + self.messages())

    @property
    def executor(self):
        return self.ports["executor"]

    @property
    def wess(self):
        return self.ports["wess"]

    def status(self, name):
        """A number of /proc/PID/status, in KiB or as it is."""
        with open(f"/proc/{self.process.pid}/status") as lines:
            for line in lines:
                if line.startswith(name + ":"):
                    return int(line.split()[1])
        return 0

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def alive(self):
        return self.process.poll() is None

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.log.close()

    def stop(self, seconds=10):
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Fault("the server did not stop") from None
        text = self.messages()
        self.log.close()
        check(code == 0, "the server ended with", code, text)
        return text

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Answer:
    def __init__(self, status, fields, body):
        self.status, self.fields, self.body = status, fields, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def text(self):
        return self.body.decode(errors="replace")

    def __repr__(self):
        return f"{self.status} {self.text[:300]}"


class Client:
    """A connection that is kept, and made again when the server has closed it."""

    def __init__(self, port, timeout=30):
        self.port, self.timeout, self.connection = port, timeout, None

    def send(self, method, path, body=None, fields=None):
        if self.connection is None:
            self.connection = http.client.HTTPConnection(
                "127.0.0.1", self.port, timeout=self.timeout)
        try:
            if isinstance(body, (dict, list)):
                body = json.dumps(body).encode()
                fields = {"Content-Type": "application/json", **(fields or {})}
            self.connection.request(method, path, body, fields or {})
            response = self.connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        except BaseException:
            self.close()
            raise

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def send(port, method, path, body=None, fields=None, timeout=30):
    client = Client(port, timeout)
    try:
        return client.send(method, path, body, fields)
    finally:
        client.close()


def raw(port, data, timeout=10, finish=True):
    """Sends bytes, and reads to the end of the connection; None when nothing ends it."""
    with socket.create_connection(("127.0.0.1", port), timeout) as connection:
        received = b""
        try:
            connection.sendall(data)
            if finish:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        try:
            while True:
                piece = connection.recv(1 << 16)
                if not piece:
                    return received
                received += piece
        except TimeoutError:
            return None
        except OSError:
            return received


# Modules, byte by byte.

def leb(number):
    result = bytearray()
    while True:
        byte, number = number & 0x7F, number >> 7
        result.append(byte | (0x80 if number else 0))
        if not number:
            return bytes(result)


def sleb(number):
    result = bytearray()
    while True:
        byte, number = number & 0x7F, number >> 7
        if (number == 0 and not byte & 0x40) or (number == -1 and byte & 0x40):
            result.append(byte)
            return bytes(result)
        result.append(byte | 0x80)


def section(number, content):
    return bytes([number]) + leb(len(content)) + content


def constant(value, size=0, name=b"run"):
    """A module whose function returns a number, with a custom section that makes it `size` long."""
    module = b"\0asm\1\0\0\0"
    module += section(1, b"\x01\x60\0\x01\x7f") + section(3, b"\x01\0")
    module += section(7, b"\x01" + leb(len(name)) + name + b"\0\0")
    body = b"\0\x41" + sleb(value) + b"\x0b"
    module += section(10, b"\x01" + leb(len(body)) + body)
    rest = size - len(module) - 9
    if rest > 0:
        # What compresses, hashes and is compared differently for each value.
        seed = hashlib.sha256(str((value, size)).encode()).digest()
        filling = (seed * (rest // len(seed) + 1))[:rest]
        module += section(0, b"\x03pad" + filling)
    return module


def assemble(text, *options):
    """A module of its text."""
    with Folder() as folder:
        source, target = folder + "/m.wat", folder + "/m.wasm"
        pathlib.Path(source).write_text(text)
        done = subprocess.run(
            [program(), "wat2wasm", source, "-o", target, *options], capture_output=True,
            text=True, check=False)
        check(done.returncode == 0, done.stderr)
        return pathlib.Path(target).read_bytes()


def store(port, module, function=None):
    """Stores a module on the executor's own surface; returns its id."""
    path = "/wasm" + (f"?function={function}" if function else "")
    answer = send(port, "POST", path, module, {"Content-Type": "application/wasm"})
    check(answer.status == 202, "storing:", answer)
    return answer.json["id"]


def store_wess(port, module, function, returns=(), arguments=()):
    answer = send(port, "POST", "/", {
        "wasm": list(module),
        "metadata": {
            "functionName": function, "returnType": list(returns), "args": list(arguments)}})
    check(answer.status == 202, "storing:", answer)
    return answer.json["message"]["id"]


def wait_for_runs(port, count, seconds=20):
    """Waits until so many runs hold a place: to ask by a run would take one of the places."""
    end = time.monotonic() + seconds
    while (running := send(port, "GET", "/admin/status").json["runs"]["running"]) != count:
        check(time.monotonic() < end, running, "runs after", seconds, "s, not", count)
        time.sleep(0.02)


given = set()


def free_port():
    """A port on loopback that nobody has, and that was not given before: below those that the system
    gives to sockets without a wish, so that no connection takes it meanwhile."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as place:
            try:
                place.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in given:
            given.add(port)
            return port


def wait_for_memory(server, limit, *what, seconds=75):
    """Waits until the server has at most so many KiB: the allocator keeps some for each thread until
    the server trims it, once a minute. Returns what it has."""
    end = time.monotonic() + seconds
    while (size := server.status("VmRSS")) > limit:
        check(time.monotonic() < end, *what, "memory stays:", size, "KiB, not", limit)
        time.sleep(0.5)
    return size


def raise_descriptor_limit():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


class TooSlow(Fault):
    """Something took too long: the server's fault, or that of others on the machine."""


def check_time(condition, *what):
    if not condition:
        raise TooSlow(" ".join(map(str, what)))


def patiently(trial):
    """Tries again what was too slow: a server that holds others up does so each time."""
    for _ in range(2):
        try:
            return trial()
        except (TooSlow, TimeoutError, subprocess.TimeoutExpired) as fault:
            print(f"    too slow, once more: {fault}", flush=True)
    return trial()


def main(*trials):
    """Runs trials by name, all or those that are named; ends with 1 if one fails."""
    wanted = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    failed = False
    for trial in trials:
        name = trial.__name__.replace("_", "-")
        if wanted and name not in wanted:
            continue
        start = time.monotonic()
        try:
            note = patiently(trial) or ""
            print(f"{name}: ok, {time.monotonic() - start:.1f} s {note}", flush=True)
        except (Fault, TimeoutError, subprocess.TimeoutExpired) as fault:
            failed = True
            print(f"{name}: FAILED: {fault}", flush=True)
    sys.exit(1 if failed else 0)
