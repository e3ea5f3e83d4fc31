"""What the warehouse says, brought into the words of `chaos.truth`: rounds in place of times."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, LiteralString

import psycopg

from chaos.truth import BookKey, Terms, Version

Rounds = Mapping[str, int]
"""The round in which each run was made, by its id."""

# A version opens and ends at the start of a reading, and a reading belongs to a run. What is a
# key or a time differs between two warehouses that saw the same; all else must not.
_VERSIONS: LiteralString = """
    select
        offers.fiat_code, offers.asset_code, offers.side, offers.adv_no,
        offers.user_no, offers.price, offers.surplus_quantity, offers.tradable_quantity,
        offers.min_order_amount, offers.max_order_amount, offers.pay_time_limit_minutes,
        offers.is_promoted, offers.is_kyc_required,
        array(
            select methods.identifier from marts.fact_offer_payment_methods as methods
            where methods.offer_version_key = offers.offer_version_key
            order by methods.identifier collate "C"
        ),
        opened.run_id, ended.run_id, offers.valid_to is not null,
        to_jsonb(offers) - array[
            'offer_version_key', 'advertiser_key', 'opened_snapshot_id', 'valid_from', 'valid_to'
        ]
    from marts.fact_offers as offers
    left join marts.fact_snapshots as opened
        on opened.snapshot_id = offers.opened_snapshot_id and opened.started_at = offers.valid_from
    left join marts.fact_snapshots as ended
        on
            ended.fiat_code = offers.fiat_code and ended.asset_code = offers.asset_code
            and ended.side = offers.side and ended.started_at = offers.valid_to
"""

# What counts, read past dbt: the rows of finished loads.
_PAGES: LiteralString = """
    select snapshot_id, page, body::text from staging.pages
    where _dlt_load_id in (select load_id from staging._dlt_loads where status = 0)
"""
_SNAPSHOTS: LiteralString = """
    select distinct
        snapshot_id, fiat_code, asset_code, side, run_id, is_complete, incomplete_reason, pages,
        coalesce(same_as_snapshot_id, snapshot_id)
    from staging.snapshots
    where _dlt_load_id in (select load_id from staging._dlt_loads where status = 0)
"""
_OBSERVED: LiteralString = """
    select snapshots.started_at, snapshots.snapshot_id, pages.body::text
    from staging.snapshots as snapshots
    inner join (
        select distinct on (snapshot_id, page) * from staging.pages
        where _dlt_load_id in (select load_id from staging._dlt_loads where status = 0)
    ) as pages on pages.snapshot_id = snapshots.snapshot_id
    where
        snapshots._dlt_load_id in (select load_id from staging._dlt_loads where status = 0)
        and not snapshots.is_unchanged
    order by snapshots.snapshot_id, pages.page
"""


@dataclass(frozen=True)
class Told:
    """The versions of `fact_offers`."""

    versions: Counter[Version]
    in_full: Counter[tuple[Version, str]]
    """Each with every column that is no key and no time."""
    unexplained: int
    """Versions that begin or end at no reading."""


def told(connection: psycopg.Connection[Any], rounds: Rounds) -> Told:
    """Read the history of offers."""
    versions: Counter[Version] = Counter()
    in_full: Counter[tuple[Version, str]] = Counter()
    unexplained = 0
    for row in connection.execute(_VERSIONS):
        *of_offer, methods, opened_by, ended_by, is_ended, everything = row
        fiat, asset, side, adv_no, user_no, *numbers = of_offer
        if opened_by not in rounds or (is_ended and ended_by not in rounds):
            unexplained += 1
            continue
        version = Version(
            (fiat, asset, side),
            adv_no,
            Terms(user_no, tuple(methods), *numbers),
            rounds[opened_by],
            rounds[ended_by] if is_ended else None,
        )
        versions[version] += 1
        in_full[version, json.dumps(everything, sort_keys=True)] += 1
    return Told(versions, in_full, unexplained)


@dataclass(frozen=True)
class Snapshot:
    """One reading that counts, with the price of every offer in its pages."""

    snapshot_id: str
    book: BookKey
    run_id: str
    is_complete: bool
    reason: str | None
    pages: int
    pages_there: int
    prices: Mapping[str, Decimal]


def snapshots(connection: psycopg.Connection[Any]) -> list[Snapshot]:
    """All of them, straight from what landed: without dbt, each page once."""
    pages: dict[str, dict[int, dict[str, Decimal]]] = {}
    for snapshot_id, page, body in connection.execute(_PAGES):
        items = json.loads(body, parse_float=Decimal)["data"] or []
        pages.setdefault(snapshot_id, {})[page] = {
            item["adv"]["advNo"]: Decimal(item["adv"]["price"]) for item in items
        }
    found = []
    for row in connection.execute(_SNAPSHOTS):
        snapshot_id, fiat, asset, side, run_id, is_complete, reason, number, base = row
        there = pages.get(base, {})
        prices = {adv_no: price for page in there.values() for adv_no, price in page.items()}
        found.append(
            Snapshot(
                snapshot_id,
                (fiat, asset, side),
                run_id,
                is_complete,
                reason,
                number,
                len(there),
                prices,
            )
        )
    return found


Statistics = tuple[str, int | None, Decimal | None, Decimal | None, Any, Any]
"""User, orders of the month, completion and positive rate, from, to."""


def statistics_told(connection: psycopg.Connection[Any]) -> Counter[Statistics]:
    """`fact_advertiser_statistics` as it stands."""
    return Counter(
        connection.execute(
            "select user_no, month_order_count, month_finish_rate, positive_rate, valid_from,"
            " valid_to from marts.fact_advertiser_statistics"
        )
    )


def statistics_landed(connection: psycopg.Connection[Any]) -> Counter[Statistics]:
    """The same from the pages that landed, in plain Python.

    An advertiser stands in many books, whose readings are ordered by their own times alone. So with
    a clock that was set back this history is that of the times told, whatever the market was.
    """
    seen: dict[str, dict[Any, tuple[str, tuple[Any, ...]]]] = {}
    for started_at, snapshot_id, body in connection.execute(_OBSERVED):
        for item in json.loads(body, parse_float=Decimal)["data"] or []:
            who = item["advertiser"]
            said = (
                who["monthOrderCount"],
                _decimal(who["monthFinishRate"]),
                _decimal(who["positiveRate"]),
            )
            at = seen.setdefault(who["userNo"], {})
            # Of two books read at one moment the first by name counts; of one, its last word.
            if started_at not in at or at[started_at][0] == snapshot_id:
                at[started_at] = (snapshot_id, said)
    found: Counter[Statistics] = Counter()
    for user_no, by_time in seen.items():
        changes: list[tuple[Any, tuple[Any, ...]]] = []
        for at in sorted(by_time):
            said = by_time[at][1]
            if not changes or changes[-1][1] != said:
                changes.append((at, said))
        ends = [at for at, _ in changes[1:]] + [None]
        found.update(
            (user_no, *said, at, end) for (at, said), end in zip(changes, ends, strict=True)
        )
    return found


def _decimal(value: Any) -> Decimal | None:
    return None if value is None else Decimal(value)


OF_CYCLES = ("arbitrage_cycles", "arbitrage_outcomes", "arbitrage_runs", "pivots", "trade_steps")
"""Marts with rows per cycle. A killed cycle and the one that resumes it are two cycles."""

_NOT_OF_CYCLES = {"market_alerts": "kind <> 'arbitrage_net'"}
"""Which rows of the others are of no cycle: an alert of a walk's net is of the cycle's end."""


def everything(connection: psycopg.Connection[Any]) -> dict[str, list[str]]:
    """All that the marts say of the market, but for what a build writes of itself.

    And for the columns of `market_now` that count to the moment of asking.
    """
    tables = connection.execute(
        "select table_name::text, array_agg(column_name::text order by column_name)"
        " from information_schema.columns"
        " where table_schema = 'marts' and column_name not in ('run_id', 'load_id')"
        " and (table_name, column_name)"
        " not in (('market_now', 'age_minutes'), ('market_now', 'is_stale'))"
        " and table_name != all(%s)"
        " group by table_name",
        [list(OF_CYCLES)],
    ).fetchall()
    told = {}
    for table, columns in tables:
        listed = ", ".join(f'"{name}"' for name in columns)
        kept = _NOT_OF_CYCLES.get(table, "true")
        query = (
            f"select t::text from (select {listed} from marts.{table} where {kept}) as t order by 1"  # noqa: S608 - names of our own
        )
        told[table] = [row for (row,) in connection.execute(query.encode())]
    return told
