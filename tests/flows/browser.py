"""A headless Chromium without network, driven over its DevTools protocol."""

import base64
import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)


class Browser:
    """One page in one browser; `complaints` are console errors, `asked` what it requested."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket, self.number = socket, 0
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.is_loaded = False

    @classmethod
    @contextmanager
    def open(cls, chromium: str, profile: Path, address: str) -> Iterator["Browser"]:
        """Start Chromium, open a page and wait until it has loaded."""
        command = [chromium, *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            port, place = _told(profile / "DevToolsActivePort")
            with connect(f"ws://127.0.0.1:{port}{place}", max_size=None, proxy=None) as socket:
                browser = cls(socket)
                browser.attach(address)
                yield browser
        finally:
            process.terminate()
            process.wait(timeout=20)

    def attach(self, address: str) -> None:
        """Take the first page and lead it to an address."""
        self.session = ""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Page.navigate", url=address)
        while not self.is_loaded:
            self._take(json.loads(self.socket.recv(timeout=30)))

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and wait for its answer."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        self.socket.send(
            json.dumps(message | ({"sessionId": self.session} if self.session else {}))
        )
        while True:
            answer = json.loads(self.socket.recv(timeout=60))
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]
            self._take(answer)

    def _take(self, event: dict[str, Any]) -> None:
        method, parameters = event.get("method"), event.get("params", {})
        if method == "Page.loadEventFired":
            self.is_loaded = True
        elif method == "Network.requestWillBeSent":
            self.asked.append(parameters["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(parameters["exceptionDetails"]))
        elif method == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.complaints.append(parameters["entry"]["text"])
        elif method == "Runtime.consoleAPICalled" and parameters["type"] == "error":
            self.complaints.append(str(parameters["args"]))

    def evaluate(self, expression: str) -> Any:
        """Give what an expression is on the page, its promise awaited."""
        result = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def press_tab(self) -> None:
        """Press the tabulator once."""
        key = {"key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9}
        self.call("Input.dispatchKeyEvent", type="rawKeyDown", **key)
        self.call("Input.dispatchKeyEvent", type="keyUp", **key)

    def axe(self, scheme: str) -> list[dict[str, Any]]:
        """Let axe-core judge the page in a colour scheme; give what it found wrong."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", features=[feature])
        script = files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")
        self.evaluate(f"{script};undefined")
        faults = "r.violations.map(v => ({id: v.id, impact: v.impact}))"
        return list(self.evaluate(f"axe.run().then(r => {faults})"))

    def printed_sheets(self) -> int:
        """Print the page as PDF and count its sheets."""
        pdf = base64.b64decode(self.call("Page.printToPDF", preferCSSPageSize=True)["data"])
        return len(re.findall(rb"/Type\s*/Page\b", pdf))


def _told(path: Path) -> tuple[str, str]:
    """Wait until the browser has said where it listens."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        lines = path.read_text(encoding="utf-8").split() if path.exists() else []
        if len(lines) == 2:
            return lines[0], lines[1]
        time.sleep(0.05)
    raise TimeoutError("chromium does not say where it listens")
