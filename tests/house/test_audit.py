"""The audit of the lock tells what is known, that nothing is, and that nobody could be asked."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

from tests.house import tree

KNOWN: dict[str, object] = {
    "id": "OSV-1",
    "affected": [
        {
            "package": {"name": "uv", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99"}]}],
        }
    ],
}


@contextmanager
def vulnerabilities(bad: str) -> Iterator[str]:
    """A list that knows of one in the package `bad`."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            known = [KNOWN] if asked["package"]["name"] == bad else []
            body = json.dumps({"vulns": known} if known else {}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


def audit(address: str) -> subprocess.CompletedProcess[str]:
    line = [str(tree.ROOT / ".ci" / "audit"), "--osv-url", address]
    return subprocess.run(line, capture_output=True, text=True)


def test_an_audit_says_which_package_is_bad_or_that_none_is_or_that_nobody_answers() -> None:
    with vulnerabilities("uv") as address:
        bad = audit(address)
    with vulnerabilities("none") as address:
        good = audit(address)
    silent = audit("http://127.0.0.1:1/")
    assert (bad.returncode, good.returncode, silent.returncode) == (1, 0, 2)
    assert "OSV-1" in bad.stdout
    assert good.stdout.startswith("No known vulnerability")
    (line,) = silent.stderr.splitlines()
    assert line.startswith("make audit: nothing was audited")
