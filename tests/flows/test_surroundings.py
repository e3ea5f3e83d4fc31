"""The operator's machine: proxies, Prefect's own settings, a full disk, and who else is on it."""

from __future__ import annotations

import errno
import http.server
import logging
import os
import subprocess
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
import requests

from flows.proxies import spare_loopback
from load.exchange.calls import Exchange
from load.pace.pacer import Pacer
from load.rates.beside import Host
from tests.conftest import PROJECT
from tests.flows.conftest import (
    PATIENCE,
    House,
    command,
    files_with,
    moment,
    only_line,
    p2p,
    settings_of,
    wait_for,
)
from warehouse.log import FileHandler, configure
from warehouse.masking import learn

NOWHERE = "http://127.0.0.1:9"


class Proxy(http.server.ThreadingHTTPServer):
    """An HTTP proxy that leads to one exchange, whatever host it is asked for."""

    daemon_threads = True

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.target, self.asked = target, set[str]()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Passing(http.server.BaseHTTPRequestHandler):
    server: Proxy

    def do_GET(self) -> None:
        self._pass_on(None)

    def do_POST(self) -> None:
        self._pass_on(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _pass_on(self, body: bytes | None) -> None:
        asked = urlsplit(self.path)
        self.server.asked.add(asked.hostname or "")
        headers = {"Content-Type": self.headers.get("Content-Type", "application/json")}
        target = f"{self.server.target}{asked.path}?{asked.query}"
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(urllib.request.Request(target, body, headers)) as answer:  # noqa: S310
            content = answer.read()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def proxy(house: House) -> Iterator[Proxy]:
    with Proxy(house.exchange.url) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_other_hosts_are_asked_through_the_proxy_and_this_machine_is_not(
    house: House, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, proxy.url)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "")
    spare_loopback()
    pacer, stop = Pacer(1_000), threading.Event()
    for address, asked in (
        (house.exchange.url, set[str]()),
        ("http://exchange.invalid", {"exchange.invalid"}),
    ):
        exchange = Exchange(address, pacer)
        assert exchange.fiats(stop).data
        exchange.close()
        assert proxy.asked == asked
    rates = Host("http://rates.invalid", "p2p", stop)
    assert rates.get_json("/v6/latest/USD")[0] == 200
    rates.close()
    assert proxy.asked == {"exchange.invalid", "rates.invalid"}


def test_who_is_spared_a_proxy_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "db.example, localhost")
    monkeypatch.setenv("NO_PROXY", "")
    spare_loopback()
    assert os.environ["no_proxy"] == "db.example,localhost,127.0.0.1,::1"
    assert os.environ["NO_PROXY"] == os.environ["no_proxy"]
    monkeypatch.setenv("NO_PROXY", "*")
    spare_loopback()
    assert os.environ["NO_PROXY"] == "*"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"ALL_PROXY": "socks5h://anna:hidden-1@127.0.0.1:9"},
            "p2p: ALL_PROXY names a SOCKS proxy, which cannot be used here: "
            "name an HTTP proxy (http://host:port), or unset it.",
        ),
        (
            {"https_proxy": "http://anna:hidden-1@host:port"},
            "p2p: https_proxy is not understood: it must be http://host:port.",
        ),
        (
            {"PREFECT_API_URL": "http://anna:hidden-1@127.0.0.1:9/api"},
            "p2p: PREFECT_API_URL=http://127.0.0.1:9/api cannot be used (Failed to reach API at "
            "http://127.0.0.1:9/api/): start that server, or unset it.",
        ),
        (
            {
                "PREFECT_API_REQUEST_TIMEOUT": "abc",
                "PREFECT_API_URL": "http://127.0.0.1:9/api",
            },
            "p2p: Prefect's settings (PREFECT_…) cannot be read: 1 validation error",
        ),
        (
            {"PYTHONOPTIMIZE": "2"},
            "p2p: PYTHONOPTIMIZE=2 (python -OO) takes away docstrings, without which Great "
            "Expectations does not start: unset it, or set it to 1.",
        ),
    ],
)
def test_what_cannot_be_worked_with_is_named_in_one_line(
    house: House, tmp_path: Path, given: dict[str, str], said: str
) -> None:
    home = tmp_path / "home"
    done = p2p("run", **settings_of(house, P2P_HOME=str(home), **given))
    assert done.returncode == 2
    line = only_line(done)
    assert line.startswith(said), line
    assert "hidden-1" not in done.stderr
    assert files_with(home, ["hidden-1"]) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("prefect.toml", f'[api]\nurl = "{NOWHERE}/api"\n'),
        ("prefect.toml", "not toml"),
        ("pyproject.toml", f'[tool.prefect.api]\nurl = "{NOWHERE}/api"\n'),
        (".env", f"PREFECT_API_URL={NOWHERE}/api\n"),
    ],
)
def test_what_sets_prefect_up_for_another_project_is_left_alone(
    tmp_path: Path, name: str, text: str
) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / name).write_text(text)
    script = (
        "import pathlib, sys; from flows import prefect_home as p, serving;"
        "home = pathlib.Path(sys.argv[1]); p.prepare(home);"
        "s = serving.own_server(home); print(s.__enter__().address in os_url())"
    ).replace("os_url()", "__import__('prefect').settings.PREFECT_API_URL.value()")
    environment = {name: value for name, value in os.environ.items() if "PREFECT" not in name}
    done = subprocess.run(
        [*command()[:2], script, str(tmp_path / "home")],
        cwd=foreign,
        env={**environment, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stdout == "True\n", done.stderr


def test_a_password_in_a_refusal_is_hidden_and_words_like_it_are_not(
    house: House, tmp_path: Path
) -> None:
    place = house.warehouse.url.partition("@")[2].replace(f"/{house.warehouse.database}?", "/{}?")
    for password, shown in (("sword fish/1", "***"), ("server", "server")):
        home = tmp_path / shown.strip("*")
        spelled = quote(password, safe="")
        url = f"postgresql://p2p:{spelled}@{place.format(spelled)}"
        done = p2p("run", **settings_of(house, DATABASE_URL=url, P2P_HOME=str(home)))
        assert only_line(done).endswith(
            f"as p2p: it has no database {shown}: create it, or name another."
        )
        if shown == "***":
            assert files_with(home, [password, spelled]) == []


@pytest.mark.parametrize("place", ["ops.record.pending_loads", "flows.cycle.require_write_access"])
def test_prefect_keeps_no_secret_of_what_a_library_says(
    house: House, prefect_server: str, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    secret = "sword fish-1"  # not in the line that raises, which a traceback shows
    spelled = secret.replace(" ", "+")

    def fail(*_: object) -> None:
        raise RuntimeError(f"{place} found spaces in {spelled}") from OSError(2, secret)

    def kept(kind: str) -> str:
        asked = requests.post(f"{prefect_server}/{kind}/filter", json={}, timeout=PATIENCE)
        assert "fish-1" not in asked.text
        return asked.text

    learn([secret])
    monkeypatch.setattr(place, fail)
    house.empty()
    with pytest.raises(RuntimeError, match=r"spaces in \*\*\*"):
        house.reported_cycle(moment(0))
    assert f"{place} found spaces in ***" in kept("flow_runs")
    kept("task_runs")
    # With the traceback; Prefect sends its lines in batches.
    wait_for(lambda: f"{place} found spaces in ***" in kept("logs"), every=0.2)


@pytest.fixture
def quiet_root() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers[:], root.level = handlers, level


def test_a_log_that_cannot_be_written_says_so_once_and_the_work_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], quiet_root: Callable[[], None]
) -> None:
    configure("text", tmp_path, is_question=True)
    _, file = logging.getLogger().handlers
    assert isinstance(file, FileHandler)

    class Full:
        def write(self, _: str) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def __getattr__(self, _: str) -> Callable[..., int]:
            return lambda *_: 0

    file.stream = Full()  # type: ignore[assignment]
    for number in range(12):
        logging.getLogger("flows.full").warning("event %s", number)
    assert capsys.readouterr().err == (
        f"p2p: {tmp_path}/p2p.log is no longer written ([Errno 28] No space left on device).\n"
    )
