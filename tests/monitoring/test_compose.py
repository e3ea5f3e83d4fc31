"""docker-compose.yml, as far as it can be tried where no engine runs: what it says, and each part.

Every service's command and configuration meets the real program, where Debian has it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml  # type: ignore[import-untyped]

from tests.conftest import PROJECT
from tests.monitoring import prometheus
from tests.monitoring.test_image import dockerfile
from tests.warehouse.conftest import Elsewhere
from warehouse.postgres import Warehouse
from warehouse.settings import load_settings

COMPOSE = shutil.which("docker-compose")
REDIS, REDIS_CLI = shutil.which("redis-server"), shutil.which("redis-cli")
ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
AMTOOL, PSQL = shutil.which("amtool"), shutil.which("psql")
ONCE = {"secrets", "init", "logins"}
SECRETS = "/run/secrets/p2p"
ALONE = {"PATH": os.environ["PATH"], "HOME": "/nowhere"}

Services = dict[str, dict[str, Any]]


def written() -> dict[str, Any]:
    """The file as it is written; YAML fills in what is said once for many."""
    whole: dict[str, Any] = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())
    return whole


SERVICES: Services = written()["services"]
each_service = pytest.mark.parametrize("name", SERVICES)


def changed(line: list[str], changes: Mapping[str, object]) -> list[str]:
    """A command with other values for some of its options, each of which must be there."""
    for option, value in changes.items():
        assert any(part.startswith(f"{option}=") for part in line), option
        line = [f"{option}={value}" if part.startswith(f"{option}=") else part for part in line]
    return line


@pytest.mark.skipif(COMPOSE is None, reason="no docker-compose (Debian: docker-compose)")
def test_the_file_is_valid_with_no_env_file_and_with_one(tmp_path: Path) -> None:
    for text in ("", "EXTRACTION_INTERVAL=30\nP2P_FIATS=VES,ARS\nGRAFANA_PORT=3001\n"):
        env = tmp_path / "env"
        env.write_text(text)
        done = subprocess.run(
            ["docker-compose", "--env-file", env, "config"],
            cwd=PROJECT, env=ALONE, capture_output=True, text=True,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        services: Services = yaml.safe_load(done.stdout)["services"]
        assert set(services) == set(SERVICES)
    assert services["worker"]["environment"]["EXTRACTION_INTERVAL"] == "30"
    assert services["worker"]["environment"]["P2P_FIATS"] == "VES,ARS"
    assert "3001" in str(services["grafana"]["ports"])


@each_service
def test_a_service_may_do_no_more_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "pid", "ipc", "devices"} & set(service)
    assert not any("docker.sock" in str(volume) for volume in service["volumes"])
    user = service.get("user") or dockerfile("USER")[0]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)


@each_service
def test_an_image_is_pinned_by_exact_tag(name: str) -> None:
    assert re.fullmatch(r"[a-z0-9/.-]+:v?\d+\.\d+(\.\d+)?(-[a-z]+)?", SERVICES[name]["image"])


@each_service
def test_what_goes_on_is_watched_and_restarted_and_what_ends_is_not(name: str) -> None:
    service = SERVICES[name]
    assert ("healthcheck" in service) is (name not in ONCE)
    assert service.get("restart") == (None if name in ONCE else "unless-stopped")


def test_one_port_is_published_and_to_this_machine_only() -> None:
    published = {name: one["ports"] for name, one in SERVICES.items() if "ports" in one}
    assert published == {"grafana": ["127.0.0.1:${GRAFANA_PORT:-3000}:3000"]}
    networks = written()["networks"]
    assert networks["inside"] == networks["runs"] == {"internal": True}
    on = {
        network: {name for name, one in SERVICES.items() if network in one.get("networks", [])}
        for network in networks
    }
    assert on["outside"] == {"worker", "alertmanager", "grafana"}
    assert on["runs"] == {"worker", "prefect"}, (
        "who reaches Prefect may have the worker run anything"
    )
    assert SERVICES["prefect"]["networks"] == ["runs"]


@each_service
def test_no_secret_stands_in_an_environment_or_a_command(name: str) -> None:
    service = SERVICES[name]
    for variable, value in service.get("environment", {}).items():
        if re.search(r"(?i)passw|secret|token|key|database_url|redis_url", variable):
            assert value.startswith(SECRETS) or value == f"${{{variable}:-}}", variable
            assert variable.endswith("_FILE") or variable == "SECRETS"
    assert "://" not in str([part for part in service.get("command", []) if "@" in str(part)])


def test_every_volume_is_declared_and_each_secret_goes_to_whom_it_is_for() -> None:
    volumes = set(written()["volumes"])
    used: dict[str, set[str]] = {}
    for name, service in SERVICES.items():
        for volume in service["volumes"]:
            source, target, *mode = volume.split(":")
            if source.startswith("./"):
                assert (PROJECT / source).exists(), source
                assert mode == ["ro"]
            else:
                used.setdefault(source, set()).add(name)
            if target == SECRETS:
                assert mode == ["ro"]
    assert set(used) == volumes
    readers = {name: used[name] - {"secrets"} for name in used if name.startswith("secrets-")}
    assert readers == {
        "secrets-admin": {"init", "logins"},
        "secrets-postgres": {"postgres"},
        "secrets-redis": {"redis"},
        "secrets-worker": {"worker"},
        "secrets-grafana": {"grafana"},
    }


def test_what_needs_another_waits_for_it() -> None:
    for service in SERVICES.values():
        for other, how in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if other in ONCE else "service_healthy"
            assert how == {"condition": wanted}


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the service makes at the first start."""
    folder = tmp_path_factory.mktemp("made")
    for volume in SERVICES["secrets"]["volumes"]:
        (folder / Path(volume.partition(":")[2]).name).mkdir()
    make_secrets(folder)
    return folder


def make_secrets(folder: Path, *more: str, given: str = "") -> None:
    line = [part.replace("/run/made", str(folder)) for part in SERVICES["secrets"]["command"]]
    done = subprocess.run(
        [*line, *more], cwd=PROJECT, env=ALONE, input=given, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def contents(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): file.read_text()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def test_secrets_are_made_once_and_by_chance(secrets: Path, tmp_path: Path) -> None:
    first = contents(secrets)
    make_secrets(secrets)
    assert contents(secrets) == first
    for folder in secrets.iterdir():
        (tmp_path / folder.name).mkdir()
    make_secrets(tmp_path)
    other = contents(tmp_path)
    assert set(other) == set(first)
    assert all(other[name] != first[name] for name in first)
    made = [name for name in first if name.endswith("password")]
    assert all(re.fullmatch(r"[0-9a-f]{48}", first[name]) for name in made)
    assert first["postgres/postgres_password"] == first["admin/postgres_password"]
    assert {(secrets / name).stat().st_mode & 0o777 for name in first} == {0o444}


def test_a_secret_that_was_left_half_made_is_made(tmp_path: Path) -> None:
    for name in ("admin", "postgres", "redis", "worker", "grafana"):
        (tmp_path / name).mkdir()
    (tmp_path / "redis" / "password").touch()
    make_secrets(tmp_path)
    assert len((tmp_path / "redis" / "password").read_text()) == 48


def test_a_secret_of_ones_own_comes_by_standard_input_and_the_worker_takes_it(
    secrets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, file = contents(secrets), secrets / "worker" / "binance_api_key"
    for key in ("of-mine", "another"):
        make_secrets(secrets, "worker/binance_api_key", given=f"{key}\n")
        assert contents(secrets) == made | {"worker/binance_api_key": key}
        monkeypatch.setenv("BINANCE_API_KEY_FILE", str(file))
        taken = load_settings().binance_api_key
        assert taken is not None
        assert taken.get_secret_value() == key
    with pytest.raises(AssertionError, match=r"assert \(2, ''"):
        make_secrets(secrets, "worker/binance_api_key")
    file.unlink()


def test_every_file_that_a_service_reads_is_made(secrets: Path) -> None:
    made = contents(secrets)
    for name, service in SERVICES.items():
        mounted = [v.split(":")[0] for v in service["volumes"] if v.split(":")[1] == SECRETS]
        named = re.findall(rf"{SECRETS}/(\w+)", str(service))
        assert bool(named) <= bool(mounted), name
        for file in named:
            assert f"{mounted[0].removeprefix('secrets-')}/{file}" in made
    assert "grafana/analyst_password" in made


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


@pytest.mark.parametrize("name", ["worker", "prefect", "init"])
def test_a_command_of_our_image_is_one_that_there_is(name: str) -> None:
    line = SERVICES[name]["command"]
    assert line[0] in ("p2p", "prefect")
    words = [part for part in line[1:] if not part.startswith("-")]
    program = Path(sys.executable).parent / line[0]
    done = subprocess.run([program, *words, "--help"], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for option in line[1:]:
        if option.startswith("-"):
            assert option.partition("=")[0] in done.stdout
