"""The short picture of the result that `p2p run` and `p2p demo` end with."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from rich.table import Table

from cli.console import out, table
from cli.query import ask
from ops.summary import CycleOutcome
from warehouse.postgres import Warehouse

BOOKS = """
select
    buy.trading_pair as pair,
    buy.n_offers as "ads selling",
    sell.n_offers as "ads buying",
    buy.reference_price as ask,
    sell.reference_price as bid,
    round(coalesce(buy.spread_pct, sell.spread_pct), 2) as "spread, %",
    round(least(buy.confidence, sell.confidence), 2) as confidence
from marts.market_now as buy
inner join marts.market_now as sell using (fiat_code, asset_code)
where buy.side = 'BUY' and sell.side = 'SELL'
order by buy.n_offers + sell.n_offers desc
limit 12
"""

FACTS = """
select
    (select count(*) from marts.fact_snapshots) as snapshots,
    (select count(*) from marts.fact_offers) as "offer versions",
    (select count(*) from marts.fact_offers where valid_to is null) as "offers standing",
    (select count(*) from marts.dim_advertisers) as "advertiser versions",
    (select count(*) from marts.dim_payment_methods) as "payment methods"
"""

INDICATIVE = "Indicative, not executable; public field reports put the net edge near 0.09%."

WALKS = """
select
    concat_ws(
        ' > ', fiat_code, asset_code, second_fiat_code, second_asset_code, fiat_code
    ) as walk,
    ticket_usd as "for USD",
    round(net_pct, 3) as "net, %",
    capacity_usd as "room for USD"
from marts.arbitrage_cycles
where
    is_credited
    and not uses_official_fx
    and net_pct > 0
    and as_of = (select max(as_of) from marts.arbitrage_cycles)
    and ticket_usd = capacity_usd
order by net_pct desc, walk
limit 5
"""


def show_walks(warehouse: Warehouse) -> None:
    """Print the walks of trades above 0 in the last cycle, each at the most that it takes."""
    walks = ask(warehouse, WALKS)
    out.print(table("Walks of trades in the last cycle, the best first", walks.columns, walks.rows))
    out.print(f"{INDICATIVE}\n")


def show(warehouse: Warehouse, outcomes: list[CycleOutcome], tries: list[str]) -> None:
    """Print the books with their prices, what was checked, how long it took, and what to try."""
    books = ask(warehouse, BOOKS)
    out.print(
        table(
            "Reference prices now, the largest books first",
            books.columns,
            [[*row[:3], *map(significant, row[3:5]), *row[5:]] for row in books.rows],
        )
    )
    facts = ask(warehouse, FACTS)
    named = ", ".join(
        f"{value:,} {name}" for name, value in zip(facts.columns, facts.rows[0], strict=True)
    )
    out.print(f"In the warehouse: {named}.\n")
    out.print(_steps(outcomes))
    checked, held = ask(
        warehouse,
        "select count(*), count(*) filter (where success) from ops.check_results where run_id = %s",
        [outcomes[-1].run_id],
    ).rows[0]
    out.print(
        f"Checked in the last cycle: {held} of {checked} expectations hold, "
        f"{outcomes[-1].counts['tests_failed'] or 0} dbt tests failed.\n"
    )
    out.print("[bold]What to try next[/bold]")
    for line in tries:
        out.print(f"  {line}", markup=False, soft_wrap=True)


def significant(value: Any, digits: int = 6) -> Any:
    """A number to so many significant digits, in full before the point; all else as it is."""
    if not isinstance(value, Decimal) or not value:
        return value
    return round(value, max(0, digits - 1 - value.adjusted()))


def _steps(outcomes: list[CycleOutcome]) -> Table:
    """How long each step of each cycle took."""
    names = list(dict.fromkeys(step for each in outcomes for step in each.seconds_by_step))
    # What stands behind a point is a part of the step before it.
    order = [name for name in ("load", "check landing", "transform", "check core") if name in names]
    rows = [
        [
            number,
            outcome.counts["books_read"],
            outcome.counts["books_unchanged"],
            outcome.counts["offers"],
            *(round(outcome.seconds_by_step.get(step, 0.0), 1) for step in order),
        ]
        for number, outcome in enumerate(outcomes, 1)
    ]
    return table("Seconds by step", ["cycle", "books", "unchanged", "offers", *order], rows)
