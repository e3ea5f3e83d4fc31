"""`python -m bench.storage [MINUTES ...]`: what a day adds to a warehouse, at three cadences.

One simulated market is read whole every 5, 20 and 60 minutes, into a database of its own for each,
and transformed every six hours. What stands after the first six hours is the beginning; what the
day after them added, indexes and all, is the growth. Nothing here depends on how fast it runs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.measure import own_database, own_server
from flows.transform import run_dbt
from load.pipeline import run_cycle
from ops.migrations import migrate
from simulator.clock import still
from simulator.market import Market
from simulator.server import Exchange
from warehouse.postgres import Warehouse
from warehouse.settings import load_settings

CADENCES = (5, 20, 60)
HOURS_TO_TRANSFORM = 6
DAY = 24 * 60  # minutes
FIATS, ASSETS = ("VES", "KES"), ("USDT", "BTC")

_SIZES = """
    select
        case
            when relation.relname ~ '^pages(_|$)' then 'raw pages'
            -- Emptied and filled in each run by what that run is to tell: it does not grow.
            when relation.relname ~ '^int_(book|opened)_' then 'offers at hand'
            when named.nspname = 'ops' then 'records of runs'
            when named.nspname = 'marts' and relation.relname ~ '^(fact|dim)_'
                then 'facts and dimensions'
            when named.nspname = 'marts' or relation.relname ~ '^int_' then 'marts'
            else 'other raw rows'
        end as what,
        sum(pg_total_relation_size(relation.oid))::bigint
    from pg_class as relation
    inner join pg_namespace as named on named.oid = relation.relnamespace
    where named.nspname in ('staging', 'marts', 'ops') and relation.relkind in ('r', 'm')
    group by 1
"""

Sizes = dict[str, int]


def main() -> None:
    """Measure, and print a line for each cadence."""
    cadences = [int(minutes) for minutes in sys.argv[1:]] or CADENCES
    with (
        TemporaryDirectory(prefix="p2p-bench-", ignore_cleanup_errors=True) as name,
        own_server(Path(name) / "home") as server,
    ):
        for minutes in cadences:
            with own_database(server) as warehouse:
                _measure(warehouse, Path(name), minutes)


def _measure(warehouse: Warehouse, home: Path, minutes: int) -> None:
    start, stretch = datetime.now(UTC) - timedelta(days=2), HOURS_TO_TRANSFORM * 60
    sizes, counts = [], []
    with Exchange(Market(1, FIATS, ASSETS, start), clock=still()) as exchange:
        settings = load_settings(
            home=home / f"every-{minutes}",
            database_url=warehouse.url,
            api_url=exchange.url,
            rates_url="off",
            spot_url="off",
            requests_per_second=1_000,
            fiats=(),
            assets=(),
        )
        with warehouse.connect(autocommit=True) as connection:
            migrate(connection)
        for minute in range(minutes, stretch + DAY + 1, minutes):
            exchange.advance(minutes)
            run_cycle(settings, warehouse, f"run-{minute}", clock=_at(start, minute))
            if minute % stretch == 0:
                built = run_dbt(
                    warehouse,
                    ["build", "--exclude-resource-type", "test", "unit_test"],
                    home / "dbt",
                )
                if not built.is_success:
                    raise RuntimeError(built.failures)
                sizes.append(_sizes(warehouse))
                counts.append(_counts(warehouse))
    grown = {what: size - sizes[0].get(what, 0) for what, size in sizes[-1].items()}
    snapshots, offers, landed, versions = (
        after - before for before, after in zip(counts[0], counts[-1], strict=True)
    )
    print(
        f"every {minutes} min, a day: {snapshots} snapshots of {offers} offers, {landed} of them"
        f" landed, {versions} versions; it added {_kilobytes(grown)}; bytes for an offer read: "
        + ", ".join(f"{what} {size / offers:.0f}" for what, size in sorted(grown.items())),
        flush=True,
    )


def _counts(warehouse: Warehouse) -> tuple[int, ...]:
    """Snapshots, the offers in them, those of them that landed, and versions."""
    with warehouse.connect() as connection:
        row = connection.execute(
            """
            select
                count(*),
                sum(offers_distinct),
                sum(offers_distinct) filter (where not is_unchanged),
                (select count(*) from marts.fact_offers)
            from staging.snapshots
            """
        ).fetchone()
    return tuple(map(int, row or ()))


def _at(start: datetime, minutes: int) -> Callable[[], datetime]:
    begun = datetime.now(UTC)
    return lambda: start + timedelta(minutes=minutes) + (datetime.now(UTC) - begun) / 60


def _sizes(warehouse: Warehouse) -> Sizes:
    with warehouse.connect(autocommit=True) as connection:
        connection.execute("vacuum")
        return {what: int(size) for what, size in connection.execute(_SIZES)}


def _kilobytes(sizes: Sizes) -> str:
    return ", ".join(f"{what} {size / 1000:,.0f} kB" for what, size in sorted(sizes.items()))


if __name__ == "__main__":
    main()
