"""What is wrong with a warehouse and with what runs it, and what to do about each.

Looks only: it changes nothing, and asks the exchange nothing unless told to.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import psycopg

from warehouse.errors import UserError
from warehouse.log import words_of
from warehouse.postgres import (
    CLOCKS_DIFFER,
    CLOCKS_DISAGREE,
    Warehouse,
    clock_lead,
    open_warehouse,
    require_write_access,
    said_of_lead,
)
from warehouse.settings import PROJECT_ROOT, Settings

if TYPE_CHECKING:
    from ops.watch import Sight

Connection = psycopg.Connection[tuple[Any, ...]]

ASKING_SECONDS = 5.0  # that a request to the exchange waits for its turn
LEAST_FREE = 0.1  # of the disk; below it PostgreSQL soon stops
LEAST_COVERAGE = 0.95
LEAST_HEADROOM = timedelta(days=1)

_LAST_RUN = """
select run_id, state, error, started_at from ops.runs
where state != 'running' order by started_at desc limit 1
"""
_QUARANTINED = """
select count(*), max(reason)
from ops.quarantined_loads
where quarantined_at > now() - interval '168 hours'
"""
_RED_CHECKS = """
select suite, name, severity
from ops.check_results
where run_id = %s and not success
order by severity, suite, name
"""
_DATED_AHEAD = """
select count(*)
from staging.snapshots
where
    started_at > now() + %s
    and _dlt_load_id in (select load_id from ops.admitted_loads)
"""
# The lock of the only writer, see `warehouse.postgres.single_writer`.
_IS_LOCKED = """
select exists (
    select
    from pg_locks
    where
        locktype = 'advisory'
        and (classid::bigint << 32) | objid::bigint = hashtextextended('p2p:cycle', 0)
        and database = (select oid from pg_database where datname = current_database())
)
"""


class Verdict(StrEnum):
    """How a thing stands."""

    fine = "fine"
    watch = "watch"
    wrong = "wrong"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: how it stands, and what to do where it is not fine."""

    what: str
    verdict: Verdict
    said: str
    advice: str = ""


def fine(what: str, said: str) -> Finding:
    """A thing that is as it should be."""
    return Finding(what, Verdict.fine, said)


def watch(what: str, said: str, advice: str) -> Finding:
    """A thing to keep an eye on."""
    return Finding(what, Verdict.watch, said, advice)


def wrong(what: str, said: str, advice: str) -> Finding:
    """A thing to fix."""
    return Finding(what, Verdict.wrong, said, advice)


def examine(settings: Settings, now: datetime, *, ask_exchange: bool = False) -> Iterator[Finding]:
    """Everything that there is to look at, one by one."""
    yield _packages()
    yield from _home(settings)
    if settings.archive_url:
        yield _archive(settings, settings.archive_url)
    if ask_exchange:
        yield _exchange(settings)
    try:
        with open_warehouse(settings) as warehouse, warehouse.connect(autocommit=True) as opened:
            yield _server(settings, warehouse, opened)
            yield _clock(opened)
            yield _rights(warehouse)
            yield from _record(settings, opened, now)
    except UserError as refusal:
        yield wrong(
            "warehouse", str(refusal), "then run p2p doctor again; other checks were skipped"
        )
    except psycopg.Error as error:
        yield wrong(
            "warehouse", f"it stopped answering ({words_of(error)})", "see the server's log"
        )


def _packages() -> Finding:
    """Whether the environment is the lock's."""
    from packaging.requirements import Requirement

    lock = (PROJECT_ROOT / "requirements.lock").read_text(encoding="utf-8")
    off = []
    pins = [Requirement(line) for line in re.findall(r"(?m)^([a-z0-9][^\\\n]*?) *\\?$", lock)]
    for pin in pins:
        if pin.marker is None or pin.marker.evaluate():
            try:
                if not pin.specifier.contains(version(pin.name), prereleases=True):
                    off.append(pin.name)
            except PackageNotFoundError:
                off.append(pin.name)
    if off:
        return wrong(
            "packages",
            f"{len(off):,} of {len(pins):,} differ from the lock file: {', '.join(off[:3])}"
            + (", …" if len(off) > 3 else ""),
            "make setup",
        )
    return fine("packages", f"{len(pins):,}, as in the lock file")


def _home(settings: Settings) -> Iterator[Finding]:
    home = settings.home
    place = next(folder for folder in (home, *home.parents) if folder.exists())
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        yield wrong(
            "home",
            f"P2P_HOME={home} cannot be written",
            "fix that, or set P2P_HOME to another folder",
        )
        return
    if home.exists() and home.stat().st_mode & 0o077:
        said = f"{home} is open to other users, since it holds other things besides ours"
        yield watch("home", said, "give P2P_HOME its own folder")
    else:
        yield fine("home", f"{home}{'' if home.exists() else ', created when needed'}")
    disk = shutil.disk_usage(place)
    said = f"{disk.free / 1e9:,.1f} GB of {disk.total / 1e9:,.1f} GB free"
    if disk.free < LEAST_FREE * disk.total:
        yield wrong("disk", said, "free space, or lower P2P_RAW_RETENTION_DAYS")
    else:
        yield fine("disk", said)


def _archive(settings: Settings, url: str) -> Finding:
    """Whether old pages can go there: the upkeep would else be the first to say so, in a month."""
    from upkeep.archive import Archive

    try:
        Archive(url, settings.home).look()
    except UserError as refusal:
        return wrong("archive", str(refusal), "fix that; until then raw pages are kept")
    return fine("archive", url)


def _exchange(settings: Settings) -> Finding:
    """Whether the exchange answers, by one request; by none while it keeps this address out."""
    import threading

    from load.exchange.client import FORBIDDING, Client, Refused
    from load.pace.pacer import Stopped, pacer_of

    stop = threading.Event()
    client = Client(settings.api_url, {"User-Agent": settings.user_agent})
    try:
        pacer = pacer_of(settings)
        pacer.open(ASKING_SECONDS)
        pacer.admit(stop)
        status = client.get("/", stop).status
    except UserError as refusal:
        return wrong("exchange", f"not asked: {refusal}", "fix that, then ask again")
    except Stopped:
        why = f" ({pacer.bar.reason})" if pacer.bar else ""
        return wrong(
            "exchange",
            f"this IP address is blocked{why}; no request was sent",
            "wait; p2p run says until when",
        )
    except Refused as refused:
        return wrong(
            "exchange",
            f"no answer from {settings.api_url} ({refused.reason})",
            "check the network and P2P_API_URL",
        )
    finally:
        client.close()
    if status in FORBIDDING:
        return wrong(
            "exchange",
            f"it answers {status}: too many requests from this IP address, or access is forbidden",
            "stop, wait an hour, lower P2P_REQUESTS_PER_SECOND",
        )
    return fine("exchange", f"{settings.api_url} answers ({status})")


def _server(settings: Settings, warehouse: Warehouse, connection: Connection) -> Finding:
    number = connection.info.server_version
    row = connection.execute("select pg_database_size(current_database())").fetchone()
    size = row[0] if row else 0
    given = settings.database_url is not None
    place = f"{warehouse.host}:{warehouse.port}" if given else "embedded"
    return fine(
        "warehouse",
        f"PostgreSQL {number // 10_000}.{number % 10_000}, {place}, {size / 1e6:,.0f} MB",
    )


def _clock(connection: Connection) -> Finding:
    """Whether our clock is the server's, and no reading was dated by one that was ahead."""
    lead = clock_lead(connection)
    said = f"this machine is {said_of_lead(lead)} the server"
    if abs(lead) > CLOCKS_DISAGREE:
        return wrong("clock", said, "set both by NTP: nothing is written until then")
    if abs(lead) > CLOCKS_DIFFER:
        return watch("clock", said, "set both by NTP")
    row = connection.execute("select to_regclass('ops.admitted_loads')").fetchone()
    ahead = (
        connection.execute(_DATED_AHEAD, [CLOCKS_DISAGREE]).fetchone() if row and row[0] else (0,)
    ) or (0,)
    if ahead[0]:
        return wrong(
            "clock",
            f"{ahead[0]:,} readings have times in the future, from a clock that was ahead",
            "p2p rebuild removes them",
        )
    return fine("clock", "agrees with the server's")


def _rights(warehouse: Warehouse) -> Finding:
    try:
        require_write_access(warehouse)
    except UserError as refusal:
        return wrong("rights", str(refusal), "p2p init, as the owner of the database")
    return fine("rights", f"{warehouse.user} may write")


def _record(settings: Settings, connection: Connection, now: datetime) -> Iterator[Finding]:
    """What the record of cycles says, and what stands beside it."""
    row = connection.execute("select to_regclass('ops.runs')").fetchone()
    last = connection.execute(_LAST_RUN).fetchone() if row and row[0] else None
    if last is None:
        yield watch("cycles", "none has ended yet", "p2p run, or p2p serve")
        return
    from ops.metrics import pending_packages
    from ops.watch import Watch

    try:
        sight = Watch(settings.hot).look(connection, now)
    except (psycopg.errors.UndefinedColumn, psycopg.errors.UndefinedTable):
        yield watch("cycles", "the tables in ops are of an older version", "p2p run updates them")
        return
    is_locked = connection.execute(_IS_LOCKED).fetchone() == (True,)
    yield _success(settings, sight, now, last[1])
    yield _last_cycle(*last)
    if sight.is_running and not is_locked:
        yield watch("running", "a cycle crashed", "the next one continues from there")
    elif is_locked:
        yield fine("running", "a cycle is running")
    yield from _checks(connection, last[0])
    yield _breaker(sight)
    packages = 0 if is_locked else pending_packages(settings.home)
    yield (
        watch("pending packages", f"{packages:,} not in the warehouse yet", "p2p run loads them")
        if packages
        else fine("pending packages", "none")
    )
    yield _quarantine(connection)
    yield _partitions(sight, now)
    yield from _books(sight)


def _success(settings: Settings, sight: Sight, now: datetime, last_state: str) -> Finding:
    patience = timedelta(minutes=2 * settings.extraction_interval)
    if sight.succeeded_at is None and last_state == "stopped":
        return watch("last success", "none yet", "p2p run, or p2p serve")
    if sight.succeeded_at is None:
        return wrong("last success", "none yet", "see the last cycle, below")
    age = now - sight.succeeded_at
    said = f"{_long(age)} ago"
    if age > patience and not sight.is_running:
        return wrong(
            "last success",
            f"{said}, and two intervals are {_long(patience)}",
            "p2p serve runs cycles regularly, p2p run runs one",
        )
    return fine("last success", said)


def _last_cycle(run_id: str, state: str, error: str | None, started_at: datetime) -> Finding:
    if state == "failed":
        return wrong("last cycle", f"{run_id} failed: {error}", "see P2P_HOME/logs/p2p.log")
    return fine("last cycle", f"{run_id}: {state}")


def _checks(connection: Connection, run_id: str) -> Iterator[Finding]:
    red = connection.execute(_RED_CHECKS, [run_id]).fetchall()
    critical = [f"{suite}.{name}" for suite, name, severity in red if severity == "critical"]
    others = [f"{suite}.{name}" for suite, name, severity in red if severity != "critical"]
    if critical:
        yield wrong(
            "checks", f"failed: {', '.join(critical)}", "p2p docs --serve shows their pages"
        )
    elif others:
        yield watch(
            "checks", f"warnings: {', '.join(others)}", "p2p docs --serve shows their pages"
        )
    else:
        yield fine("checks", "none failed in the last cycle")


def _breaker(sight: Sight) -> Finding:
    if sight.breaker_state == "open":
        return wrong(
            "breaker",
            "open: the exchange forbids access or does not answer",
            "wait, it retries automatically; if this happens often, lower P2P_REQUESTS_PER_SECOND",
        )
    return fine("breaker", sight.breaker_state or "not used yet")


def _quarantine(connection: Connection) -> Finding:
    row = connection.execute(_QUARANTINED).fetchone()
    count, reason = row or (0, None)
    if count:
        return watch(
            "quarantine",
            f"{count:,} loads were rejected within 7 days ({reason})",
            "p2p sql 'select * from ops.quarantined_loads' says which and why",
        )
    return fine("quarantine", "no load was rejected within 7 days")


def _partitions(sight: Sight, now: datetime) -> Finding:
    if sight.covered_until is None:
        return watch("partitions", "raw pages are not partitioned by day yet", "p2p run does it")
    if sight.covered_until < now + LEAST_HEADROOM:
        until = f"{sight.covered_until:%Y-%m-%d}"
        return wrong(
            "partitions", f"no partition for new pages from {until} on", "p2p run creates it"
        )
    return fine("partitions", f"until {sight.covered_until:%Y-%m-%d}")


def _books(sight: Sight) -> Iterator[Finding]:
    if sight.stale_books is None:
        yield watch("books", "the marts are not built yet", "p2p run builds them")
        return
    said = "" if sight.coverage is None else f"{sight.coverage:.0%} of the readings expected, "
    said += f"{sight.stale_books:,} books stale"
    if sight.coverage is not None and sight.coverage < LEAST_COVERAGE or sight.stale_books:
        yield watch("books", said, "fewer P2P_FIATS or P2P_ASSETS, or a longer EXTRACTION_INTERVAL")
    else:
        yield fine("books", said)


def _long(time: timedelta) -> str:
    minutes = round(time.total_seconds() / 60)
    days, rest = divmod(minutes, 24 * 60)
    if days:
        return f"{days} d {rest // 60} h"
    return f"{rest // 60} h {rest % 60} min" if rest >= 60 else f"{rest} min"
