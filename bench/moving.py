"""How true what was read is of a market that moves meanwhile: `python -m bench.moving`.

The simulated market of all fiats, by day, moves half a second with each page that is asked for, as
it does at the default pace; the loader plans its cycles by the default settings. What comes of it
is held against what the simulator knows: which offers were there while a book was read.
"""

import argparse
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from bench.figures import Figures
from bench.measure import own_database, own_server
from bench.process import in_own_process
from load.pace.pacer import Pacer
from load.pipeline import run_cycle
from ops import record
from ops.migrations import migrate
from simulator.market import Market
from simulator.server import Exchange
from simulator.truth import Truth
from warehouse.postgres import Warehouse
from warehouse.settings import load_settings

SEED = 7
INTERVAL = timedelta(minutes=20)
MANY_PAGES = 40
_AT_ONCE = 1e6  # requests a second: it is the market that takes its time

READINGS = """
    select
        snapshots.snapshot_id,
        snapshots.fiat_code || '/' || snapshots.asset_code || '/' || snapshots.side,
        snapshots.started_at,
        snapshots.finished_at,
        snapshots.pages,
        snapshots.is_complete,
        quotes.reference_price is not null
    from marts.fact_snapshots as snapshots
    left join marts.market_quotes as quotes on snapshots.snapshot_id = quotes.snapshot_id
    order by snapshots.started_at
"""
VERSIONS = """
    select
        adv_no,
        fiat_code || '/' || asset_code || '/' || side,
        valid_from,
        valid_to,
        lag(valid_to) over offer,
        lead(valid_from) over offer
    from marts.fact_offers
    window offer as (partition by adv_no order by valid_from)
"""


@dataclass(frozen=True)
class Plan:
    """How much of it."""

    cycles: int = 5
    fiats: Sequence[str] | None = None


@dataclass
class Reading:
    """What the marts say of one reading of a book."""

    started: datetime
    finished: datetime
    pages: int
    is_complete: bool
    makes_a_price: bool


def measure(figures: Figures, plan: Plan | None = None) -> None:
    """Read a moving market for some cycles, and count what is withheld and what is false."""
    plan = plan or Plan()
    market = Market(SEED, fiats=plan.fiats)
    with (
        TemporaryDirectory(prefix="p2p-bench-") as folder,
        Exchange(market) as exchange,
        own_server(Path(folder)) as server,
        own_database(server) as warehouse,
    ):
        for number in range(plan.cycles):
            began = market.now
            _cycle(f"cycle-{number}", Path(folder) / "moving", warehouse, exchange)
            left = began + INTERVAL - market.now
            market.advance(max(0.0, left / timedelta(minutes=1)))
        with warehouse.connect() as connection:
            _tell(figures, connection, market.truth())


def _cycle(run_id: str, home: Path, warehouse: Warehouse, exchange: Exchange) -> None:
    settings = load_settings(
        home=home,
        database_url=None,
        api_url=exchange.url,
        rates_url=exchange.url,
        spot_url=exchange.url,
        fiats=(),
        assets=(),
        binance_api_key=None,
    )
    with record.connected(warehouse) as connection:
        migrate(connection)
        record.open_run(connection, run_id, exchange.source.now)
    run_cycle(
        settings,
        warehouse,
        run_id,
        clock=lambda: exchange.source.now,
        pacer=Pacer(_AT_ONCE),
    )
    for step in ("check_landing", "transform"):
        told = {
            "home": str(home),
            "database_url": warehouse.url,
            "api_url": exchange.url,
            "run_id": run_id,
            "market_time": exchange.source.now.isoformat(),
        }
        in_own_process("bench.worker", step, told)


def _tell(figures: Figures, connection: psycopg.Connection, truth: Truth) -> None:
    books: dict[str, list[Reading]] = defaultdict(list)
    for _, book, *values in connection.execute(READINGS):
        books[book].append(Reading(*values))
    readings = [reading for of_book in books.values() for reading in of_book]
    large = [reading for reading in readings if reading.pages > MANY_PAGES]
    figures.add("moving.readings", len(readings), "readings")
    figures.add("moving.complete", _share(readings, lambda one: one.is_complete), "%")
    figures.add("moving.large.readings", len(large), "readings")
    figures.add("moving.large.pages", max((one.pages for one in large), default=0), "pages")
    figures.add("moving.large.complete", _share(large, lambda one: one.is_complete), "%")
    figures.add("moving.large.with_a_price", _share(large, lambda one: one.makes_a_price), "%")
    versions = ends = begins = begun_later = 0
    for adv_no, book, valid_from, valid_to, ended_before, begins_next in connection.execute(
        VERSIONS
    ):
        versions += 1
        whole = [reading for reading in books[book] if reading.is_complete]
        if valid_to is not None and valid_to != begins_next:
            at = next(reading for reading in whole if reading.started == valid_to)
            ends += truth.was_online(adv_no, at.started, at.finished)
        before = [reading for reading in whole if reading.started < valid_from]
        if before:
            begun_later += 1
            if ended_before != valid_from:
                last = before[-1]
                begins += truth.was_online(adv_no, last.started, last.finished)
    figures.add("moving.versions", versions, "versions")
    figures.add("moving.versions.begun_later", begun_later, "versions")
    figures.add("moving.versions.falsely_ended", ends, "versions")
    figures.add("moving.versions.falsely_begun", begins, "versions")
    figures.add("moving.versions.false", 100 * (ends + begins) / max(1, versions), "%")


def _share(readings: list[Reading], holds: Callable[[Reading], bool]) -> float:
    return 100 * sum(map(holds, readings)) / max(1, len(readings))


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(prog="python -m bench.moving", description=__doc__)
    parser.add_argument("--cycles", type=int, default=Plan.cycles)
    parser.add_argument("--fiats", help="which fiats, such as VES,ARS; all by default")
    given = parser.parse_args()
    measure(Figures(), Plan(given.cycles, tuple(given.fiats.split(",")) if given.fiats else None))


if __name__ == "__main__":
    main()
