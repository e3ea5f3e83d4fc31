"""The short picture of the result that `p2p run` and `p2p demo` end with."""

from __future__ import annotations

from flows.console import out, table
from flows.query import Answer, ask
from flows.summary import CycleOutcome
from warehouse.postgres import Warehouse

BOOKS = """
with latest as (
    select distinct on (trading_pair)
        trading_pair,
        ask_reference,
        bid_reference,
        spread_pct_reference,
        ask_n_offers,
        bid_n_offers
    from marts.market_spreads
    order by trading_pair, snapshot_at desc
)

select
    trading_pair as pair,
    ask_n_offers as "ads to buy from",
    bid_n_offers as "ads to sell to",
    round(ask_reference, 4) as "reference ask",
    round(bid_reference, 4) as "reference bid",
    round(spread_pct_reference, 2) as "spread %"
from latest
order by ask_n_offers + bid_n_offers desc nulls last
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


def show(warehouse: Warehouse, outcomes: list[CycleOutcome], tries: list[str]) -> None:
    """Print the books with their prices, what was checked, how long it took, and what to try."""
    _print("Books, the largest first", ask(warehouse, BOOKS))
    _print("In the warehouse", ask(warehouse, FACTS))
    steps = list(dict.fromkeys(step for o in outcomes for step in o.seconds_by_step))
    steps = [step for step in steps if "." not in step]
    rows = [
        [
            f"cycle {number}",
            outcome.counts["books_read"],
            outcome.counts["books_unchanged"],
            outcome.counts["offers"],
            outcome.counts["requests"],
            *(outcome.seconds_by_step.get(step) for step in steps),
        ]
        for number, outcome in enumerate(outcomes, 1)
    ]
    columns = ["", "books", "unchanged", "offers", "requests", *(f"{step}, s" for step in steps)]
    out.print(table("Cycles", columns, rows))
    last = outcomes[-1]
    checks = ask(
        warehouse,
        "select count(*), count(*) filter (where success) from ops.check_results"
        f" where run_id = '{last.run_id}'",
    ).rows[0]
    out.print(
        f"Checked: {checks[1]} of {checks[0]} expectations hold, "
        f"{last.counts['tests_failed'] or 0} dbt tests failed."
    )
    if tries:
        out.print("\n[bold]What to try next[/bold]")
        for line in tries:
            out.print(f"  {line}", markup=False)


def _print(title: str, answer: Answer) -> None:
    out.print(table(title, answer.columns, answer.rows))
