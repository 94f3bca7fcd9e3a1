"""A headless Chromium, driven by its DevTools protocol over a pair of pipes: no driver, no port."""
import base64
import json
import os
import shutil
import subprocess

import pytest

from .processes import clean_environment
from .waiting import until


class Browser:
    def __init__(self, folder):
        program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        if not program:
            pytest.skip("no Chromium is installed (package chromium)")
        to_browser, self._out = os.pipe()
        self._in, from_browser = os.pipe()

        def pipes():
            """It reads 3 and writes 4."""
            read, write = os.dup2(to_browser, 60), os.dup2(from_browser, 61)
            os.dup2(read, 3), os.dup2(write, 4)
        self.process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--remote-debugging-pipe", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-extensions", "--disable-background-networking", "--hide-scrollbars", "--mute-audio", f"--user-data-dir={folder}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=pipes, close_fds=False,
            env={**clean_environment(), "HOME": folder}, start_new_session=True)
        os.close(to_browser), os.close(from_browser)
        self._number, self._left, self.events = 0, b"", []
        self.session = None
        page = next(target for target in self.call("Target.getTargets")["targetInfos"] if target["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    # the protocol

    def _receive(self):
        while b"\0" not in self._left:
            data = os.read(self._in, 1 << 20)
            assert data, "the browser has ended"
            self._left += data
        message, self._left = self._left.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **params):
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer)
                return answer["result"]
            if "method" in answer:
                self.events.append(answer)

    # a page

    def open(self, url, width=1280, height=900, dark=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.call("Page.navigate", url=url)

    def value(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def text(self):
        return self.value("document.body ? document.body.innerText : ''") or ""

    def until(self, *words, seconds=15):
        until(lambda: all(word in self.text() for word in words), seconds, lambda: f"the page says {words}:\n{self.text()}", every=0.1)

    def shoot(self, path):
        height = self.value("document.documentElement.scrollHeight")
        size = self.value("[document.documentElement.clientWidth, 0]")[0]
        image = self.call("Page.captureScreenshot", captureBeyondViewport=True, clip={"x": 0, "y": 0, "width": size, "height": height, "scale": 1})
        with open(path, "wb") as file:
            file.write(base64.b64decode(image["data"]))

    def complaints(self):
        """What the console said, and what was refused or asked elsewhere."""
        found = []
        for event in self.events:
            params = event["params"]
            if event["method"] == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
                found.append(params["entry"]["text"])
            if event["method"] in ("Runtime.exceptionThrown",):
                found.append(json.dumps(params["exceptionDetails"])[:500])
            if event["method"] == "Runtime.consoleAPICalled":
                found.append(json.dumps(params["args"])[:300])
        return found

    def asked(self):
        """The addresses of all requests."""
        return [event["params"]["request"]["url"] for event in self.events if event["method"] == "Network.requestWillBeSent"]

    def close(self):
        try:
            self.session = None
            self.call("Browser.close")
        except (AssertionError, OSError):
            pass
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self._in), os.close(self._out)
