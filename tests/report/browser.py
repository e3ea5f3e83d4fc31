"""A headless Chromium that is told over a pipe what to open, and tells what a page did."""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
PATIENCE = 60.0  # seconds
Json = dict[str, Any]


@dataclass
class Opened:
    """What a page did while it was opened, and what it then says of itself."""

    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    said: Any = None


class Browser:
    """One running Chromium, spoken to in its DevTools protocol."""

    def __init__(self, process: subprocess.Popen[bytes], to: int, from_: int) -> None:
        self._process, self._to, self._from = process, to, from_
        self._rest = b""
        self._number = 0

    def open(
        self, page: Path | str, question: str, *, width: int = 1200, scheme: str = "light"
    ) -> Opened:
        """Open a page of a width in a colour scheme, and evaluate `question` in it once loaded.

        The page is a file or an address; a promise that the question comes to is waited for.
        """
        opened = Opened()
        target = self._call("Target.createTarget", {"url": "about:blank"}, opened)["targetId"]
        attach = {"targetId": target, "flatten": True}
        session = self._call("Target.attachToTarget", attach, opened)["sessionId"]

        def call(method: str, **parameters: Any) -> Json:
            return self._call(method, parameters, opened, session)

        for domain in ("Page", "Runtime", "Log", "Network"):
            call(f"{domain}.enable")
        call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=800, deviceScaleFactor=1, mobile=width < 500,
        )  # fmt: skip
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        call("Emulation.setEmulatedMedia", features=features)
        call("Page.navigate", url=page if isinstance(page, str) else page.as_uri())
        while self._read(opened).get("method") != "Page.loadEventFired":
            pass
        answer = call(
            "Runtime.evaluate", expression=question, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer
        opened.said = answer["result"].get("value")
        self._call("Target.closeTarget", {"targetId": target}, opened)
        return opened

    def _call(
        self, method: str, parameters: Json, opened: Opened, session: str | None = None
    ) -> Json:
        self._number += 1
        message: Json = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while (answer := self._read(opened)).get("id") != self._number:
            pass
        assert "error" not in answer, answer
        result: Json = answer["result"]
        return result

    def _read(self, opened: Opened) -> Json:
        """The next message; what tells of the page is noted."""
        until = time.monotonic() + PATIENCE
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._from], [], [], max(0.0, until - time.monotonic()))
            part = os.read(self._from, 1 << 20) if ready else b""
            assert part, f"chromium says nothing (exit status {self._process.poll()})"
            self._rest += part
        first, _, self._rest = self._rest.partition(b"\0")
        message: Json = json.loads(first)
        told = message.get("params", {})
        match message.get("method"):
            case "Network.requestWillBeSent":
                opened.requests.append(told["request"]["url"])
            case "Runtime.consoleAPICalled":
                opened.complaints.append(f"{told['type']}: {told['args']}")
            case "Runtime.exceptionThrown":
                opened.complaints.append(f"{told['exceptionDetails']}")
            case "Log.entryAdded":
                opened.complaints.append(told["entry"]["text"])
            case "Page.javascriptDialogOpening":
                opened.complaints.append(f"dialog: {told['message']}")
        return message


@contextmanager
def chromium() -> Iterator[Browser]:
    """A Chromium with a profile of its own, which is gone afterwards."""
    assert CHROMIUM
    pipes = [*os.pipe(), *os.pipe()]
    # The browser is told on descriptor 3 and tells on 4: out of their way before they are made.
    its_in, to, from_, its_out = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in pipes)

    def wire() -> None:
        os.dup2(its_in, 3)
        os.dup2(its_out, 4)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [
                CHROMIUM, "--headless", "--remote-debugging-pipe", f"--user-data-dir={profile}",
                "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "about:blank",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(3, 4),
            preexec_fn=wire,
        )  # fmt: skip
        # Not before: what a new process opens for itself would come to stand on 3 and 4.
        for end in (*pipes, its_in, its_out):
            os.close(end)
        try:
            yield Browser(process, to, from_)
        finally:
            process.kill()
            process.wait()
            for end in (to, from_):
                os.close(end)
