"""Lands made-up readings straight into the staging tables, for tests of what SQL makes of them.

The tables have the shape in which the loader leaves them (`tests/load` holds it to that), without
its cost: a property test lands hundreds of loads.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

TABLES = """
create schema if not exists staging;
create table if not exists staging._dlt_loads (
    load_id varchar, schema_name varchar, status bigint, inserted_at timestamptz default now(),
    schema_version_hash varchar
);
create table if not exists staging.pages (
    snapshot_id varchar, page bigint, run_id varchar, fiat_code varchar, asset_code varchar,
    side varchar, requested_at timestamptz, received_at timestamptz, announced_total bigint,
    offers bigint, cleaned_characters bigint, body_sha256 varchar, body json, _dlt_load_id varchar
);
create table if not exists staging.snapshots (
    snapshot_id varchar, run_id varchar, fiat_code varchar, asset_code varchar, side varchar,
    started_at timestamptz, finished_at timestamptz, announced_total bigint, offers_seen bigint,
    offers_distinct bigint, offers_unnumbered bigint, offers_missing bigint, duplicates bigint,
    pages bigint, requests bigint, cleaned_characters bigint, is_complete boolean,
    is_unchanged boolean, incomplete_reason varchar, fingerprint varchar,
    same_as_snapshot_id varchar, _dlt_load_id varchar
);
create table if not exists staging.catalogue_readings (
    reading_id varchar, run_id varchar, kind varchar, fiat_code varchar, read_at timestamptz,
    items bigint, is_complete boolean, incomplete_reason varchar, _dlt_load_id varchar
);
create table if not exists staging.fiats (
    reading_id varchar, read_at timestamptz, fiat_code varchar, symbol varchar, scale bigint,
    country_code varchar, _dlt_load_id varchar
);
create table if not exists staging.trading_pairs (
    reading_id varchar, read_at timestamptz, fiat_code varchar, asset_code varchar, side varchar,
    _dlt_load_id varchar
);
create table if not exists staging.payment_methods (
    reading_id varchar, read_at timestamptz, fiat_code varchar, identifier varchar, name varchar,
    short_name varchar, _dlt_load_id varchar
);
create table if not exists staging.new_fields (
    run_id varchar, snapshot_id varchar, seen_at timestamptz, path varchar, json_type varchar,
    _dlt_load_id varchar
);
create table if not exists staging.price_readings (
    reading_id varchar, run_id varchar, kind varchar, source varchar, read_at timestamptz,
    published_at timestamptz, next_at timestamptz, items bigint, left_out bigint,
    is_complete boolean, is_unchanged boolean, incomplete_reason varchar, _dlt_load_id varchar
);
create table if not exists staging.official_rates (
    reading_id varchar, read_at timestamptz, rate_kind varchar, source varchar,
    published_at timestamptz, fiat_code varchar, rate varchar, bid varchar, ask varchar,
    _dlt_load_id varchar
);
create table if not exists staging.spot_prices (
    reading_id varchar, read_at timestamptz, symbol varchar, base_asset varchar,
    quote_asset varchar, bid varchar, bid_quantity varchar, ask varchar, ask_quantity varchar,
    _dlt_load_id varchar
);
create table if not exists staging.predictor_models (
    run_id varchar, seen_at timestamptz, model_id varchar, description varchar, parameters varchar,
    library varchar, library_version varchar, _dlt_load_id varchar
);
create table if not exists staging.predictor_runs (
    run_id varchar, evaluated_at timestamptz, fiat_code varchar, asset_code varchar,
    model_id varchar, horizon_hours bigint, first_cutoff_at timestamptz, last_cutoff_at timestamptz,
    n bigint, n_states bigint, n_blocks bigint, n_hours bigint, n_filled_hours bigint,
    mae double precision, mase double precision, pinball_10 double precision,
    pinball_50 double precision, pinball_90 double precision, crps double precision,
    coverage_80_pct double precision, log_loss double precision, accuracy_pct double precision,
    mae_persistence double precision, mase_persistence double precision,
    pinball_10_persistence double precision, pinball_50_persistence double precision,
    pinball_90_persistence double precision, crps_persistence double precision,
    coverage_80_pct_persistence double precision, log_loss_persistence double precision,
    accuracy_pct_persistence double precision, log_loss_base_rates double precision,
    accuracy_pct_base_rates double precision, skill double precision, skill_low double precision,
    skill_high double precision, skill_over_base_rates double precision,
    interval_factor double precision, is_significant boolean, is_conformal boolean,
    _dlt_load_id varchar
);
create table if not exists staging.price_forecasts (
    run_id varchar, made_at timestamptz, fiat_code varchar, asset_code varchar,
    horizon_hours bigint, reason varchar, evaluation_id varchar, model_id varchar,
    states_model_id varchar, n_hours bigint, n_filled_hours bigint, last_price double precision,
    point double precision, low_80 double precision, high_80 double precision,
    down_probability double precision, flat_probability double precision,
    up_probability double precision, interval_factor double precision, origin_at timestamptz,
    target_at timestamptz, _dlt_load_id varchar
);
create index if not exists pages_snapshot on staging.pages (snapshot_id);
create index if not exists pages_load on staging.pages (_dlt_load_id);
create index if not exists snapshots_load on staging.snapshots (_dlt_load_id);
create index if not exists snapshots_started on staging.snapshots (started_at);
create index if not exists snapshots_snapshot on staging.snapshots (snapshot_id);
create index if not exists official_rates_load on staging.official_rates (_dlt_load_id);
create index if not exists spot_prices_load on staging.spot_prices (_dlt_load_id);
create index if not exists spot_prices_read on staging.spot_prices (read_at);
"""

Book = tuple[str, str, str]
"""Fiat, asset and the taker's side."""


def item(
    adv_no: str | None,
    price: str = "10.00",
    *,
    side: str = "BUY",
    adv: Mapping[str, Any] | None = None,
    advertiser: Mapping[str, Any] | None = None,
    methods: Sequence[Mapping[str, Any]] = ({"identifier": "Wise", "tradeMethodName": "Wise"},),
    promoted: bool = False,
) -> dict[str, Any]:
    """One offer as a page shows it; `side` is the taker's, so the ad carries its opposite."""
    return {
        "adv": {
            "advNo": adv_no,
            "classify": "mass",
            "tradeType": "SELL" if side == "BUY" else "BUY",
            "price": price,
            "surplusAmount": "100.00",
            "tradableQuantity": "100.00",
            "minSingleTransAmount": "50",
            "maxSingleTransAmount": "500",
            "dynamicMaxSingleTransAmount": (adv or {}).get("maxSingleTransAmount", "500"),
            "payTimeLimit": 15,
            "tradeMethods": list(methods),
            "commissionRate": None,
            "takerAdditionalKycRequired": 0,
            "assetScale": 2,
            "fiatScale": 2,
            "priceScale": 2,
            **(adv or {}),
        },
        "advertiser": {
            "userNo": f"s{hashlib.md5(str(adv_no).encode(), usedforsecurity=False).hexdigest()}",
            "nickName": "somebody",
            "userType": "user",
            "userGrade": 2,
            "userIdentity": "",
            "badges": None,
            "monthOrderCount": 120,
            "monthFinishRate": 0.99,
            "positiveRate": 1.0,
            "activeTimeInSecond": 7,
            **(advertiser or {}),
        },
        "privilegeType": 1 if promoted else None,
    }


@dataclass(frozen=True)
class Reading:
    """One reading of a book; `pages` holds what each page showed, `None` an unchanged book."""

    book: Book
    at: datetime
    pages: Sequence[Sequence[Mapping[str, Any]]] | None
    incomplete_reason: str | None = None
    same_as: str | None = None
    announced: int | None = None
    distinct: int | None = None

    @property
    def snapshot_id(self) -> str:
        """The reading's name, as the loader writes it."""
        return f"{'-'.join(self.book)}-{self.at.strftime('%Y%m%dT%H%M%S.%fZ')}"


def land(
    connection: psycopg.Connection[Any],
    load_id: str,
    readings: Iterable[Reading],
    *,
    status: int = 0,
    run_id: str = "run-1",
) -> None:
    """Lands readings, and the catalogue that lists their books, as one load."""
    books: set[Book] = set()
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(TABLES)
        for reading in readings:
            books.add(reading.book)
            _land_reading(cursor, load_id, run_id, reading)
        _land_catalogue(cursor, load_id, run_id, books)
        cursor.execute(
            "insert into staging._dlt_loads (load_id, schema_name, status) values (%s, %s, %s)",
            (load_id, "binance_p2p", status),
        )


def _land_reading(cursor: psycopg.Cursor[Any], load_id: str, run_id: str, reading: Reading) -> None:
    pages = reading.pages or []
    items = [offer for page in pages for offer in page]
    numbers = [offer["adv"].get("advNo") for offer in items]
    distinct = len({number for number in numbers if number})
    unnumbered = sum(1 for number in numbers if not number)
    announced = len(items) if reading.announced is None else reading.announced
    met = distinct if reading.distinct is None else reading.distinct
    for number, page in enumerate(pages, start=1):
        body = json.dumps({"code": "000000", "data": page, "total": announced})
        cursor.execute(
            "insert into staging.pages values (%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,0,%s,%s,%s)",
            (
                reading.snapshot_id,
                number,
                run_id,
                *reading.book,
                reading.at,
                reading.at,
                announced,
                len(page),
                hashlib.sha256(body.encode()).hexdigest(),
                body,
                load_id,
            ),
        )
    cursor.execute(
        "insert into staging.snapshots values"
        " (%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,0,%s,%s,%s,%s,%s,%s)",
        (
            reading.snapshot_id,
            run_id,
            *reading.book,
            reading.at,
            reading.at,
            announced,
            len(items),
            met,
            unnumbered,
            max(0, announced - met - unnumbered),
            len(items) - distinct - unnumbered,
            len(pages),
            max(1, len(pages)),
            reading.incomplete_reason is None,
            reading.pages is None,
            reading.incomplete_reason,
            None,
            reading.same_as,
            load_id,
        ),
    )


def _land_catalogue(
    cursor: psycopg.Cursor[Any], load_id: str, run_id: str, books: set[Book]
) -> None:
    listed = sorted({fiat for fiat, _, _ in books})
    for kind, fiat in [("fiats", None), *(("trading_pairs", fiat) for fiat in listed)]:
        cursor.execute(
            "insert into staging.catalogue_readings"
            " values (%s, %s, %s, %s, '2026-01-01T00:00:00Z', 1, true, null, %s)",
            (f"{kind}-{fiat}-{load_id}", run_id, kind, fiat, load_id),
        )
    for fiat in listed:
        cursor.execute(
            "insert into staging.fiats values (%s, '2026-01-01T00:00:00Z', %s, '$', 2, 'XX', %s)",
            (f"fiats-None-{load_id}", fiat, load_id),
        )
    for fiat, asset, side in sorted(books):
        cursor.execute(
            "insert into staging.trading_pairs values (%s, '2026-01-01T00:00:00Z', %s, %s, %s, %s)",
            (f"trading_pairs-{fiat}-{load_id}", fiat, asset, side, load_id),
        )


@dataclass(frozen=True)
class Rate:
    """One official rate, as a source published it."""

    fiat: str
    published_at: datetime
    rate: str
    kind: str = "mid_market"
    bid: str | None = None
    ask: str | None = None
    source: str = "open.er-api.com"


def land_prices(
    connection: psycopg.Connection[Any],
    load_id: str,
    rates: Iterable[Rate] = (),
    spot: Mapping[str, tuple[str, str]] | None = None,
    *,
    at: datetime,
) -> None:
    """Lands what was read at one time beside the exchange; `spot` is bid and ask by asset."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(TABLES)
        for rate in rates:
            cursor.execute(
                "insert into staging.official_rates values (%s,%s,%s,%s,%s,%s,%s,%s,%s,%s)",
                (
                    f"official_rates-{at:%Y%m%dT%H%M%S}",
                    at,
                    rate.kind,
                    rate.source,
                    rate.published_at,
                    rate.fiat,
                    rate.rate,
                    rate.bid,
                    rate.ask,
                    load_id,
                ),
            )
        for asset, (bid, ask) in (spot or {}).items():
            cursor.execute(
                "insert into staging.spot_prices values (%s,%s,%s,%s,'USDT',%s,'1',%s,'1',%s)",
                (f"spot_prices-{at:%H%M%S}", at, f"{asset}USDT", asset, bid, ask, load_id),
            )
        cursor.execute(
            "insert into staging._dlt_loads (load_id, schema_name, status) values (%s, %s, 0)",
            (load_id, "binance_p2p"),
        )
