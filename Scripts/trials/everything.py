"""A server with every host, and something to see in each view of the console."""

import pathlib
import re
import socket
import subprocess
import threading
import time
import urllib.parse

from harness import ROOT, Client, Fault, Server, assemble, check, free_port, program, send, store
from wasmiot import Daemon, counter, create, register

# Every type of a parameter, a trap three functions deep, a loop, and names that would like to be more
# than text: markup, and a mark that reverses what follows.
NUMBERS = r"""(module $numbers
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (func $add (export "add") (param i32 i32) (result i32)
    (i32.add (local.get 0) (local.get 1)))
  (func (export "every_type") (param i32 i64 f32 f64 v128) (result v128 f64) (local.get 4) (local.get 3))
  (func (export "reference") (param externref) (result externref) (local.get 0))
  (func $deepest (unreachable))
  (func $deeper (call $deepest))
  (func (export "trap") (call $deeper))
  (func $spin (param i32) (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
  (func (export "spin") (param i32) (call $spin (local.get 0)))
  (func (export "endless") (loop (br 0)))
  (func (export "<img src=x onerror=alert(1)>"))
  (func (export "\e2\80\aegnp.exe"))
  (global (export "counter") (mut i32) (i32.const 0))
  (memory (export "memory") 1))"""

# A program that prints what looks like markup and like an escape of a terminal.
PROGRAM = r"""(module $prints
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 100) "<b>hello</b> \1b[31mfrom a program\n")
  (func (export "_start")
    (i32.store (i32.const 0) (i32.const 100)) (i32.store (i32.const 4) (i32.const 33))
    (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 20)))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 20)))))"""

SERVICE = r"""(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 400) "<i>ready</i> to serve\n")
  (func (export "_start")
    (i32.store (i32.const 0) (i32.const 400)) (i32.store (i32.const 4) (i32.const 22))
    (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 20)))
    (i64.store (i32.const 120) (i64.const 3600000000000))
    (drop (call $poll (i32.const 96) (i32.const 200) (i32.const 1) (i32.const 300)))))"""

# A transport whose connections wait until somebody ends them.
TRANSPORT = r"""(module
  (import "env" "host_dial" (func $dial (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (global $cancel (mut i32) (i32.const -1))
  (func (export "_water_v0"))
  (func (export "_water_init") (result i32) (i32.const 0))
  (func (export "_water_dial") (param i32) (result i32) (call $dial))
  (func (export "_water_cancel_with") (param i32) (result i32)
    (global.set $cancel (local.get 0)) (i32.const 0))
  (func (export "_water_worker") (result i32)
    (i32.store8 (i32.const 8) (i32.const 1))
    (i32.store (i32.const 16) (global.get $cancel))
    (drop (call $poll (i32.const 0) (i32.const 256) (i32.const 1) (i32.const 512)))
    (i32.const -11)))"""


class Everything:
    """Two processes: one with all hosts, and a device that its orchestrator uses."""

    def __init__(self, folder):
        self.folder, self.opened = folder, []
        try:
            self._start()
            self._fill()
        except BaseException:
            self.close()
            raise

    def _start(self):
        folder = self.folder
        image = folder + "/app"
        guests = str(ROOT / "Tests/OthismoTests/Guests/counter3.wasm")
        for words in [("new-image", image), (image, "import-module", guests),
                      (image, "instantiate-instance", "counter3", "/c")]:
            subprocess.run([program(), "othismo", *words], check=True, stdout=subprocess.DEVNULL)
        pathlib.Path(folder, "worker.wasm").write_bytes(assemble(SERVICE))
        pathlib.Path(folder, "waits.wasm").write_bytes(assemble(TRANSPORT))
        remote = self._own(socket.create_server(("127.0.0.1", 0)))
        device = free_port()
        self._own(Daemon(folder + "/shed", "supervisor", device))
        settings = pathlib.Path(folder, "settings")
        settings.mkdir()
        place = settings / "wasmd.toml"
        place.write_text(
            f'data = "{folder}/d"\n[discovery]\nmdns = false\n'
            '[executor]\nlisten = ["127.0.0.1:0"]\n[orchestrator]\nlisten = ["127.0.0.1:0"]\n'
            '[broker]\nlisten = ["127.0.0.1:0"]\ndurable = true\nretain = true\n'
            f'[othismo]\nlisten = ["127.0.0.1:0"]\nimage = "{image}"\n'
            f'[service.worker]\nmodule = "{folder}/worker.wasm"\n'
            f'[transports.front]\nrole = "dial"\nmodules = ["{folder}/waits.wasm"]\n'
            f'listen = ["unix:{folder}/front.sock"]\n'
            f'remote = "127.0.0.1:{remote.getsockname()[1]}"\n'
            '[limits]\nrun_time = "10m"\n')
        self.server = self._own(Server(
            folder + "/d", "--config", str(place), executor=False, wess=False))
        self.port, self.orchestrator = self._port("executor"), self._port("orchestrator")
        self.device = device

    def _fill(self):
        port = self.port
        self.numbers = store(port, assemble(NUMBERS))
        self.program = store(port, assemble(PROGRAM))
        for body in ("[2, 40]", "[1, 1]"):
            send(port, "POST", f"/wasm/{self.numbers}?function=add", body)
        trap = send(port, "POST", f"/wasm/{self.numbers}?function=trap", "[]")
        check(trap.status == 500, trap)
        send(port, "POST", f"/wasm/{self.program}", "")
        runs = send(port, "GET", "/admin/runs").json["recent"]
        self.trap = next(run["id"] for run in runs if run["function"] == "trap")
        self.endless()
        for text in ("<u>open</u>", "closed"):
            answer = send(port, "POST", "/admin/topics/publish?topic=house%2Fdoor", text,
                          {"Content-Type": "application/octet-stream"})
            check(answer.status < 300, answer)
        client = self._own(socket.socket(socket.AF_UNIX))
        client.connect(self.folder + "/front.sock")
        house = Client(self.orchestrator)
        register(house, "shed", self.device)
        module = create(house, "counter", counter())
        body = {"name": "harvest", "sequence": [
            {"device": None, "module": module, "func": name} for name in ("same", "next")]}
        end = time.monotonic() + 60
        while (answer := house.send("POST", "/file/manifest", body)).status != 201:
            check(time.monotonic() < end, answer)
            time.sleep(0.1)
        manifests = house.send("GET", "/file/manifest").json
        self.deployment = manifests[0]["_id"]
        house.close()

    def endless(self):
        """Begins a run without an end; returns its id."""
        def call():
            try:
                send(self.port, "POST", f"/wasm/{self.numbers}?function=endless", "[]", timeout=300)
            except OSError:
                pass

        threading.Thread(target=call, daemon=True).start()
        end = time.monotonic() + 30
        while True:
            active = send(self.port, "GET", "/admin/runs").json["active"]
            found = [run["id"] for run in active if run["function"] == "endless"]
            if found:
                return found[0]
            check(time.monotonic() < end, "the run did not begin")
            time.sleep(0.02)

    @property
    def address(self):
        return f"http://127.0.0.1:{self.port}/console"

    def views(self):
        """Each view: its name, what follows '#', and an expression that is true when it stands."""
        def has(text):
            return f"document.getElementById('main').innerText.includes({text!r})"

        place = urllib.parse.quote
        module = f"/modules/{self.numbers}"
        return [
            ("overview", "/", has("trap") + "&&" + has("Ready")),
            ("modules", "/modules", has(self.numbers)),
            ("module", module, has("every_type") + "&&" + has("Last runs")),
            ("program", f"/modules/{self.program}", has("Standard input")),
            ("functions", module + "/functions", has("spin")),
            ("function", module + "/functions/1", has("i32.add")),
            ("runs", "/runs", has("trap")),
            ("run", f"/runs/{self.trap}", has("unreachable")),
            ("active", f"/runs/{self.endless()}", has("Stop")),
            ("logs", "/logs", has("<b>hello</b>")),
            ("transports", "/transports", has("waits.wasm")),
            ("transport", "/transports/front", has("Open connections")
             + "&& document.querySelector('button[aria-label=\"End 1\"]')"),
            ("services", "/services", has("worker")),
            ("service", "/services/worker", has("<i>ready</i>")),
            ("topics", "/topics", has("house/door")),
            ("topic", "/topics/" + place("house/door", safe=""), has("closed")),
            ("devices", "/devices", has("shed") + "&& document.querySelector('svg.chain')"),
            ("deployment", f"/deployments/{self.deployment}", has("param0")
             + "&&" + has("Executions")),
            ("objects", "/objects", has("counter3")),
            ("object", "/objects/" + place("/c", safe=""), has("Send a message")),
            ("server", "/server", has("limits.runs")),
            ("token", "/token", has("wasmd token")),
            ("nothing", "/no/such/view", has("There is nothing here")),
            ("refused", "/runs/0", "document.querySelector('#main .bad')"),
        ]

    def _port(self, name):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            found = re.search(rf"{name} at http://127\.0\.0\.1:(\d+)", self.server.messages())
            if found and "data in" in self.server.messages():
                return int(found[1])
            if not self.server.alive():
                break
            time.sleep(0.005)
        raise Fault("the server did not start: " + self.server.messages())

    def _own(self, thing):
        self.opened.append(thing)
        return thing

    def close(self):
        for thing in reversed(self.opened):
            if isinstance(thing, Server):
                thing.__exit__()
            else:
                thing.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
