"""A headless Chromium, driven over its debugging protocol with what the package already depends on (tornado).

with Browser() as browser:
    page = browser.open(path, width=1280)
    page.wait("document.querySelectorAll('img').length > 3")
"""

import asyncio
import base64
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from tornado.websocket import WebSocketClientConnection, websocket_connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
KEYS = {"ArrowRight": 39, "ArrowLeft": 37, "Escape": 27, "Enter": 13, "Tab": 9, "/": 191, "?": 191}


def find_browser() -> str | None:
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Browser:
    """One process with a profile of its own, which goes with it."""

    def __enter__(self) -> "Browser":
        program = find_browser()
        if program is None:
            raise SystemExit(f"None of {', '.join(NAMES)} is installed. Debian: apt install chromium.")
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        flags = "--headless --no-sandbox --disable-gpu --hide-scrollbars --no-first-run".split()
        self._process = subprocess.Popen(
            [
                program,
                *flags,
                "--remote-debugging-port=0",
                f"--user-data-dir={self._folder.name}",
                "about:blank",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        told = Path(self._folder.name, "DevToolsActivePort")
        for _ in range(300):
            if told.exists() and told.read_text().count("\n"):
                break
            time.sleep(0.1)
        self._port = int(told.read_text().split()[0])
        self._loop = asyncio.new_event_loop()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._loop.close()
        self._folder.cleanup()

    def open(
        self, path: Path, address: str = "", width: int = 1280, height: int = 900, dark: bool = False
    ) -> "Page":
        """A new tab with a file. The page knows how long it took until its first picture could be seen."""
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}/json/new", method="PUT")
        with urllib.request.urlopen(request, timeout=30) as answer:
            told = json.load(answer)
        page = Page(self._loop, told["webSocketDebuggerUrl"], path.absolute().as_uri())
        page.start(address, width, height, dark)
        return page


class Page:
    """A tab: `js` asks it, `press` and `click` use it, `problems` is what its console complained of."""

    def __init__(self, loop: asyncio.AbstractEventLoop, socket: str, address: str) -> None:
        self._loop, self._address = loop, address
        self._socket = loop.run_until_complete(_connected(socket))
        self._number = 0
        self.problems: list[str] = []
        self.requests: list[str] = []

    def start(self, address: str, width: int, height: int, dark: bool) -> None:
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        phone = width < 600
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if phone else 1,
            mobile=phone,
        )
        scheme = "dark" if dark else "light"
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        began = time.monotonic()
        self.call("Page.navigate", url=self._address + address)
        self.wait("[...document.images].some((i) => i.complete && i.naturalWidth > 0)")
        self.first_picture_s = time.monotonic() - began
        self.wait("document.readyState === 'complete'")

    def call(self, method: str, **params: Any) -> dict:
        self._number += 1
        self._loop.run_until_complete(self._send(method, params))
        while True:
            message = self._loop.run_until_complete(self._read())
            if message.get("id") == self._number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]
            self._heard(message)

    def js(self, expression: str) -> Any:
        """The value of an expression, awaited."""
        told = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in told:
            raise RuntimeError(
                f"{expression}: {told['exceptionDetails'].get('exception', {}).get('description')}"
            )
        return told["result"].get("value")

    def wait(self, expression: str, seconds: float = 20) -> None:
        end = time.monotonic() + seconds
        while not self.js(f"Boolean({expression})"):
            if time.monotonic() > end:
                raise AssertionError(f"not within {seconds} s: {expression}; console: {self.problems}")
            time.sleep(0.02)

    def press(self, key: str) -> None:
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        code = KEYS.get(key, ord(key[0].upper()))
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def write(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def go(self, address: str) -> None:
        """Follow an address inside the page, and wait for its view."""
        self.js(f"location.hash = {json.dumps(address)}")
        self.settled()

    def settled(self) -> None:
        time.sleep(0.05)
        self.wait("!document.getElementById('view').hasAttribute('aria-busy')")

    def picture(self, path: Path, full: bool = False, quality: int | None = None) -> None:
        kind = {"format": "png"} if quality is None else {"format": "webp", "quality": quality}
        told = self.call("Page.captureScreenshot", captureBeyondViewport=full, **kind)
        path.write_bytes(base64.b64decode(told["data"]))

    async def _send(self, method: str, params: dict) -> None:
        await self._socket.write_message(json.dumps({"id": self._number, "method": method, "params": params}))

    async def _read(self) -> dict:
        text = await asyncio.wait_for(self._socket.read_message(), 60)
        return json.loads(text)

    def _heard(self, message: dict) -> None:
        params = message.get("params", {})
        if message.get("method") == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.problems.append(params["entry"]["text"])
        elif message.get("method") == "Runtime.exceptionThrown":
            self.problems.append(json.dumps(params["exceptionDetails"])[:500])
        elif message.get("method") == "Runtime.consoleAPICalled" and params["type"] in (
            "error",
            "warning",
            "assert",
        ):
            self.problems.append(json.dumps(params["args"])[:500])
        elif message.get("method") == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"][:200])


async def _connected(address: str) -> WebSocketClientConnection:
    return await websocket_connect(address, max_message_size=1 << 28)
