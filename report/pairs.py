"""The pair that a page is about."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from report import figures
from report.marts import Marts, Row
from warehouse.errors import UserError

DAYS = 7
"""How far back the charts of the market's readings reach from the newest one."""

PAIR_DAYS = 400
"""How far back a pair's page does: its reader chooses how much of that to see."""

SIDES = {"BUY": "ask", "SELL": "bid"}
"""What a side shows, as its look and its name."""

LATEST = """
select
    max(started_at) as newest,
    max(started_at) filter (where quality_verdict = 'trusted') as trusted
from marts.fact_snapshots
where fiat_code = %(fiat)s and asset_code = %(asset)s
"""


@dataclass(frozen=True)
class Pair:
    """A fiat and an asset, the newest reading of the pair, and the newest that could be trusted."""

    fiat: str
    asset: str
    newest: datetime
    trusted: datetime | None

    @property
    def name(self) -> str:
        """As it is written: VES/USDT."""
        return f"{self.fiat}/{self.asset}"

    @property
    def since(self) -> datetime:
        """From when readings are drawn."""
        return self.newest - timedelta(days=PAIR_DAYS)

    def rows(self, marts: Marts, question: str, **more: object) -> list[Row]:
        """Ask with this pair and its time as `fiat`, `asset` and `since`."""
        given = {"fiat": self.fiat, "asset": self.asset, "since": self.since}
        return marts.rows(question, **given, **more)


def find_pair(marts: Marts, name: str) -> Pair:
    """The pair of that name.

    Raises:
        UserError: it is no name of a pair, or nothing of it was ever read.
    """
    parts = re.fullmatch(r"([A-Z0-9]{1,20})/([A-Z0-9]{1,20})", name.strip().upper())
    if parts is None:
        raise UserError(f"--pair {name!r} is no pair: write fiat and asset, as in VES/USDT.")
    fiat, asset = parts.groups()
    found = marts.row(LATEST, fiat=fiat, asset=asset)
    if found is None or found["newest"] is None:
        raise UserError(
            f"The warehouse holds no reading of {fiat}/{asset}: `p2p report` without --pair "
            "shows the pairs that it holds."
        )
    return Pair(fiat, asset, found["newest"], found["trusted"])


def as_of(marts: Marts, at: datetime | None, what: str = "Last trusted reading") -> str:
    """Of when numbers are, and how old that was when the page was made."""
    if at is None:
        return f"{what}: none."
    age = figures.duration(marts.now - at)
    return f"{what}: {figures.moment(at)}, {age} before this page was made."
