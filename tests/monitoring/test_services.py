"""Each service of docker-compose.yml: its command and configuration meet the real program."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
import requests
import yaml  # type: ignore[import-untyped]

from tests.conftest import PROJECT
from tests.monitoring import prometheus
from tests.monitoring.compose import ALONE, SECRETS, SERVICES, changed, contents
from tests.warehouse.conftest import Elsewhere
from warehouse.postgres import Warehouse

REDIS, REDIS_CLI = shutil.which("redis-server"), shutil.which("redis-cli")
ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
AMTOOL, PSQL = shutil.which("amtool"), shutil.which("psql")


def test_prefect_shows_its_pages_and_asks_for_the_password(secrets: Path, tmp_path: Path) -> None:
    service = SERVICES["prefect"]
    assert service["command"] == ["sh", "deploy/prefect.sh"]
    port = prometheus.free_port()
    script = (PROJECT / "deploy" / "prefect.sh").read_text()
    assert "--port=4200" in script
    environment = {
        **ALONE,
        **{name: str(value) for name, value in service["environment"].items()},
        "HOME": str(tmp_path),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PREFECT_HOME": str(tmp_path),
        "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(tmp_path / "ui"),
        "PREFECT_SERVER_UI_API_URL": "http://127.0.0.1:4200/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "SECRETS": str(secrets / "prefect"),
    }
    line = ["sh", "-c", script.replace("4200", str(port))]
    with prometheus.running(line, port, "/api/health", tmp_path / "log", environment) as address:
        assert "<title>Prefect" in requests.get(address, timeout=60).text
        settings = requests.get(f"{address}/ui-settings", timeout=60)
        assert settings.json()["api_url"] == "http://127.0.0.1:4200/api"
        user, password = contents(secrets)["worker/prefect_auth_string"].split(":")
        for login, status in ((None, 401), ((user, "guessed"), 401), ((user, password), 200)):
            said = requests.get(f"{address}/api/admin/version", auth=login, timeout=60)
            assert said.status_code == status


@pytest.mark.skipif(REDIS is None, reason="no redis-server (Debian: redis-server)")
def test_redis_takes_its_configuration_and_lets_nobody_in_without_the_password(
    secrets: Path, tmp_path: Path
) -> None:
    config = tmp_path / "redis.conf"
    port = prometheus.free_port()
    text = (PROJECT / "deploy" / "redis.conf").read_text()
    for before, after in (
        (f"{SECRETS}/", f"{secrets}/redis/"),
        ("dir /data", f"dir {tmp_path}"),
        ("port 6379", f"port {port}"),
        ("bind * -::*", "bind 127.0.0.1"),
    ):
        assert before in text
        text = text.replace(before, after)
    config.write_text(text)
    line = ["redis-server", str(config)]
    assert SERVICES["redis"]["command"][0] == line[0]
    url = (
        (secrets / "worker" / "redis_url").read_text().replace("@redis:6379", f"@localhost:{port}")
    )
    import redis

    process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert any("Ready to accept" in said for said in process.stdout)
        assert redis.Redis.from_url(url).ping()
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=port).ping()
        check = SERVICES["redis"]["healthcheck"]["test"][1].replace("$$", "$")
        check = check.replace(SECRETS, f"{secrets}/redis")
        check = check.replace("redis-cli", f"redis-cli -p {port}")
        assert subprocess.run(["sh", "-c", check], check=False).returncode == 0
    finally:
        process.terminate()
        process.wait()


@pytest.mark.skipif(prometheus.PROMETHEUS is None, reason="no prometheus (Debian: prometheus)")
def test_prometheus_takes_its_command_and_configuration(tmp_path: Path) -> None:
    folder = PROJECT / "monitoring" / "prometheus"
    assert prometheus.PROMTOOL
    done = subprocess.run(
        [prometheus.PROMTOOL, "check", "config", folder / "prometheus.yml"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    scraped = yaml.safe_load((folder / "prometheus.yml").read_text())
    port = SERVICES["worker"]["environment"]["P2P_METRICS_PORT"]
    assert f"worker:{port}" in str(scraped["scrape_configs"])
    assert "alertmanager:9093" in str(scraped["alerting"])
    changes = {
        "--config.file": folder / "prometheus.yml",
        "--storage.tsdb.path": tmp_path / "data",
    }
    port = prometheus.free_port()
    line = ["prometheus", *changed(SERVICES["prometheus"]["command"], changes)]
    line.append(f"--web.listen-address=127.0.0.1:{port}")
    with prometheus.running(line, port, "/-/healthy", tmp_path / "log"):
        pass


@pytest.mark.skipif(
    ALERTMANAGER is None or AMTOOL is None,
    reason="no alertmanager (Debian: prometheus-alertmanager)",
)
def test_alertmanager_takes_its_command_and_configuration(tmp_path: Path) -> None:
    assert ALERTMANAGER
    file = PROJECT / "monitoring" / "alertmanager" / "alertmanager.yml"
    done = subprocess.run(["amtool", "check-config", file], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    # The examples of receivers, in use.
    used = tmp_path / "alertmanager.yml"
    used.write_text(re.sub(r"(?m)^    # ", "    ", file.read_text()))
    assert "email_configs" in yaml.safe_load(used.read_text())["receivers"][0]
    done = subprocess.run(["amtool", "check-config", used], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    changes = {"--config.file": file, "--storage.path": tmp_path / "data"}
    port = prometheus.free_port()
    line = [ALERTMANAGER, *changed(SERVICES["alertmanager"]["command"], changes)]
    line.append(f"--web.listen-address=127.0.0.1:{port}")
    with prometheus.running(line, port, "/-/healthy", tmp_path / "log"):
        pass


def test_grafana_finds_the_dashboards_where_they_are_mounted() -> None:
    folder = PROJECT / "monitoring" / "grafana" / "provisioning" / "dashboards"
    (provider,) = yaml.safe_load((folder / "p2p.yaml").read_text())["providers"]
    mounted = dict(v.split(":")[1::-1] for v in SERVICES["grafana"]["volumes"])
    assert mounted[provider["options"]["path"]] == "./monitoring/dashboards"
    assert mounted["/etc/grafana/provisioning"] == "./monitoring/grafana/provisioning"


@pytest.fixture
def deployed(elsewhere: Elsewhere, secrets: Path, tmp_path: Path) -> Iterator[dict[str, Warehouse]]:
    """A server with passwords as the services postgres, init and logins leave it, by login."""
    superuser = Warehouse(
        "127.0.0.1", elsewhere.port, elsewhere.user, elsewhere.password, "postgres", "prefer"
    )
    password = (secrets / "postgres" / "postgres_password").read_text()
    with superuser.connect(autocommit=True) as connection:
        connection.execute(f"create role owner superuser login password '{password}'".encode())
        connection.execute("create database p2p owner owner")
    urls = tmp_path / "urls"
    urls.mkdir()
    for login in ("admin", "worker"):
        url = (secrets / login / "database_url").read_text()
        (urls / login).write_text(url.replace("@postgres:5432", f"@127.0.0.1:{elsewhere.port}"))
    for _ in range(2):  # at each start
        done = subprocess.run(
            command_here(SERVICES["init"]["command"]),
            cwd=PROJECT,
            env={
                **ALONE,
                "DATABASE_URL_FILE": str(urls / "admin"),
                "P2P_HOME": str(tmp_path / "home"),
            },
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        logins = SERVICES["logins"]
        line = [*logins["entrypoint"][:-1], PROJECT / "deploy" / "logins.sh", "127.0.0.1"]
        assert logins["entrypoint"][-1].endswith("/logins.sh")
        environment = {**ALONE, "SECRETS": str(secrets / "admin"), "PGPORT": str(elsewhere.port)}
        done = subprocess.run(line, env=environment, capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    worker = Warehouse.from_url((urls / "worker").read_text())
    analyst = (secrets / "grafana" / "analyst_password").read_text()
    yield {"worker": worker, "analyst": replace(worker, user="analyst", password=analyst)}
    with superuser.connect(autocommit=True) as connection:
        connection.execute("drop database p2p with (force)")


def command_here(line: list[str]) -> list[str]:
    """A command of the image, from this environment."""
    from tests.flows.conftest import command as of_ours

    assert line[0] == "p2p"
    return of_ours(*line[1:])


@pytest.mark.skipif(PSQL is None, reason="no psql (Debian: postgresql)")
def test_the_worker_writes_and_the_analyst_reads_each_by_a_password_of_its_own(
    deployed: dict[str, Warehouse],
) -> None:
    with deployed["worker"].connect() as connection:
        connection.execute("set role transformer")
        connection.execute("create table marts.mine as select 1 as one")
    with deployed["analyst"].connect() as connection:
        assert connection.execute("select one from marts.mine").fetchone() == (1,)
        with pytest.raises(psycopg.Error):
            connection.execute("create table marts.his (one int)")
    for login in deployed.values():
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            replace(login, password="guessed").connect()


@pytest.mark.parametrize("name", ["worker", "init"])
def test_a_command_of_our_image_is_one_that_there_is(name: str) -> None:
    line = SERVICES[name]["command"]
    assert line[0] == "p2p"
    words = [part for part in line[1:] if not part.startswith("-")]
    program = Path(sys.executable).parent / line[0]
    done = subprocess.run([program, *words, "--help"], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for option in line[1:]:
        if option.startswith("-"):
            assert option.partition("=")[0] in done.stdout
