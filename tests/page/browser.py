"""A headless Chromium that a test drives by the DevTools protocol over a pipe: messages of JSON that end with
a zero byte.  https://chromedevtools.github.io/devtools-protocol has its methods."""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 100  # seconds


def program():
    """Returns the path of the browser, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """A browser with one page."""

    def __init__(self):
        self.folder = tempfile.mkdtemp()
        to_read, self.to = os.pipe()
        self.back, to_write = os.pipe()
        self.process = subprocess.Popen(
            [
                "sh",
                "-c",
                f'exec "$0" "$@" 3<&{to_read} 4>&{to_write}',
                program(),
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
                "--remote-debugging-pipe",
                "--no-first-run",
                "--disable-dev-shm-usage",
                f"--user-data-dir={self.folder}/profile",
                "about:blank",
            ],
            pass_fds=(to_read, to_write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        self.number, self.unread, self.events, self.session = 0, b"", [], None
        target = next(t for t in self.ask("Target.getTargets")["targetInfos"] if t["type"] == "page")
        attached = self.ask("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "DOM", "Log"):
            self.ask(domain + ".enable")
        self.ask("Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=False, flatten=True)

    def close(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _message(self):
        end = time.monotonic() + PATIENCE
        while b"\0" not in self.unread:
            if not select.select([self.back], [], [], max(0, end - time.monotonic()))[0]:
                raise TimeoutError(f"the browser said nothing for {PATIENCE} s")
            got = os.read(self.back, 1 << 20)
            if not got:
                raise EOFError("the browser ended")
            self.unread += got
        message, _, self.unread = self.unread.partition(b"\0")
        return json.loads(message)

    def ask(self, method, **params):
        """Calls a method of the protocol for the page and returns its result."""
        return self._ask(self.session, method, params)

    def in_worker(self, method, **params):
        """The same for the newest worker of the page."""
        began = [e["params"] for e in self.events if e["method"] == "Target.attachedToTarget"]
        workers = [e["sessionId"] for e in began if e["targetInfo"]["type"] == "worker"]
        return self._ask(workers[-1], method, params)

    def _ask(self, session, method, params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._message()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def open(self, url):
        self.ask("Page.navigate", url=url)

    def value(self, expression):
        """Returns the value of an expression in the page; a promise is awaited."""
        got = self.ask("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in got:
            raise RuntimeError(f"{expression}: {got['exceptionDetails']}")
        return got["result"].get("value")

    def wait(self, expression, seconds=60):
        """Waits until an expression is true, and returns its value."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            got = self.value(expression)
            if got:
                return got
            time.sleep(0.05)
        raise TimeoutError(f"{expression} was not true within {seconds} s")

    def key(self, key, code=None, number=0, text=None, modifiers=0):
        """Presses and releases a key."""
        what = {"key": key, "code": code or key, "windowsVirtualKeyCode": number, "modifiers": modifiers}
        self.ask("Input.dispatchKeyEvent", type="keyDown", **what, **({"text": text} if text else {}))
        self.ask("Input.dispatchKeyEvent", type="keyUp", **what)

    def give_file(self, selector, path):
        """Chooses a file in an <input type=file>."""
        root = self.ask("DOM.getDocument")["root"]["nodeId"]
        node = self.ask("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.ask("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def size(self, width, height, density=1):
        """Gives the window so many CSS pixels, each of density x density pixels of the screen."""
        self.window = (width, height, density)
        self._metrics(*self.window)

    def _metrics(self, width, height, density):
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=int(height),
            deviceScaleFactor=density,
            mobile=width < 600,
        )

    def scheme(self, name):
        """Prefers light or dark from now on."""
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def screenshot(self, path, height=None):
        """Writes a picture of the whole page, or of so many CSS pixels of its height."""
        whole = self.ask("Page.getLayoutMetrics")["cssContentSize"]["height"]
        width, _, density = self.window
        self._metrics(width, height or whole, density)
        self.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")
        got = self.ask("Page.captureScreenshot")
        self._metrics(*self.window)
        with open(path, "wb") as file:
            file.write(base64.b64decode(got["data"]))

    def errors(self):
        """Returns what the page has thrown or complained of."""
        return [
            e["params"] for e in self.events if e["method"] in ("Runtime.exceptionThrown", "Log.entryAdded")
        ]
