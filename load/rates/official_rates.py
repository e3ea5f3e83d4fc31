"""Official daily rates: units of each fiat for one US dollar, as a free host publishes them.

Rates By Exchange Rate API (https://www.exchangerate-api.com), no key; its terms ask for that
attribution, and for not being asked again before it says that it renews. Reasons of a refusal:
`wrong_shape`, `no_result`, `result_not_success`, `wrong_base`, `base_is_not_one`, `no_time`,
`wrong_time`, `no_rates`, `mostly_refused`; of one entry: `no_code` and those of `numbers`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from load.exchange.client import Refused
from load.rates.beside import Host, Job, PriceReading
from load.rates.numbers import SOUND, positive
from load.text import is_code, printable

KIND = "official_rates"
PATH = "/v6/latest/USD"
RATE_KIND = "mid_market"
BASE = "USD"
ASK_AGAIN_AFTER = timedelta(hours=1)
"""When a source is late, which it may be for days."""
_USUALLY_RENEWED_AFTER, _LONGEST_PERIOD = timedelta(hours=24), timedelta(days=7)
_SKEW = timedelta(days=1)  # between its clock and ours
_FIRST = 946_684_800  # the year 2000


@dataclass(frozen=True)
class Landed:
    """What counts in the warehouse of this source."""

    published_at: datetime
    next_at: datetime
    asked_at: datetime
    """When it was last asked and understood, with news or without."""

    def is_due(self, now: datetime) -> bool:
        """Whether to ask again; a clock that went back makes it so too."""
        if now < self.asked_at:
            return True
        return now >= self.next_at and now - self.asked_at >= ASK_AGAIN_AFTER


def job(landed: Landed | None) -> Job:
    """Fills a reading with the rates of now; with none where they have landed already."""

    def fill(reading: PriceReading, host: Host) -> None:
        status, document = host.get_json(PATH)
        if status != 200:
            raise Refused(f"http_{status}")
        take(reading, document)
        if landed is not None and reading.published_at == landed.published_at:
            reading.rows, reading.is_unchanged = [], True

    return fill


def take(reading: PriceReading, document: Any) -> None:
    """Put what can be trusted of an answer into a reading.

    Raises:
        Refused: nothing can.
    """
    rates = _rates_of(document)
    published = _time_of(document, reading.read_at)
    reading.published_at = published
    reading.next_at = _next_of(document, published)
    for code, value in rates.items():
        rate, wrong = positive(value)
        if not is_code(code):
            wrong = "no_code"
        if wrong != SOUND:
            reading.left_out.append(f"{printable(code, 20)}: {wrong}")
            continue
        reading.rows.append(
            {
                "rate_kind": RATE_KIND,
                "source": reading.source,
                "published_at": published,
                "fiat_code": code,
                "rate": rate,
                "bid": None,
                "ask": None,
            }
        )
    if len(reading.left_out) > len(reading.rows):
        raise Refused("mostly_refused")


def _rates_of(document: Any) -> Mapping[str, Any]:
    if not isinstance(document, dict):
        raise Refused("wrong_shape")
    if "result" not in document:
        raise Refused("no_result")
    if document["result"] != "success":
        raise Refused("result_not_success")
    if document.get("base_code") != BASE:
        raise Refused("wrong_base")
    rates = document.get("rates")
    if not isinstance(rates, dict) or not rates:
        raise Refused("no_rates")
    if rates.get(BASE, 1) != 1:
        raise Refused("base_is_not_one")
    return rates


def _time_of(document: Mapping[str, Any], now: datetime) -> datetime:
    seconds = document.get("time_last_update_unix")
    if type(seconds) is not int:
        raise Refused("no_time")
    if not _FIRST <= seconds <= (now + _SKEW).timestamp():
        raise Refused("wrong_time")
    return datetime.fromtimestamp(seconds, UTC)


def _next_of(document: Mapping[str, Any], published: datetime) -> datetime:
    seconds = document.get("time_next_update_unix")
    first = published.timestamp()
    if type(seconds) is int and first < seconds <= first + _LONGEST_PERIOD.total_seconds():
        return datetime.fromtimestamp(seconds, UTC)
    return published + _USUALLY_RENEWED_AFTER
