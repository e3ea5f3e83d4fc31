"""Makes a page and writes it to a file."""

from __future__ import annotations

from pathlib import Path

from report.market import market_page
from report.marts import open_marts
from report.pair import pair_page
from warehouse.errors import UserError
from warehouse.files import whole_file
from warehouse.postgres import Warehouse


def write_report(
    warehouse: Warehouse, pair: str | None, file: Path, *, is_for_others: bool = False
) -> None:
    """Write the page of one pair, or of the whole market, to `file`, whole or not at all.

    Raises:
        UserError: nothing is in the warehouse, it has no such pair, or the file cannot be written.
    """
    with open_marts(warehouse) as marts:
        page = pair_page(marts, pair) if pair else market_page(marts)
    try:
        with whole_file(file, is_for_others=is_for_others) as stream:
            stream.write(page.encode())
    except OSError as error:
        raise UserError(
            f"--out {file} cannot be written ({error.strerror}): name a file in a folder of yours."
        ) from None
