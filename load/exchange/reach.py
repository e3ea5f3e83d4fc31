"""What is said when the exchange cannot be had: not at all, or not for the rest of a cycle."""

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from load.exchange.calls import Exchange
from load.pace.limiter import is_forbidden
from load.pace.pacer import Bar
from load.text import printable
from warehouse.errors import UserError

log = logging.getLogger(__name__)


class ExchangeOutOfReach(UserError):
    """Nothing that the exchange answered could be read: there is no cycle to speak of."""


def out_of_reach(exchange: Exchange, url: str, clock: Callable[[], datetime]) -> ExchangeOutOfReach:
    """Why nothing could be read, in one line; until when, if the exchange keeps us out."""
    place, bar = f"P2P_API_URL={printable(url)} is out of reach", exchange.pacer.bar
    advice = "Ask more slowly (P2P_REQUESTS_PER_SECOND), or from an address that it lets in."
    if bar:
        why = "it does not let this address in; " if is_forbidden(bar.reason) else ""
        until = _end(exchange, bar, clock)
        return ExchangeOutOfReach(
            f"{place} until {until} ({bar.reason}): {why}nothing is asked of it before. {advice}"
        )
    if is_forbidden(exchange.last_failure):
        return ExchangeOutOfReach(
            f"{place} ({exchange.last_failure}): it does not let this address in. {advice}"
        )
    return ExchangeOutOfReach(
        f"{place} ({exchange.last_failure}): check the address and the network, "
        "or see `make demo`, which needs neither."
    )


def require_reach(
    exchange: Exchange, url: str, clock: Callable[[], datetime], stop: threading.Event
) -> None:
    """At the end of a cycle: say whether the exchange broke it off.

    Raises:
        ExchangeOutOfReach: before anything was understood.
    """
    bar = exchange.pacer.bar
    is_empty = not exchange.understood and not stop.is_set()
    if is_empty and (bar or exchange.last_failure):
        raise out_of_reach(exchange, url, clock)
    if bar:
        log.error(
            "the exchange keeps this address out: what was read lands, the rest is left",
            extra={"reason": bar.reason, "until": _end(exchange, bar, clock)},
        )


def _end(exchange: Exchange, bar: Bar, clock: Callable[[], datetime]) -> str:
    seconds = max(0.0, bar.until - exchange.pacer.time.now())
    return f"{clock() + timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S} UTC"


def require_same_kind(exchange: Exchange, url: str, holds_simulated: bool | None) -> None:
    """Keep real and simulated readings apart: one warehouse holds one kind of them.

    `holds_simulated` says which kind the warehouse holds; None where it holds none yet.

    Raises:
        UserError: the exchange that answers is of the other kind.
    """
    is_simulated = exchange.is_simulated
    if None in (holds_simulated, is_simulated) or holds_simulated == is_simulated:
        return
    kinds = {True: "simulated", False: "real"}
    raise UserError(
        f"P2P_API_URL={printable(url)} is a {kinds[bool(is_simulated)]} exchange, and this "
        f"warehouse holds {kinds[bool(holds_simulated)]} readings: set P2P_HOME (or DATABASE_URL) "
        "to another warehouse, or P2P_API_URL to the exchange that these came from."
    )
