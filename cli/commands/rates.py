"""`p2p rates`: official rates of one's own."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from flows.starting import SUCCESS, start
from warehouse.settings import load_settings


def import_rates(
    file: Annotated[
        Path, typer.Argument(help="CSV: date,fiat_code,rate_kind,rate[,bid,ask,source]")
    ],
) -> int:
    """Import your own official rates from a CSV file. It is idempotent."""
    settings = load_settings()
    start(settings)
    from load.rates.own_rates import import_rates as load_file
    from ops import record
    from warehouse.postgres import open_warehouse

    with open_warehouse(settings) as warehouse:
        run_id = f"rates-{datetime.now(UTC):%Y%m%dT%H%M%S}"
        imported = load_file(settings, warehouse, file, run_id)
        with record.connected(warehouse) as connection:
            record.admit(connection, imported.load_ids)
    print(
        f"{imported.rows:,} {'rate' if imported.rows == 1 else 'rates'} read, "
        f"{imported.news:,} of them new."
    )
    if imported.unlisted:
        print(
            f"The exchange lists no {', '.join(imported.unlisted)}: those rates are kept, "
            "but no premium uses them. If a code is misspelt, import the correct one."
        )
    if imported.news:
        print("The next `p2p run` updates the marts.")
    return SUCCESS
