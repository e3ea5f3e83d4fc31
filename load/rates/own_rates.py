"""One's own rates from a CSV: checked line by line, landed like any others, once.

Columns, by their header: `date` (2026-11-20), `fiat_code` (VES), `rate_kind` (a word of one's own,
such as central_bank), `rate` (units of the fiat for one US dollar); and, if wanted, `bid`, `ask`
(the same) and `source` (by default the file's name). Decimals with a point, in UTF-8.
"""

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from psycopg import Connection, sql

from load.land.landed import counting_loads, exist
from load.land.landing import Landing, Refused, share_arenas
from load.land.source import Batch
from load.rates.beside import PriceReading
from load.rates.numbers import SOUND, positive
from load.rates.official_rates import KIND
from load.text import is_code, printable
from warehouse.clock import utc_now
from warehouse.errors import UserError
from warehouse.postgres import Warehouse, require_write_access, single_writer
from warehouse.roles import LOADER
from warehouse.settings import Settings

REQUIRED, OPTIONAL = ("date", "fiat_code", "rate_kind", "rate"), ("bid", "ask", "source")
SOURCE = "import"
EARLIEST = date(1990, 1, 1)
_KIND = re.compile(r"[a-z][a-z0-9_]{0,39}")
_LONGEST_SOURCE = 100
_LARGEST_FILE = 50_000_000

Row = dict[str, Any]
Key = tuple[str, str, datetime]


@dataclass(frozen=True)
class Imported:
    """What an import did."""

    rows: int
    news: int
    """Rows that were not there yet, or that said otherwise."""
    load_ids: list[str]
    unlisted: tuple[str, ...] = ()
    """Fiats among them that the exchange does not list, as far as its list was read."""


class _Wrong(Exception):
    pass


def import_rates(
    settings: Settings,
    warehouse: Warehouse,
    path: Path,
    run_id: str,
    clock: Callable[[], datetime] = utc_now,
) -> Imported:
    """Land what is new in the file; the same file again lands nothing.

    Raises:
        UserError: the file cannot be read or a line of it is wrong (then none of it lands), another
            loader runs, or the warehouse refuses it.
    """
    now = clock()
    rows = read_rates(path, now.date())
    share_arenas()
    warehouse = warehouse.acting_as(LOADER)
    require_write_access(warehouse, ("staging",))
    with single_writer(warehouse, "load"):
        landing = Landing(settings.home, warehouse)
        landing.recover()
        with warehouse.connect(autocommit=True) as connection:
            known = _latest(connection)
            unlisted = _unlisted(connection, {row["fiat_code"] for row in rows})
        news = [row for row in rows if known.get(_key(row)) != _said(row)]
        if not news:
            return Imported(len(rows), 0, [], unlisted)
        reading = PriceReading(KIND, SOURCE, now, news)
        try:
            load_ids = landing.land(Batch(run_id, prices=[reading]), landing.state())
        except Refused as refusal:
            raise UserError(f"{path.name}: the warehouse refuses it: {refusal}") from refusal
        landing.tidy()
    return Imported(len(rows), len(news), load_ids, unlisted)


def read_rates(path: Path, today: date) -> list[Row]:
    """The rows of a CSV as they land.

    Raises:
        UserError: in one line, the first line of the file that is wrong and how many more are.
    """
    rows: list[Row] = []
    first_lines: dict[Key, int] = {}
    wrong: list[str] = []
    for number, entry in _lines(path):
        try:
            row = _row(entry, path.name, today)
            if (line := first_lines.setdefault(_key(row), number)) != number:
                raise _Wrong(f"repeats line {line}; leave one of them")
            rows.append(row)
        except _Wrong as error:
            wrong.append(f"{printable(path.name)} line {number}: {error}")
    if wrong:
        rest = len(wrong) - 1
        more = f" ({rest} more {'line is' if rest == 1 else 'lines are'} wrong)" if rest else ""
        raise UserError(f"{wrong[0]}{more}; nothing was imported.")
    if not rows:
        raise UserError(
            f"{printable(path.name)}: there is no rate in it; write one a line, below the header."
        )
    return rows


def _lines(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Line numbers and entries; a line without anything on it is none."""
    shown = printable(path.name)
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise UserError(f"{shown}: larger than 50 MB; import it in parts.")
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip().lower() for name in next(reader, [])]
            _check_header(header, shown)
            for cells in reader:
                if len(cells) not in (0, len(header)) and any(cells):
                    raise UserError(
                        f"{shown} line {reader.line_num}: {len(cells)} cells where the header has "
                        f"{len(header)} (a decimal has a point, and text with a comma stands in "
                        "double quotes); nothing was imported."
                    )
                if any(cell.strip() for cell in cells):
                    yield reader.line_num, dict(zip(header, map(str.strip, cells), strict=True))
    except OSError as error:
        raise UserError(
            f"{shown} cannot be read ({error.strerror}): name a CSV that is there."
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            f"{shown} is no CSV in UTF-8 ({printable(error)}): save it as one and import it again."
        ) from error


def _check_header(header: list[str], shown: str) -> None:
    missing = [name for name in REQUIRED if name not in header]
    unknown = [name for name in header if name not in (*REQUIRED, *OPTIONAL)]
    if missing and len(header) == 1 and re.search("[;\t|]", header[0]):
        raise UserError(
            f"{shown} line 1: there is no comma in the header; write columns apart by commas, and "
            "decimals with a point."
        )
    if missing or unknown or len(set(header)) < len(header):
        raise UserError(
            f"{shown} line 1: the header must name {','.join(REQUIRED)}, each once, and may name "
            f"{','.join(OPTIONAL)}; it says {printable(','.join(header)) or 'nothing'}."
        )


def _row(entry: dict[str, str], name: str, today: date) -> Row:
    fiat = entry["fiat_code"].upper()
    if not is_code(fiat):
        raise _Wrong(f"fiat_code {_quoted(fiat)} is no code such as VES")
    kind = entry["rate_kind"]
    if not _KIND.fullmatch(kind):
        raise _Wrong(
            f"rate_kind {_quoted(kind)} is no word of small letters, digits and _, such as "
            "central_bank"
        )
    numbers = {
        column: _number(column, entry[column])
        for column in ("rate", "bid", "ask")
        if column == "rate" or entry.get(column)
    }
    if "bid" in numbers and "ask" in numbers and Decimal(numbers["bid"]) > Decimal(numbers["ask"]):
        raise _Wrong(f"bid {numbers['bid']} is above ask {numbers['ask']}")
    source = entry.get("source") or name
    if len(source) > _LONGEST_SOURCE or not source.isprintable():
        raise _Wrong(f"source is not {_LONGEST_SOURCE} printable characters at most")
    return {
        "rate_kind": kind,
        "source": source,
        "published_at": _date(entry["date"], today),
        "fiat_code": fiat,
        "rate": numbers["rate"],
        "bid": numbers.get("bid"),
        "ask": numbers.get("ask"),
    }


def _number(column: str, text: str) -> str:
    number, wrong = positive(text)
    if wrong != SOUND:
        raise _Wrong(f"{column} {_quoted(text)} is no number above 0 such as 36.5")
    return number


def _date(text: str, today: date) -> datetime:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or len(text) != len("2026-11-20"):
        raise _Wrong(f"date {_quoted(text)} is no date such as 2026-11-20")
    if not EARLIEST <= day <= today:
        raise _Wrong(f"date {text} is not between {EARLIEST} and today ({today}, UTC)")
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _quoted(text: str) -> str:
    return f"'{printable(text, 40)}'"


def _key(row: Row) -> Key:
    return row["fiat_code"], row["rate_kind"], row["published_at"]


def _said(row: Row) -> tuple[Any, ...]:
    return row["rate"], row["bid"], row["ask"], row["source"]


def _unlisted(connection: Connection, fiats: set[str]) -> tuple[str, ...]:
    """Those of `fiats` that no list of the exchange's ever named; none where none was read."""
    if not exist(connection, "fiats"):
        return ()
    listed = {
        fiat for (fiat,) in connection.execute("select distinct fiat_code from staging.fiats")
    }
    return tuple(sorted(fiats - listed)) if listed else ()


def _latest(connection: Connection) -> dict[Key, tuple[Any, ...]]:
    """What the imports that count say last of each key."""
    if not exist(connection, "_dlt_loads", "official_rates"):
        return {}
    found = connection.execute(
        counting_loads(connection)
        + sql.SQL(
            """
        select distinct on (fiat_code, rate_kind, published_at)
            fiat_code, rate_kind, published_at, rate, bid, ask, source
        from staging.official_rates
        where
            starts_with(reading_id, 'official_rates-import-')
            and _dlt_load_id in (select load_id from counting_loads)
        order by fiat_code, rate_kind, published_at, read_at desc, _dlt_load_id desc
        """
        )
    )
    return {(fiat, kind, at): tuple(said) for fiat, kind, at, *said in found}
