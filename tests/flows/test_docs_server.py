"""The served pages: read only, below one folder, under the policy that each was written with."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cli.docs_server import serving
from warehouse.errors import UserError

OURS = "default-src 'none'; script-src 'sha256-AAAA='"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.html").write_text("secret")
    folder = outside / "docs"
    (folder / "checks").mkdir(parents=True)
    policy = f'<head><meta http-equiv="Content-Security-Policy" content="{OURS}">'
    (folder / "index.html").write_text(policy + "index")
    (folder / "checks" / "index.html").write_text("checks")
    # What stands further down was written by whoever likes to.
    (folder / "late.html").write_text(" " * 1000 + policy)
    (folder / "p2p.log").write_text("log")
    (folder / ".hidden.html").write_text("hidden")
    (folder / "link.html").symlink_to(outside / "secret.html")
    (folder / "away").symlink_to(outside)
    with serving(folder) as served:
        yield served


def ask(
    address: str, path: str, method: str = "GET", **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=20)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


def test_a_page_goes_out_under_its_own_policy_and_in_nobodys_frame(address: str) -> None:
    answer, body = ask(address, "/?x=1")
    assert (answer.status, body[-5:]) == (200, b"index")
    assert answer.headers["Content-Security-Policy"] == f"{OURS}; frame-ancestors 'none'"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "Python" not in str(answer.headers)


@pytest.mark.parametrize("path", ["/checks/", "/late.html", "/nothing.html"])
def test_without_a_policy_at_its_head_a_page_may_do_nothing(address: str, path: str) -> None:
    answer, _ = ask(address, path)
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.html",
        "/%2e%2e/secret.html",
        "/checks/../../secret.html",
        "//secret.html",
        "/away/secret.html",
        "/link.html",
        "/.hidden.html",
        "/p2p.log",
        "/checks",
        "/index.html%00",
        "/<script>",
    ],
)
def test_nothing_but_pages_below_the_folder_is_served(address: str, path: str) -> None:
    answer, body = ask(address, path)
    assert (answer.status, body) == (404, b"404 Not Found\n")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "<script>"])
def test_nothing_can_be_sent(address: str, method: str) -> None:
    answer, body = ask(address, "/", method)
    assert (answer.status, body) == (501, b"501 Not Implemented\n")
    assert answer.headers["Allow"] == "GET, HEAD"


def test_head_says_what_get_would_send(address: str) -> None:
    answer, body = ask(address, "/", "HEAD")
    assert (answer.status, body) == (200, b"")
    assert answer.headers["Content-Length"] == str(len(ask(address, "/")[1]))


def test_a_site_that_has_its_name_lead_here_is_not_answered(address: str) -> None:
    assert ask(address, "/", Host="evil.example")[0].status == 421
    port = urlsplit(address).port
    assert ask(address, "/", Host=f"localhost:{port}")[0].status == 200


def test_only_this_machine_is_listened_to_and_a_taken_port_is_said(
    address: str, tmp_path: Path
) -> None:
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", address)
    with (
        pytest.raises(UserError, match=r"--port \d+ cannot be served \(Address already in use\)"),
        serving(tmp_path, urlsplit(address).port or 0),
    ):
        pass
