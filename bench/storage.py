"""`python -m bench.storage`: what a warehouse weighs, and by how much it grows at three cadences.

One simulated market is read whole some times, 5, 20 or 60 minutes apart, into a database of its own
for each. What stands after the first cycle and its transform is the beginning; what the later ones
added, indexes and all, is the growth of as many cycles. Nothing here depends on how fast it runs.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.measure import own_database, own_server
from flows import ops
from flows.transform import run_dbt
from load.pipeline import run_cycle
from simulator.market import Market
from simulator.server import Exchange
from warehouse.postgres import Warehouse
from warehouse.settings import load_settings

CADENCES = (5, 20, 60)
CYCLES = 7
FIATS, ASSETS = ("VES", "ARS", "COP", "KES"), ("USDT", "BTC")

_SIZES = """
    select
        case
            when relation.relname ~ '^pages(_|$)' then 'raw pages'
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
    with (
        TemporaryDirectory(prefix="p2p-bench-", ignore_cleanup_errors=True) as name,
        own_server(Path(name) / "home") as server,
    ):
        for minutes in CADENCES:
            with own_database(server) as warehouse:
                _measure(warehouse, Path(name), minutes)


def _measure(warehouse: Warehouse, home: Path, minutes: int) -> None:
    start, first = datetime.now(UTC) - timedelta(days=1), Sizes()
    with Exchange(Market(1, FIATS, ASSETS, start)) as exchange:
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
            ops.prepare(connection)
        for number in range(CYCLES):
            if number:
                exchange.advance(minutes)
            run_cycle(settings, warehouse, f"run-{number}", clock=_at(start, minutes * number))
            if number in (0, CYCLES - 1):
                built = run_dbt(
                    warehouse,
                    ["build", "--exclude-resource-type", "test", "unit_test"],
                    home / "dbt",
                )
                if not built.is_success:
                    raise RuntimeError(built.failures)
                if number == 0:
                    first = _sizes(warehouse)
    last = _sizes(warehouse)
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
    snapshots, offers, landed, versions = map(int, row or (1, 1, 1, 1))
    grown = {what: (last[what] - first.get(what, 0)) / (CYCLES - 1) for what in last}
    print(
        f"every {minutes} min: {snapshots / CYCLES:.0f} snapshots and {offers / CYCLES:.0f} offers"
        f" a cycle, {100 * landed / offers:.0f}% of them landed, {versions} versions after"
        f" {CYCLES} cycles; first cycle {_kilobytes(first)}; each later one {_kilobytes(grown)}",
        flush=True,
    )


def _at(start: datetime, minutes: int) -> Callable[[], datetime]:
    begun = datetime.now(UTC)
    return lambda: start + timedelta(minutes=minutes) + (datetime.now(UTC) - begun) / 60


def _sizes(warehouse: Warehouse) -> Sizes:
    with warehouse.connect(autocommit=True) as connection:
        connection.execute("vacuum")
        return {what: int(size) for what, size in connection.execute(_SIZES)}


def _kilobytes(sizes: dict[str, int] | dict[str, float]) -> str:
    return ", ".join(f"{what} {size / 1000:,.0f} kB" for what, size in sorted(sizes.items()))


if __name__ == "__main__":
    main()
