"""What the trials of transports share: a transport with a process of its own, peers, random bytes."""

import json
import os
import random
import select
import socket
import subprocess
import threading
import time

from harness import check, program

# A transport that copies both ways, in all three roles.
COPIER = os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "..", "..", "Tests", "Transports", "copier.wat")


def passer(folder):
    """The file of a transport that knows datagrams, and passes each on as it is."""
    with open(COPIER) as file:
        text = file.read()
    text = text.replace(";; part marker\n", '(global (export "_water_datagrams") i32 (i32.const 1))\n')
    text = text.replace("(i32.const 16384)", "(i32.const 65536)")
    # Empty ones are no end.
    end = "(if (i32.eqz (i32.load (i32.const 608))) (then (return (i32.const 0))))"
    check(end in text, "the copier has another form")
    text = text.replace(end, "")
    path = os.path.join(folder, "passer.wat")
    with open(path, "w") as file:
        file.write(text)
    return path


class Echo:
    """A server of UDP in a process of its own, which sends back what it gets."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind(("127.0.0.1", 0))
        self.address = f"udp:127.0.0.1:{self.socket.getsockname()[1]}"
        self.process = os.fork()
        if not self.process:
            try:
                while True:
                    self.socket.sendto(*self.socket.recvfrom(1 << 16))
            finally:
                os._exit(0)
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.kill(self.process, 9)
        os.waitpid(self.process, 0)


def copier(folder, name="copier", worker=""):
    """The file of a transport, whose worker does `worker` first."""
    path = os.path.join(folder, name + ".wat")
    with open(COPIER) as file:
        text = file.read()
    with open(path, "w") as file:
        file.write(text.replace(";; part worker\n", worker + "\n"))
    return path


class Transport:
    """`wasmd watm ROLE` at a port that the system chose, of `listen`."""

    def __init__(self, role, modules, remote, *words, listen="127.0.0.1:0"):
        words = [word for module in modules for word in ("--module", module)] + list(words)
        if remote:
            words += ["--remote", remote if isinstance(remote, str) else f"127.0.0.1:{remote}"]
        self.process = subprocess.Popen(
            [program(), "watm", role, "--listen", listen, "--json", *words],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        check(line, role, modules, "does not start")
        self.port = int(json.loads(line)["address"].rsplit(":", 1)[1])
        self.events = []
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise

    def status(self, name):
        with open(f"/proc/{self.process.pid}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith(name + ":"))

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def connect(self):
        peer = socket.create_connection(("127.0.0.1", self.port), 20)
        peer.settimeout(60)
        return peer


class Peer:
    """A server in a process of its own that gives `change` of each piece back."""

    def __init__(self, is_silent=False):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self.port = self.listener.getsockname()[1]
        self.process = os.fork()
        if not self.process:
            try:
                self.run(is_silent)
            finally:
                os._exit(0)
        self.listener.close()

    def run(self, is_silent):
        poller = select.epoll()
        poller.register(self.listener, select.EPOLLIN)
        peers = {}
        while True:
            for number, _ in poller.poll():
                if number == self.listener.fileno():
                    peer, _ = self.listener.accept()
                    peers[peer.fileno()] = peer
                    poller.register(peer, select.EPOLLIN)
                    continue
                try:
                    data = peers[number].recv(1 << 16)
                    if data and not is_silent:
                        peers[number].sendall(data)
                except OSError:
                    data = b""
                if not data:
                    poller.unregister(number)
                    peers.pop(number).close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.kill(self.process, 9)
        os.waitpid(self.process, 0)


def there_and_back(port, size, stall, change=lambda data: data, odd=True):
    """Sends random bytes in odd pieces through a transport to a peer that echoes, reads nothing for a
    while in the middle, and compares all of them."""
    data = random.Random(size).randbytes(size)
    peer = socket.create_connection(("127.0.0.1", port), 20)
    peer.settimeout(120)

    def write():
        choose = random.Random(1)
        position = 0
        while position < size:
            end = position + (choose.choice([1, 7, 1000, 16383, 16385, 65537, 300001]) if odd else 16)
            peer.sendall(data[position:end])
            position = end
    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    parts = []
    got = 0
    has_stalled = not stall
    while got < size:
        if not has_stalled and got > size // 4:
            time.sleep(stall)
            has_stalled = True
        piece = peer.recv(1 << 16)
        if not piece:
            break
        parts.append(piece)
        got += len(piece)
    peer.close()
    writer.join(10)
    check(b"".join(parts) == change(data), f"{got} of {size} bytes came back, or others")
