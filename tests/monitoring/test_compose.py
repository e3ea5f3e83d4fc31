"""docker-compose.yml, as far as it can be tried where no engine runs: what it says."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from tests.conftest import PROJECT
from tests.monitoring.compose import (
    ALONE,
    SECRETS,
    SERVICES,
    Services,
    contents,
    make_secrets,
    written,
)
from tests.monitoring.test_image import dockerfile
from warehouse.settings import load_settings

COMPOSE = shutil.which("docker-compose")
ONCE = {"secrets", "init", "logins"}

each_service = pytest.mark.parametrize("name", SERVICES)


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


def test_one_service_builds_our_image_and_nobody_looks_for_it_elsewhere() -> None:
    ours = {name: one for name, one in SERVICES.items() if one["image"].startswith("p2p-")}
    assert [name for name, one in ours.items() if "build" in one] == ["secrets"]
    assert {name for name, one in ours.items() if one.get("pull_policy") == "never"} == (
        set(ours) - {"secrets"}
    )


@each_service
def test_what_goes_on_is_watched_and_restarted_and_what_ends_is_not(name: str) -> None:
    service = SERVICES[name]
    assert ("healthcheck" in service) is (name not in ONCE)
    assert service.get("restart") == (None if name in ONCE else "unless-stopped")


def test_what_asks_for_a_password_is_published_and_to_this_machine_only() -> None:
    published = {name: one["ports"] for name, one in SERVICES.items() if "ports" in one}
    assert published == {
        "grafana": ["127.0.0.1:${GRAFANA_PORT:-3000}:3000"],
        "prefect": ["127.0.0.1:${PREFECT_PORT:-4200}:4200"],
    }
    analysts = yaml.safe_load((PROJECT / "deploy" / "analysts.yml").read_text())["services"]
    assert analysts == {
        "postgres": {
            "networks": ["inside", "outside"],
            "ports": ["127.0.0.1:${POSTGRES_PORT:-5432}:5432"],
        }
    }
    networks = written()["networks"]
    assert networks["inside"] == networks["runs"] == {"internal": True}
    on = {
        network: {name for name, one in SERVICES.items() if network in one.get("networks", [])}
        for network in networks
    }
    assert on["outside"] == {"worker", "alertmanager", "grafana", "prefect"}
    assert on["runs"] == {"worker", "prefect"}


@each_service
def test_no_secret_stands_in_an_environment_or_a_command(name: str) -> None:
    service = SERVICES[name]
    for variable, value in service.get("environment", {}).items():
        if re.search(r"(?i)passw|secret|token|key|database_url|redis_url", variable):
            # Of the user's own from .env, or a file.
            is_file = variable.endswith("_FILE") or variable == "SECRETS"
            assert value == f"${{{variable}:-}}" or (is_file and value.startswith(SECRETS)), (
                variable
            )
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
        "secrets-prefect": {"prefect"},
    }


def test_what_needs_another_waits_for_it() -> None:
    for service in SERVICES.values():
        for other, how in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if other in ONCE else "service_healthy"
            assert how == {"condition": wanted}


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
    for name in ("admin", "postgres", "redis", "worker", "grafana", "prefect"):
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
    with pytest.raises(AssertionError):
        make_secrets(secrets, "worker/binance_api_key")
    file.unlink()


def test_an_outside_postgresql_is_used_while_it_is_named(secrets: Path) -> None:
    made, url = contents(secrets), "postgresql://me:hidden@db.example/warehouse"
    make_secrets(secrets, DATABASE_URL=url)
    assert contents(secrets) == made | {"admin/database_url": url, "worker/database_url": url}
    line = ["sh", str(PROJECT / "deploy" / "logins.sh"), "postgres"]
    done = subprocess.run(line, env={**ALONE, "DATABASE_URL": url, "SECRETS": "/nowhere"})
    assert done.returncode == 0, "its logins are its owner's"
    make_secrets(secrets)
    assert contents(secrets) == made


def test_every_file_that_a_service_reads_is_made(secrets: Path) -> None:
    made = contents(secrets)
    for name, service in SERVICES.items():
        mounted = [v.split(":")[0] for v in service["volumes"] if v.split(":")[1] == SECRETS]
        named = re.findall(rf"{SECRETS}/(\w+)", str(service))
        assert bool(named) <= bool(mounted), name
        for file in named:
            assert f"{mounted[0].removeprefix('secrets-')}/{file}" in made
    assert "grafana/analyst_password" in made
