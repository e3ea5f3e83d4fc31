"""The raw tables of the staging schema: every column, spelled out, as Arrow types.

A table has its shape whether or not a batch has rows for it. `_dlt_load_id` is there from the
start, which leaves nothing for dlt's normalize step to rewrite.
"""

from collections.abc import Mapping

import pyarrow as pa  # type: ignore[import-untyped]

_TIME = pa.timestamp("us", tz="UTC")
_TEXT, _COUNT, _BOOL, _REAL = pa.string(), pa.int64(), pa.bool_(), pa.float64()
_PAIR = {"fiat_code": _TEXT, "asset_code": _TEXT}
_BOOK = {**_PAIR, "side": _TEXT}

LOSSES = (
    "mae", "mase", "pinball_10", "pinball_50", "pinball_90", "crps", "coverage_80_pct",
    "log_loss", "accuracy_pct",
)  # fmt: skip
"""Of `predictor_runs`: what is measured of a model, and of persistence beside it."""

TABLES: Mapping[str, pa.Schema] = {
    name: pa.schema({**columns, "_dlt_load_id": _TEXT})
    for name, columns in {
        "pages": {
            "snapshot_id": _TEXT,
            "page": _COUNT,
            "run_id": _TEXT,
            **_BOOK,
            "requested_at": _TIME,
            "received_at": _TIME,
            "announced_total": _COUNT,
            "offers": _COUNT,
            "cleaned_characters": _COUNT,
            "body_sha256": _TEXT,
            "body": _TEXT,
        },
        "snapshots": {
            "snapshot_id": _TEXT,
            "run_id": _TEXT,
            **_BOOK,
            "started_at": _TIME,
            "finished_at": _TIME,
            "announced_total": _COUNT,
            "offers_seen": _COUNT,
            "offers_distinct": _COUNT,
            "offers_unnumbered": _COUNT,
            "offers_missing": _COUNT,
            "duplicates": _COUNT,
            "pages": _COUNT,
            "requests": _COUNT,
            "cleaned_characters": _COUNT,
            "is_complete": _BOOL,
            "is_unchanged": _BOOL,
            "incomplete_reason": _TEXT,
            "fingerprint": _TEXT,
            "same_as_snapshot_id": _TEXT,
        },
        "catalogue_readings": {
            "reading_id": _TEXT,
            "run_id": _TEXT,
            "kind": _TEXT,
            "fiat_code": _TEXT,
            "read_at": _TIME,
            "items": _COUNT,
            "is_complete": _BOOL,
            "incomplete_reason": _TEXT,
        },
        "fiats": {
            "reading_id": _TEXT,
            "read_at": _TIME,
            "fiat_code": _TEXT,
            "symbol": _TEXT,
            "scale": _COUNT,
            "country_code": _TEXT,
        },
        "trading_pairs": {"reading_id": _TEXT, "read_at": _TIME, **_BOOK},
        "payment_methods": {
            "reading_id": _TEXT,
            "read_at": _TIME,
            "fiat_code": _TEXT,
            "identifier": _TEXT,
            "name": _TEXT,
            "short_name": _TEXT,
        },
        "new_fields": {
            "run_id": _TEXT,
            "snapshot_id": _TEXT,
            "seen_at": _TIME,
            "path": _TEXT,
            "json_type": _TEXT,
        },
        "drift": {
            "run_id": _TEXT,
            "kind": _TEXT,
            "path": _TEXT,
            "what": _TEXT,
            "example": _TEXT,
            "seen_at": _TIME,
            "snapshot_id": _TEXT,
        },
        "price_readings": {
            "reading_id": _TEXT,
            "run_id": _TEXT,
            "kind": _TEXT,
            "source": _TEXT,
            "read_at": _TIME,
            "published_at": _TIME,
            "next_at": _TIME,
            "items": _COUNT,
            "left_out": _COUNT,
            "is_complete": _BOOL,
            "is_unchanged": _BOOL,
            "incomplete_reason": _TEXT,
        },
        "official_rates": {
            "reading_id": _TEXT,
            "read_at": _TIME,
            "rate_kind": _TEXT,
            "source": _TEXT,
            "published_at": _TIME,
            "fiat_code": _TEXT,
            "rate": _TEXT,
            "bid": _TEXT,
            "ask": _TEXT,
        },
        "spot_prices": {
            "reading_id": _TEXT,
            "read_at": _TIME,
            "symbol": _TEXT,
            "base_asset": _TEXT,
            "quote_asset": _TEXT,
            "bid": _TEXT,
            "bid_quantity": _TEXT,
            "ask": _TEXT,
            "ask_quantity": _TEXT,
        },
        "predictor_models": {
            "run_id": _TEXT,
            "seen_at": _TIME,
            "model_id": _TEXT,
            "description": _TEXT,
            "parameters": _TEXT,
            "library": _TEXT,
            "library_version": _TEXT,
        },
        "predictor_runs": {
            "run_id": _TEXT,
            "evaluated_at": _TIME,
            **_PAIR,
            "model_id": _TEXT,
            "horizon_hours": _COUNT,
            "first_cutoff_at": _TIME,
            "last_cutoff_at": _TIME,
            **dict.fromkeys(("n", "n_states", "n_blocks", "n_hours", "n_filled_hours"), _COUNT),
            **dict.fromkeys(LOSSES, _REAL),
            **dict.fromkeys((f"{loss}_persistence" for loss in LOSSES), _REAL),
            "log_loss_base_rates": _REAL,
            "accuracy_pct_base_rates": _REAL,
            **dict.fromkeys(("skill", "skill_low", "skill_high"), _REAL),
            "skill_over_base_rates": _REAL,
            "interval_factor": _REAL,
            "is_significant": _BOOL,
            "is_conformal": _BOOL,
        },
        "price_forecasts": {
            "run_id": _TEXT,
            "made_at": _TIME,
            **_PAIR,
            "horizon_hours": _COUNT,
            "reason": _TEXT,
            "evaluation_id": _TEXT,
            "model_id": _TEXT,
            "states_model_id": _TEXT,
            "n_hours": _COUNT,
            "n_filled_hours": _COUNT,
            **dict.fromkeys(("last_price", "point", "low_80", "high_80"), _REAL),
            "down_probability": _REAL,
            "flat_probability": _REAL,
            "up_probability": _REAL,
            "interval_factor": _REAL,
            "origin_at": _TIME,
            "target_at": _TIME,
        },
    }.items()
}
