"""Makes the pages and writes them: one to a file, or all of them to a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from report.market import market_page
from report.marts import open_marts
from report.page import SCRIPT
from report.pair import pair_page
from report.scripts import script
from warehouse.errors import UserError
from warehouse.files import whole_file
from warehouse.postgres import Warehouse

FRONT = "index.html"

PAIRS = "select distinct trading_pair from marts.fact_snapshots order by trading_pair"


def write_report(
    warehouse: Warehouse, pair: str | None, file: Path, *, is_for_others: bool = False
) -> None:
    """Write the page of one pair, or of the whole market, to `file`, whole or not at all.

    Raises:
        UserError: nothing is in the warehouse, it has no such pair, or the file cannot be written.
    """
    with open_marts(warehouse) as marts:
        page = pair_page(marts, pair) if pair else market_page(marts)
    _write(file, page, is_for_others=is_for_others)


def write_all(
    warehouse: Warehouse,
    folder: Path,
    *,
    is_for_others: bool = False,
    on_page: Callable[[int, int], None] | None = None,
) -> Path:
    """Write the page of the market and one for each pair to `folder`, and say which is the first.

    `on_page` is told how many pages are written, and of how many.

    Raises:
        UserError: nothing is in the warehouse, or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o755 if is_for_others else 0o700)
    except OSError as error:
        raise _unwritable(folder, error) from None
    with open_marts(warehouse) as marts:
        names = [row["trading_pair"] for row in marts.rows(PAIRS)]
        _write(folder / SCRIPT, script(), is_for_others=is_for_others)
        for number, name in enumerate(names):
            _write(
                folder / address(name), pair_page(marts, name, FRONT), is_for_others=is_for_others
            )
            if on_page:
                on_page(number + 1, len(names) + 1)
        _write(folder / FRONT, market_page(marts, address), is_for_others=is_for_others)
    return folder / FRONT


def address(pair: str) -> str:
    """The file of a pair's page in the folder: VES/USDT has VES-USDT.html."""
    return f"{pair.replace('/', '-')}.html"


def _write(file: Path, shown: str, *, is_for_others: bool) -> None:
    try:
        with whole_file(file, is_for_others=is_for_others) as stream:
            stream.write(shown.encode())
    except OSError as error:
        raise _unwritable(file, error) from None


def _unwritable(path: Path, error: OSError) -> UserError:
    return UserError(
        f"--out {path} cannot be written ({error.strerror}): name one in a folder of yours."
    )
