"""A headless Chromium, driven over a pipe by its DevTools protocol: no driver, no port.

The page under test may reach nothing: names resolve to nothing, and what it asks for is
counted.
"""

import base64
import itertools
import json
import os
import shutil
import subprocess
import tempfile

PROGRAMS = ("chromium-headless-shell", "chromium")


def program():
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


class Browser:
    """One page in one browser; every event of it is kept."""

    def __init__(self):
        self.place = tempfile.TemporaryDirectory()
        to_read, self.to_write = os.pipe()
        self.from_read, from_write = os.pipe()
        command = [program(), "--headless", "--remote-debugging-pipe", "--no-sandbox",
                   "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                   "--host-resolver-rules=MAP * ~NOTFOUND",
                   f"--user-data-dir={self.place.name}", "about:blank"]

        def ends():  # the browser reads 3 and writes 4
            os.dup2(to_read, 13), os.dup2(from_write, 14)
            os.dup2(13, 3), os.dup2(14, 4)

        self.process = subprocess.Popen(command, preexec_fn=ends, close_fds=False,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read), os.close(from_write)
        self.numbers, self.rest, self.events, self.session = itertools.count(1), b"", [], None
        page = self("Target.createTarget", url="about:blank")["targetId"]
        self.session = self("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
            self(domain + ".enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.place.cleanup()

    def message(self):
        while b"\0" not in self.rest:
            more = os.read(self.from_read, 1 << 16)
            if not more:
                raise EOFError("the browser has ended")
            self.rest += more
        text, self.rest = self.rest.split(b"\0", 1)
        return json.loads(text)

    def __call__(self, method, **parameters):
        """Calls a method of the protocol and waits for its answer; events are kept."""
        number = next(self.numbers)
        call = {"id": number, "method": method, "params": parameters}
        if self.session:
            call["sessionId"] = self.session
        os.write(self.to_write, json.dumps(call).encode() + b"\0")
        while True:
            message = self.message()
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                return message["result"]
            self.keep(message)

    def keep(self, event):
        self.events.append(event)
        if event.get("method") == "Page.javascriptDialogOpening":
            call = {"id": next(self.numbers), "method": "Page.handleJavaScriptDialog",
                    "params": {"accept": False}, "sessionId": self.session}
            os.write(self.to_write, json.dumps(call).encode() + b"\0")

    def open(self, path):
        before = len(self.of("Page.loadEventFired"))
        self.url = "file://" + os.path.abspath(path)
        self("Page.navigate", url=self.url)
        while len(self.of("Page.loadEventFired")) == before:
            self.keep(self.message())

    def run(self, script):
        """The value of an expression in the page."""
        got = self("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in got:
            raise RuntimeError(got["exceptionDetails"]["exception"]["description"])
        return got["result"].get("value")

    def of(self, method):
        return [e["params"] for e in self.events if e.get("method") == method]

    def media(self, media="", **features):
        self("Emulation.setEmulatedMedia", media=media, features=[
            {"name": name.replace("_", "-"), "value": value} for name, value in features.items()])

    def width(self, pixels, height=800, mobile=False):
        self("Emulation.setDeviceMetricsOverride", width=pixels, height=height,
             deviceScaleFactor=2 if mobile else 1, mobile=mobile)

    def press(self, key, code):
        for kind in ("keyDown", "keyUp"):
            self("Input.dispatchKeyEvent", type=kind, key=key, code=key,
                 windowsVirtualKeyCode=code, **({"text": "\r"} if key == "Enter" else {}))

    def screenshot(self, path, clip=None):
        options = {"captureBeyondViewport": True}
        if clip:
            options["clip"] = dict(zip(("x", "y", "width", "height"), clip), scale=1)
        data = self("Page.captureScreenshot", **options)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def pdf(self, path):
        data = self("Page.printToPDF", preferCSSPageSize=True, printBackground=True)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))
