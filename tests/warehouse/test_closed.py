"""Who gets at the embedded server and at what is in the home: its owner, and nobody else."""

import stat
import sysconfig
from pathlib import Path

import pytest

from tests.warehouse.conftest import postmaster
from warehouse import server
from warehouse.engine import Account
from warehouse.files import make_home
from warehouse.postgres import open_warehouse
from warehouse.premises import settle
from warehouse.settings import Settings

CONNECT = """
import psycopg, sys
try:
    psycopg.connect(host=sys.argv[1], user="p2p", dbname="p2p")
except psycopg.OperationalError as error:
    print(error)
"""


def test_another_process_of_the_server_s_account_is_not_let_in(
    home: Path, python_of_others: str
) -> None:
    with open_warehouse(Settings(home=home)):
        # The kernel leads to what a closed home holds whoever runs as the server does.
        reached = f"/proc/{postmaster(home)}/cwd"
        said = Account.for_data(Path("/nonexistent")).run(
            [python_of_others, "-c", CONNECT, reached],
            environment={"PYTHONPATH": sysconfig.get_path("platlib")},
        )
    assert 'Peer authentication failed for user "p2p"' in said.stdout, said


def test_data_that_trusted_whoever_reached_the_socket_are_closed_at_the_next_start(
    home: Path,
) -> None:
    with open_warehouse(Settings(home=home)) as warehouse, warehouse.connect() as connection:
        connection.execute("create table kept as select 7 as number")
    rules = home / "postgres" / "pg_hba.conf"
    ours = rules.read_text()
    rules.write_text("local all all trust\n")
    with open_warehouse(Settings(home=home)) as warehouse, warehouse.connect() as connection:
        assert connection.execute("select number from kept").fetchone() == (7,)
        listed = connection.execute("select auth_method from pg_hba_file_rules").fetchall()
    assert (listed, rules.read_text()) == ([("peer",)], ours)


def test_a_server_that_an_earlier_version_left_running_is_replaced(
    home: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sockets = place / "sockets"
    sockets.mkdir()
    sockets.chmod(0o777)
    make_home(home)
    with monkeypatch.context() as patch:
        patch.setitem(server._OPTIONS, "unix_socket_directories", str(sockets))
        server.Server(settle(home)).ensure_running()
    left = postmaster(home)
    assert left
    with open_warehouse(Settings(home=home)) as warehouse, warehouse.connect():
        assert postmaster(home) != left


def test_a_home_is_made_for_its_user_alone(home: Path) -> None:
    with open_warehouse(Settings(home=home)):
        pass
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert [path for path in home.iterdir() if path.lstat().st_mode & 0o077] == [home / "run"]
    assert (home / "run").is_symlink()


def test_a_home_that_was_open_is_closed_and_what_is_not_ours_stays_as_it_was(place: Path) -> None:
    for name in ("ours", "shared"):
        (place / name / "logs").mkdir(parents=True)
        (place / name / "logs" / "p2p.log").touch()
        (place / name).chmod(0o755)
    (place / "shared" / "letters").mkdir()
    make_home(place / "ours")
    make_home(place / "shared")
    modes = {
        path.relative_to(place).as_posix(): stat.S_IMODE(path.stat().st_mode)
        for path in place.rglob("*")
    }
    assert modes == {
        "ours": 0o700,
        "ours/logs": 0o700,
        "ours/logs/p2p.log": 0o600,
        "shared": 0o755,
        "shared/letters": 0o755,
        "shared/logs": 0o700,
        "shared/logs/p2p.log": 0o600,
    }
