"""Violent ends: whatever is killed, the next command finds every committed row."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.warehouse.conftest import Command, postmaster, server_processes
from warehouse import server
from warehouse.engine import Account
from warehouse.postgres import Warehouse, open_warehouse
from warehouse.settings import Settings


def visits(home: Path) -> set[int]:
    """The rows that commands have committed, asked for as the next command would."""
    with open_warehouse(Settings(home=home)) as warehouse, warehouse.connect() as connection:
        return {visit for (visit,) in connection.execute("select visit from visits")}


def test_two_commands_at_once_start_one_server(home: Path) -> None:
    commands = [Command(home), Command(home)]
    for command in commands:
        command.until_open()
    assert postmaster(home)
    commands[0].leave()
    assert postmaster(home)
    assert visits(home) == {command.visit for command in commands}
    assert postmaster(home)
    commands[1].leave()
    assert not postmaster(home)


def test_a_killed_client_leaves_the_server_to_the_next(used_home: Path) -> None:
    command = Command(used_home).until_open()
    server_before = postmaster(used_home)
    command.kill()
    assert postmaster(used_home) == server_before
    with open_warehouse(Settings(home=used_home)):
        assert postmaster(used_home) == server_before
    assert not postmaster(used_home)
    assert command.visit in visits(used_home)


def test_the_server_is_killed_while_a_client_is_there(used_home: Path) -> None:
    command = Command(used_home).until_open()
    os.kill(postmaster(used_home), signal.SIGKILL)
    assert command.visit in visits(used_home)
    command.leave()


def test_all_processes_of_the_server_and_its_client_are_killed_at_once(used_home: Path) -> None:
    command = Command(used_home).until_open()
    processes = server_processes(used_home)
    assert len(processes) > 1
    for process in processes:
        os.kill(process, signal.SIGKILL)
    command.kill()
    assert command.visit in visits(used_home)


def begin_a_recovery(home: Path, warehouse: Warehouse) -> int:
    """Kill a backend, and hold the process that recovers from that; returns its number."""
    connection = warehouse.connect()  # held: unreferenced it would be closed, and its backend gone
    os.kill(connection.info.backend_pid, signal.SIGKILL)
    while True:
        for process in server_processes(home):
            with contextlib.suppress(OSError):
                if b"startup" in Path(f"/proc/{process}/cmdline").read_bytes():
                    os.kill(process, signal.SIGSTOP)
                    return process


def test_a_server_that_was_told_to_stop_while_it_recovers_blocks_nobody(
    used_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_LONGEST_STOP", 0.5)
    command = Command(used_home).until_open()
    with open_warehouse(Settings(home=used_home)) as warehouse:
        recovering = begin_a_recovery(used_home, warehouse)
        os.kill(postmaster(used_home), signal.SIGINT)
        os.kill(recovering, signal.SIGCONT)
    assert command.visit in visits(used_home)
    command.leave()


def test_the_last_client_stops_a_server_that_recovers_at_once(used_home: Path) -> None:
    command = Command(used_home).until_open()
    command.leave()
    with open_warehouse(Settings(home=used_home)) as warehouse:
        os.kill(begin_a_recovery(used_home, warehouse), signal.SIGCONT)
    assert not postmaster(used_home)
    assert command.visit in visits(used_home)


def test_a_child_that_goes_on_with_its_statement_is_ended(
    used_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_GRACE", 0.1)
    statement = (
        "busy = warehouse.connect(); busy.pgconn.send_query(b'do $$ begin loop end loop; end $$')"
    )
    command = Command(used_home, extra=statement).until_open()
    with open_warehouse(Settings(home=used_home)) as warehouse:
        with warehouse.connect(autocommit=True) as connection:
            active = "select from pg_stat_activity where query like 'do %' and state = 'active'"
            assert any(connection.execute(active).fetchall() for _ in range(10_000))
        os.kill(postmaster(used_home), signal.SIGKILL)
        assert command.visit in visits(used_home)
    command.leave()


def test_lock_files_whose_number_belongs_to_another_process_now_block_nothing(
    used_home: Path,
) -> None:
    command = Command(used_home).until_open()
    command.leave()
    data = used_home / "postgres"
    account = Account.for_data(data)
    as_server = {} if os.geteuid() == account.uid else {"user": account.uid}
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, cwd="/", **as_server) as other:  # type: ignore[call-overload]
        left = f"{other.pid}\n{data}\n0\n5432\n\n\n0 0\n"
        (data / "postmaster.pid").write_text(left)
        (used_home / "run" / ".s.PGSQL.5432.lock").write_text(left)
        assert command.visit in visits(used_home)
        other.communicate()


def test_a_start_that_was_killed_half_way_is_begun_again(home: Path) -> None:
    home.mkdir(mode=0o755)
    half = home / "postgres-killed.tmp"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    command = Command(home).until_open()
    command.leave()
    assert visits(home) == {command.visit}
    assert not half.exists()


def test_a_server_that_was_stopped_behind_its_clients_back_is_started_again(
    used_home: Path,
) -> None:
    command = Command(used_home).until_open()
    os.kill(postmaster(used_home), signal.SIGINT)
    assert command.visit in visits(used_home)
    command.leave()


def test_a_forked_child_that_ends_leaves_the_server_to_its_parent(used_home: Path) -> None:
    fork = "child = os.fork(); os.waitpid(child, 0) if child else sys.exit()"
    command = Command(used_home, extra=fork).until_open()
    assert postmaster(used_home)
    command.leave()
    assert not postmaster(used_home)
