# ruff: noqa: S608  (the only values put into these texts are our limits and quoted literals)
"""What the profiles have in common: their parameters and the pieces of SQL they are made of.

A profile is a query that measures: one small row a book, numbers and codes only. Great
Expectations judges these rows and never sees an offer, so that neither a verdict nor a page of
the data docs can carry a text that an advertiser wrote.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

# Codes come from the exchange, too: what does not look like one is shown as its digest.
BOOK = (
    "case when concat_ws(' ', {0}.fiat_code, {0}.asset_code, {0}.side)"
    " ~ '^[A-Za-z0-9]{{1,20}} [A-Za-z0-9]{{1,20}} (BUY|SELL)$'"
    " then {0}.fiat_code || '/' || {0}.asset_code || ' ' || {0}.side"
    " else 'book ' || left(md5(concat_ws(' ', {0}.fiat_code, {0}.asset_code, {0}.side)), 8) end"
)

# Relations that may not exist yet when a suite runs for the first time.
OPTIONAL_RELATIONS = ("ops.quarantined_loads", "staging.trading_pairs", "marts.fact_offers")


@dataclass(frozen=True)
class Parameters:
    """What a suite looks at: one run, or exactly the loads that a transform would take.

    `load_ids` goes before `run_id` when given: loads that an earlier, killed run has left for this
    transform are landings of this run too. `as_of` is when the run finished on its own clock, which
    may be a simulated one; unset, the newest reading is as old as the run. `interval_minutes` is
    the time between two runs. `is_simulated` says that the exchange was not the real one.
    """

    run_id: str
    load_ids: Collection[str] | None = None
    as_of: datetime | None = None
    interval_minutes: float = 20.0
    is_simulated: bool = False


def literal(value: str) -> str:
    """`value` as a string in SQL that means the same however often it is read.

    Quotes end it, and SQLAlchemy reads colons, per cents and backslashes as its own: twice over, as
    Great Expectations has it compile a query twice. So all but letters and digits is spelt out.

    Raises:
        ValueError: it holds a NUL, which no text of PostgreSQL can.
    """
    if "\0" in value:
        raise ValueError("a text of PostgreSQL holds no NUL")
    plain = re.split(r"([^A-Za-z0-9_. -])", value)
    parts = [
        f"chr({ord(part)})" if number % 2 else f"'{part}'" for number, part in enumerate(plain)
    ]
    return f"({' || '.join(parts)})"


def common(parameters: Parameters, existing: Collection[str]) -> str:
    """The CTEs that every profile of books begins with."""
    if parameters.load_ids is None:
        landing = f"run_id = {literal(parameters.run_id)}"
    else:
        ids = ", ".join(literal(load_id) for load_id in parameters.load_ids)
        landing = f"_dlt_load_id in ({ids or 'null'})"
    quarantined = (
        "select load_id from ops.quarantined_loads"
        if "ops.quarantined_loads" in existing
        else "select null where false"
    )
    return f"""
    finished as (
        select load_id from staging._dlt_loads where status = 0
    ),
    accepted as (
        select load_id from finished where load_id not in ({quarantined})
    ),
    landed as (
        select distinct on (snapshot_id) *
        from staging.snapshots
        where {landing} and _dlt_load_id in (select load_id from accepted)
        order by snapshot_id
    ),
    landed_pages as (
        select snapshot_id, page, body
        from staging.pages
        where {landing} and _dlt_load_id in (select load_id from accepted)
    ),
    clock as (
        select
            coalesce(
                {timestamp(parameters.as_of)}, max(finished_at)
            ) as as_of,
            coalesce(min(started_at), {timestamp(parameters.as_of)}) as since
        from landed
    )"""


def timestamp(value: datetime | None) -> str:
    """`value` as SQL, with its offset."""
    return "cast(null as timestamptz)" if value is None else f"timestamptz '{value.isoformat()}'"


def age(newest: str, parameters: Parameters) -> str:
    """How many intervals `newest` lies before the end of the run."""
    return (
        f"cast(extract(epoch from (select as_of from clock) - ({newest})) as double precision)"
        f" / {60 * parameters.interval_minutes}"
    )


def share(part: str, whole: str, otherwise: int) -> str:
    """The share of `part` in `whole` over all rows, `otherwise` where there is nothing to share."""
    return (
        f"coalesce(cast(sum({part}) over () as double precision)"
        f" / nullif(sum({whole}) over (), 0), {otherwise})"
    )
