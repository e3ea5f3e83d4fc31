"""A dbt without any flags finds the warehouse that `p2p` would use."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from dbt.config.profile import read_profile
from dbt.config.renderer import ProfileRenderer
from dbt_common.context import set_invocation_context

from tests.warehouse.conftest import Elsewhere, postmaster
from warehouse.connection import Warehouse
from warehouse.settings import PROJECT_ROOT

FIELDS = ("host", "port", "user", "password", "dbname", "sslmode")


@pytest.fixture
def project(place: Path) -> Path:
    """A small project of the same name, with the real profile."""
    (place / "dbt_project.yml").write_text('name: p2p\nprofile: p2p\nversion: "1.0.0"\n')
    shutil.copy(PROJECT_ROOT / "profiles.yml", place)
    (place / "models").mkdir()
    (place / "models" / "one.sql").write_text("select 1 as one")
    return place


def dbt(project: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run dbt from the root of `project`, as a user would."""
    return subprocess.run(
        [Path(sysconfig.get_path("scripts"), "dbt"), "--no-use-colors", *arguments],
        cwd=project,
        env={
            "PATH": os.environ["PATH"],
            "PWD": str(project),
            "PYTHONPATH": str(PROJECT_ROOT),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            **environment,
        },
        capture_output=True,
        text=True,
    )


def profile(**environment: str) -> tuple[object, ...]:
    """What the profile says in this environment, without the plugin."""
    set_invocation_context(environment)
    outputs = read_profile(str(PROJECT_ROOT))["p2p"]["outputs"]["warehouse"]
    renderer = ProfileRenderer({})
    return tuple(renderer.render_value(outputs[name], (name,)) for name in FIELDS)


def fields(warehouse: Warehouse) -> tuple[object, ...]:
    """The same of a warehouse."""
    return (
        warehouse.host,
        warehouse.port,
        warehouse.user,
        warehouse.password,
        warehouse.database,
        warehouse.sslmode,
    )


@pytest.mark.parametrize("depth", [1, 30])
def test_a_build_without_flags_starts_the_server_and_stops_it_again(
    project: Path, depth: int
) -> None:
    home = project / ("home" * depth)
    done = dbt(project, "build", P2P_HOME=str(home))
    assert "PASS=1" in done.stdout, done.stdout
    assert (home / "postgres").is_dir()
    assert not postmaster(home)


def test_a_command_that_needs_no_database_starts_none(project: Path) -> None:
    done = dbt(project, "parse", P2P_HOME=str(project / "home"))
    assert done.returncode == 0, done.stdout
    assert not (project / "home").exists()


def test_a_wrong_setting_is_one_line_of_dbts(project: Path) -> None:
    done = dbt(project, "build", DATABASE_URL="postgresql://me:hidden@127.0.0.1:1/d")
    assert "DATABASE_URL: no connection to 127.0.0.1:1" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert "hidden" not in done.stdout + done.stderr


def test_a_build_without_flags_reaches_the_server_of_the_database_url(
    project: Path, elsewhere: Elsewhere
) -> None:
    warehouse = Warehouse(
        "127.0.0.1",
        elsewhere.port,
        elsewhere.user,
        elsewhere.password,
        "postgres",
        "prefer",
    )
    done = dbt(project, "build", DATABASE_URL=warehouse.url, P2P_HOME=str(project / "home"))
    assert "PASS=1" in done.stdout, done.stdout
    assert not (project / "home").exists()


def test_the_plugin_leaves_other_projects_alone(project: Path) -> None:
    code = "import dbt_warehouse_plugin as p; p.WarehousePlugin(project_name='other')"
    subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(PROJECT_ROOT), "P2P_HOME": str(project / "home")},
        check=True,
    )
    assert not (project / "home").exists()


def test_the_profile_takes_what_p2p_sets_over_everything() -> None:
    warehouse = Warehouse.from_url("postgresql://me:p%40s@db.example.com:6000/d")
    environment = warehouse.environment() | {"DATABASE_URL": "postgresql://a:b@c/d"}
    assert profile(**environment) == fields(warehouse)


@pytest.mark.parametrize(
    ("environment", "host"),
    [
        ({"PWD": "/here"}, "/here/.p2p/run"),
        ({"PWD": "/here", "P2P_HOME": "/there"}, "/there/run"),
    ],
)
def test_the_profile_falls_back_to_the_embedded_servers_stable_place(
    environment: dict[str, str], host: str
) -> None:
    assert profile(**environment)[:3] == (host, 5432, "p2p")
