"""A server in trouble: what was read is kept, tried again, and no book is blamed for it."""

from __future__ import annotations

import resource
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random

import psycopg
import pytest

from load.pace.pacer import Pacer
from load.pipeline import Progress
from tests.debian import Debian
from tests.load.conftest import FakeTime, Loader, Stub, offer
from warehouse.connection import Warehouse
from warehouse.errors import UserError

SECRET = "of-a-test"
OFFERS = [offer(number) for number in range(45)]
BOOKS = 3


@pytest.fixture(autouse=True)
def market(stub: Stub) -> None:
    for name, size in (("VES-USDT-BUY", 45), ("VES-USDT-SELL", 7), ("VES-BTC-BUY", 1)):
        stub.put(name, OFFERS[:size])


class Waiting(FakeTime):
    """Time in which, while the landing waits, something else happens; or nothing ever."""

    def __init__(self, happens: Callable[[], None] = lambda: None, patience: float = 1.0) -> None:
        super().__init__()
        self.happens, self.patience = happens, patience
        self.pauses: list[float] = []

    def wait(self, seconds: float, stop: threading.Event) -> None:
        if seconds < 1:  # the pace
            super().wait(seconds, stop)
            return
        super().wait(seconds * self.patience, stop)
        self.pauses.append(seconds)
        self.happens()


class Ground:
    """A loader on Debian's server, where the admin can make trouble and end it."""

    def __init__(self, loader: Loader, debian: Debian, admin: str, user: str) -> None:
        self.loader, self.debian, self.user, self._admin = loader, debian, user, admin

    def admin(self, *statements: str) -> None:
        with psycopg.connect(self._admin, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def land_amid(self, trouble: Callable[[], None], time: FakeTime) -> tuple[str, ...]:
        """A cycle that meets trouble when all is read; returns why books are incomplete."""

        def begin(progress: Progress) -> None:
            if progress.books_done == BOOKS:
                trouble()

        pacer = Pacer(1_000, time=time, chance=Random(1))
        report = self.loader.run(pacer=pacer, on_progress=begin)
        return tuple(report.incomplete_reasons)

    def require_landed_once(self) -> None:
        assert self.loader.rows("select count(*) from staging.snapshots") == [BOOKS]
        assert self.loader.rows("select count(*) from staging.pages") == [5]
        assert self.loader.snapshots() == [None] * BOOKS


@pytest.fixture
def ground(debian: Debian, loader: Loader) -> Iterator[Ground]:
    """A database of an owner's, who is bound by limits as a superuser is not."""
    name = f"trouble_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(debian.url(), autocommit=True) as admin:
        admin.execute(f"create role {name} login password '{SECRET}'".encode())
        admin.execute(f"create database {name} owner {name}".encode())
    loader.warehouse = Warehouse.from_url(debian.url(name, SECRET, name))
    yield Ground(loader, debian, debian.url(database=name), name)
    with psycopg.connect(debian.url(), autocommit=True) as admin:
        admin.execute(f"drop database {name} with (force)".encode())
        admin.execute(f"drop role {name}".encode())


def test_a_limit_of_connections_is_waited_for(ground: Ground) -> None:
    time = Waiting(lambda: ground.admin(f"alter role {ground.user} connection limit -1"))
    limited = f"alter role {ground.user} connection limit 2"
    assert ground.land_amid(lambda: ground.admin(limited), time) == ()
    assert time.pauses == [1.0]
    ground.require_landed_once()


def test_a_statement_timeout_is_waited_for(ground: Ground) -> None:
    time = Waiting(lambda: ground.admin(f"alter role {ground.user} reset statement_timeout"))
    hasty = f"alter role {ground.user} set statement_timeout = 1"
    # Long enough for each statement on its own would be too long for any.
    slow = (
        "create function slow() returns trigger language plpgsql as"
        " $$ begin perform pg_sleep(0.01); return new; end $$",
        "create trigger slow before insert on staging.snapshots"
        " for each row execute function slow()",
    )
    assert ground.land_amid(lambda: ground.admin(*slow, hasty), time) == ()
    assert time.pauses == [1.0]
    ground.require_landed_once()


def test_a_lock_that_somebody_holds_is_waited_for(ground: Ground) -> None:
    ground.admin(f"alter role {ground.user} set lock_timeout = '50ms'")
    other = psycopg.connect(ground.debian.url(database=ground.user))

    def hold(lock: bytes) -> None:
        other.execute(lock)

    with other:
        time = Waiting(lambda: other.rollback())
        lock = b"lock table staging.snapshots in access exclusive mode"
        assert ground.land_amid(lambda: hold(lock), time) == ()
    assert time.pauses == [1.0]
    ground.require_landed_once()


def test_a_restart_costs_nothing_that_was_read(ground: Ground, stub: Stub) -> None:
    time = Waiting()
    assert ground.land_amid(ground.debian.restart, time) == ()
    ground.require_landed_once()
    assert len(stub.searches()) == 5, "no page was asked for twice"


RAISES = (
    "create or replace function fails() returns trigger language plpgsql as"
    " $$ begin raise exception 'so it is' using errcode = '{code}'; end $$"
)
FAILS = (
    "create trigger fails before insert on staging.snapshots for each row execute function fails()"
)


@pytest.mark.parametrize("code", ["53100", "53200", "25006", "58030", "40P01", "57P01"])
def test_whatever_passes_is_waited_for(ground: Ground, code: str) -> None:
    time = Waiting(lambda: ground.admin("drop trigger fails on staging.snapshots"))
    fails = (RAISES.format(code=code), FAILS)
    assert ground.land_amid(lambda: ground.admin(*fails), time) == ()
    assert time.pauses == [1.0]
    ground.require_landed_once()


@pytest.mark.parametrize(
    ("code", "advice"), [("53100", "its disk is full"), ("42501", "this login may not do that")]
)
def test_what_does_not_pass_is_one_line_and_the_next_run_lands_what_was_read(
    ground: Ground, stub: Stub, code: str, advice: str
) -> None:
    fails = (RAISES.format(code=code), FAILS)
    with pytest.raises(UserError, match=f"DATABASE_URL.*{advice}") as failure:
        ground.land_amid(lambda: ground.admin(*fails), Waiting(patience=200.0))
    assert "\n" not in str(failure.value)
    assert ground.loader.snapshots() == []
    ground.admin("drop trigger fails on staging.snapshots")
    asked = len(stub.searches())
    report = ground.loader.run()
    assert report.recovered == "finished"
    assert ground.loader.rows("select count(*) from staging.snapshots") == [
        BOOKS + report.books_read
    ]
    assert set(ground.loader.snapshots()) == {None}
    assert ground.loader.rows("select count(*) from staging.pages where run_id = 'run1'") == [asked]


@pytest.mark.parametrize("code", ["22003", "23514"])
def test_a_value_that_cannot_be_kept_is_not_waited_for_and_costs_its_own_book_alone(
    ground: Ground, code: str
) -> None:
    time = Waiting()
    of_one_book = FAILS.replace("snapshots", "pages").replace(
        "execute", "when (new.side = 'SELL') execute"
    )
    fails = (RAISES.format(code=code), of_one_book)
    assert ground.land_amid(lambda: ground.admin(*fails), time) == ("refused_by_warehouse",)
    assert time.pauses == []
    assert sorted(map(str, ground.loader.snapshots())) == ["None", "None", "refused_by_warehouse"]


def test_a_warehouse_that_is_gone_while_it_is_landed_in_is_one_line(ground: Ground) -> None:
    warehouse = ground.loader.warehouse
    with pytest.raises(UserError, match="the warehouse does not answer: it cannot be reached"):
        ground.loader.run(warehouse=replace(warehouse, port=1))


@pytest.mark.parametrize(
    ("limit", "most", "said"),
    [
        (resource.RLIMIT_FSIZE, 500, "File too large.: make room there"),
        (resource.RLIMIT_NOFILE, 3, "Too many open files.: correct that"),
    ],
)
def test_a_machine_that_cannot_write_is_one_line_and_no_books_fault(
    loader: Loader, limit: int, most: int, said: str
) -> None:
    before = resource.getrlimit(limit)

    def exhaust(progress: Progress) -> None:
        if progress.books_done == BOOKS:
            resource.setrlimit(limit, (most, before[1]))

    try:
        with pytest.raises(UserError, match=f"P2P_HOME: dlt cannot write to .* .{said}"):
            loader.run(on_progress=exhaust)
    finally:
        resource.setrlimit(limit, before)
    report = loader.run()
    assert (report.books_read, report.books_complete) == (BOOKS, BOOKS)
