"""A real headless Chromium, spoken to in its own DevTools protocol over a pipe: no driver, no port, no package.

Whatever a page does that it should not is written down: dialogs, requests, console messages, exceptions, violations of
its policy. The browser is Debian's `chromium`; as root it needs --no-sandbox.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-extensions", "--disable-dev-shm-usage", "--hide-scrollbars",
    "--force-color-profile=srgb", "--remote-debugging-pipe",
)  # fmt: skip
ANSWER_SECONDS = 60.0


def binary() -> str | None:
    """Return the program, or None where it is not installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@dataclass
class Seen:
    """What a page did: each as text."""

    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    windows: list[str] = field(default_factory=list)


class Browser:
    """One tab."""

    def __init__(self, process: subprocess.Popen[bytes], write: int, read: int) -> None:
        self._process, self._write, self._read = process, write, read
        self._buffer, self._number, self._session = b"", 0, ""
        self._loaded = False
        self.seen = Seen()
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "DOM", "Accessibility"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Ask, and wait for the answer; whatever happens meanwhile is written down."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next(ANSWER_SECONDS)
            if answer is None:
                raise AssertionError(f"no answer to {method}")
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise AssertionError(f"{method}: {answer['error']}")
                return dict(answer["result"])
            self._note(answer)

    def _next(self, seconds: float) -> dict[str, Any] | None:
        until = time.monotonic() + seconds
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0, until - time.monotonic()))
            if not ready:
                return None
            chunk = os.read(self._read, 1 << 20)
            if not chunk:
                raise AssertionError("the browser went away")
            self._buffer += chunk
        raw, _, self._buffer = self._buffer.partition(b"\0")
        return dict(json.loads(raw))

    def _note(self, event: dict[str, Any]) -> None:
        method, said = event.get("method", ""), event.get("params", {})
        if method == "Page.javascriptDialogOpening":
            self.seen.dialogs.append(said["message"])
            self._number += 1
            answer = {
                "id": self._number,
                "method": "Page.handleJavaScriptDialog",
                "params": {"accept": True},
                "sessionId": self._session,
            }
            os.write(self._write, json.dumps(answer).encode() + b"\0")
        elif method == "Network.requestWillBeSent":
            self.seen.requests.append(said["request"]["url"])
        elif method == "Log.entryAdded":
            self.seen.console.append(said["entry"]["text"])
        elif method == "Runtime.consoleAPICalled":
            self.seen.console.append(str([one.get("value") for one in said["args"]]))
        elif method == "Runtime.exceptionThrown":
            self.seen.console.append(str(said["exceptionDetails"].get("text")))
        elif method in {"Page.windowOpen", "Page.downloadWillBegin"}:
            self.seen.windows.append(str(said.get("url")))
        elif method == "Page.loadEventFired":
            self._loaded = True

    def rest(self, seconds: float) -> None:
        """Let the page do what it wants for a while."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            event = self._next(left)
            if event is not None:
                self._note(event)

    def open(self, url: str, *, width: int = 1280, height: int = 900, is_dark: bool = False) -> Seen:
        """Load a page and return what it did, the request for itself left out."""
        self.look(width, height, is_dark=is_dark)
        self.seen, self._loaded = Seen(), False
        self.call("Page.navigate", url=url)
        until = time.monotonic() + ANSWER_SECONDS
        while not self._loaded:
            event = self._next(max(0, until - time.monotonic()))
            if event is None:
                raise AssertionError(f"{url} did not load")
            self._note(event)
        self.rest(0.3)
        assert self.seen.requests
        assert self.seen.requests.pop(0) == url
        return self.seen

    def look(self, width: int, height: int = 900, *, is_dark: bool = False) -> None:
        """Choose the window and the colour scheme."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        self.call("Emulation.setEmulatedMedia", media="", features=[scheme])

    def value(self, expression: str) -> Any:
        """Evaluate in the page, as the tools may, whatever the page's policy says."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=9 if key == "Tab" else 13
            )

    def picture(self, path: Path, *, height: int | None = None, top: int = 0) -> None:
        """Write the page, or so much of it, as PNG."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": top, "width": size["width"], "height": height or size["height"] - top, "scale": 1}
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(answer["data"]))

    def pdf(self, path: Path) -> None:
        """Write the page as it is printed on A4."""
        answer = self.call(
            "Page.printToPDF", printBackground=True, paperWidth=8.27, paperHeight=11.69, preferCSSPageSize=False
        )
        path.write_bytes(base64.b64decode(answer["data"]))


@contextmanager
def running(program: str, folder: Path) -> Iterator[Browser]:
    """Give a browser with a profile of its own in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    from_browser, to_us = os.pipe()
    to_browser, from_us = os.pipe()
    # The protocol is spoken on descriptors 3 (read) and 4 (written); ours may have these numbers, so they move up first.
    ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (to_browser, to_us)]
    os.close(to_browser)
    os.close(to_us)

    def plug() -> None:
        os.dup2(ends[0], 3)
        os.dup2(ends[1], 4)

    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={folder / 'data'}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(3, 4), preexec_fn=plug, start_new_session=True,  # noqa: PLW1509 - no thread of ours holds a lock here
            env={**os.environ, "HOME": str(folder)},
        )  # fmt: skip
    for end in ends:
        os.close(end)
    try:
        yield Browser(process, from_us, from_browser)
    finally:
        os.close(from_us)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(from_browser)
