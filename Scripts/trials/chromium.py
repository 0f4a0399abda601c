"""A headless Chromium, driven over its DevTools protocol through a pipe."""

import base64
import json
import os
import re
import select
import shutil
import subprocess
import time
import urllib.parse

from harness import Fault, check


def path():
    """The browser; None if there is none. CHROMIUM names one."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium") \
        or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Page:
    """A page of a browser of its own."""

    def __init__(self, folder, width=1200, height=900):
        commands, self.commands = os.pipe()
        self.answers, answers = os.pipe()
        # The protocol's descriptors are 3 and 4.
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{commands} 4>&{answers}', "chromium",
             path(), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
             "--disable-dev-shm-usage", f"--user-data-dir={folder}/profile",
             f"--window-size={width},{height}", "--remote-debugging-pipe", "about:blank"],
            pass_fds=(commands, answers), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(commands)
        os.close(answers)
        self.buffer, self.number, self.session = b"", 0, None
        #: What the page reported: exceptions, refused resources, lines of its console.
        self.faults = []
        #: The requests of the page: (method, path with query).
        self.requests = []
        #: Bytes that came, with heads, by path.
        self.received = {}
        self.addresses = {}
        #: Events that somebody may wait for, by their names.
        self.events = {}
        target, end = None, time.monotonic() + 20
        while not target:
            check(time.monotonic() < end, "the browser has no page")
            target = next((one for one in self.send("Target.getTargets")["targetInfos"]
                           if one["type"] == "page"), None)
        self.session = self.send(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "DOM", "Accessibility", "Network"):
            self.send(domain + ".enable")

    def send(self, method, **parameters):
        self.number += 1
        number = self.number
        message = {"id": number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == number:
                check("error" not in answer, method, answer.get("error"))
                return answer["result"]

    def receive(self, seconds=60):
        end = time.monotonic() + seconds
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.answers], [], [], max(end - time.monotonic(), 0))
            piece = os.read(self.answers, 1 << 16) if ready else b""
            if not piece:
                raise Fault("the browser does not answer")
            self.buffer += piece
        text, _, self.buffer = self.buffer.partition(b"\0")
        message = json.loads(text)
        method, parameters = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.faults.append(str(parameters["exceptionDetails"])[:500])
        elif method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning"):
            self.faults.append(str(parameters["args"])[:500])
        elif method == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.faults.append(f"{parameters['entry']['text']} {parameters['entry'].get('url', '')}")
        elif method == "Network.requestWillBeSent":
            parts = urllib.parse.urlsplit(parameters["request"]["url"])
            if parts.scheme == "http":
                self.requests.append((parameters["request"]["method"], parts.path))
                self.addresses[parameters["requestId"]] = parts.path
        elif method == "Network.loadingFinished":
            path = self.addresses.get(parameters["requestId"])
            if path:
                self.received[path] = (
                    self.received.get(path, 0) + parameters["encodedDataLength"])
        elif method == "Page.fileChooserOpened":
            self.events[method] = parameters
        return message

    def open(self, address):
        self.send("Page.navigate", url=address)

    def value(self, script):
        """The value of an expression, which may be a promise."""
        answer = self.send("Runtime.evaluate", expression=script, awaitPromise=True,
                           returnByValue=True, userGesture=True)
        check("exceptionDetails" not in answer, script, answer.get("exceptionDetails"))
        return answer["result"].get("value")

    def wait(self, script, seconds=60):
        """Waits until an expression is true."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            # What is not there yet is not true.
            if self.value(f"(() => {{ try {{ return Boolean({script}) }} catch {{ return false }} }})()"):
                return
            time.sleep(0.05)
        raise Fault(f"not within {seconds} s: {script}\n{self.text()[:1500]}\n{self.faults}")

    def text(self):
        return self.value("document.body ? document.body.innerText : ''")

    def wait_text(self, text, seconds=60):
        self.wait(f"document.body && document.body.innerText.includes({json.dumps(text)})", seconds)

    def click(self, title, within="document", kind="a, button, summary"):
        """Clicks what has a text."""
        found = self.value(
            f"(() => {{ for (const one of {within}.querySelectorAll({json.dumps(kind)}))"
            f" if (one.textContent.trim() === {json.dumps(title)})"
            " { one.click(); return true; } return false; })()")
        check(found, "there is no", title, self.text())

    def key(self, name, shift=False):
        """Presses a key, as a hand does."""
        text, code = {"Enter": ("\r", 13), " ": (" ", 32), "Tab": ("", 9), "Escape": ("", 27),
                      "ArrowDown": ("", 40), "ArrowUp": ("", 38)}[name]
        press = {"key": name, "code": "Space" if name == " " else name, "modifiers": 8 * shift,
                 "windowsVirtualKeyCode": code, "nativeVirtualKeyCode": code}
        self.send("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown",
                  **({"text": text} if text else {}), **press)
        self.send("Input.dispatchKeyEvent", type="keyUp", **press)

    def event(self, name, seconds=20):
        """The parameters of an event that came, or comes."""
        end = time.monotonic() + seconds
        while name not in self.events:
            check(time.monotonic() < end, "no", name)
            self.value("1")
            time.sleep(0.02)
        return self.events.pop(name)

    def picture(self, file):
        data = self.send("Page.captureScreenshot", format="png")["data"]
        with open(file, "wb") as picture:
            picture.write(base64.b64decode(data))

    def part(self, selector):
        """The picture of the middle of an element, 100 points wide at most."""
        self.value(f"document.querySelector({json.dumps(selector)}).scrollIntoView({{block: 'center'}})")
        box = json.loads(self.value(
            f"(() => {{ const box = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
            "return JSON.stringify({x: Math.max(box.x, 0) + scrollX + 20, y: box.y + scrollY, width: 100,"
            " height: box.height}); })()"))
        return self.send("Page.captureScreenshot", format="png", clip={**box, "scale": 1})["data"]

    def drop(self, files):
        """Drops files in the middle of the window, as a hand with a mouse does."""
        data = {"items": [], "files": files, "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.send("Input.dispatchDragEvent", type=kind, x=300, y=300, data=data)

    def undocumented(self, document):
        """Requests that an OpenAPI document does not have; files of the console are not of it."""
        known = [(method.upper(), re.compile(re.sub(r"\\{[^/]*\\}", "[^/]+", re.escape(path)) + "$"))
                 for path, operations in document["paths"].items() for method in operations]
        return sorted({(method, path) for method, path in self.requests
                       if path != "/" and not path.startswith("/console")
                       and not any(method == verb and pattern.match(path)
                                   for verb, pattern in known)})

    def unnamed(self):
        """Controls without a name for readers of screens."""
        nodes = self.send("Accessibility.getFullAXTree")["nodes"]
        roles = {"button", "link", "textbox", "searchbox", "checkbox", "spinbutton", "combobox",
                 "image", "progressbar", "table"}
        return [node["role"]["value"] for node in nodes
                if not node.get("ignored") and node.get("role", {}).get("value") in roles
                and not node.get("name", {}).get("value", "").strip()]

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.commands)
        os.close(self.answers)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
