"""Reads what is stale of the catalogue: which fiats are listed, then what each is traded for."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from load.exchange import catalogue
from load.exchange.calls import Exchange
from load.exchange.catalogue import CatalogueReading
from load.exchange.meter import Meter
from load.land.state import CatalogueState
from warehouse.errors import BadSetting


class Listing:
    """What is asked of the exchange about what it lists, in one cycle."""

    def __init__(
        self,
        exchange: Exchange,
        clock: Callable[[], datetime],
        stop: threading.Event,
        meter: Meter,
        tell: Callable[[str], None],
    ) -> None:
        """Nothing is asked yet; `tell` hears how far it is."""
        self.readings: list[CatalogueReading] = []
        """What was read, also where it ended early."""
        self._exchange, self._clock, self._stop = exchange, clock, stop
        self._meter, self._tell = meter, tell

    def read(self, known: CatalogueState, fiats: tuple[str, ...], in_flight: int) -> None:
        """Read what is stale of `known`, of these fiats where some are given.

        Raises:
            BadSetting: the exchange lists none of `fiats`.
            Stopped: there is no time left.
            Unreachable: the exchange has not answered anything in this cycle.
        """
        if catalogue.is_stale(known.fiats_us, self._clock()):
            self._tell("which fiats are listed")
            self.readings.append(catalogue.read_fiats(self._exchange, self._clock, self._stop))
            catalogue.remember(known, self.readings[0])
        listed = known.fiats or list(fiats)
        wanted, stale = catalogue.wanted_fiats(listed, known, fiats, self._clock())
        if listed and not wanted:
            raise BadSetting("P2P_FIATS", ",".join(fiats), ": the exchange lists none of these.")
        workers = ThreadPoolExecutor(in_flight, thread_name_prefix="catalogue")
        try:
            futures = [
                workers.submit(
                    catalogue.read_fiat, self._exchange, fiat, known, self._clock, self._stop
                )
                for fiat in stale
            ]
            for done, future in enumerate(futures, 1):
                self._meter.first_of({future})
                self.readings += future.result()
                self._tell(f"catalogue: {done} of {len(futures)} fiats")
        finally:
            workers.shutdown(wait=False, cancel_futures=True)


def require_books(known: CatalogueState, fiats: tuple[str, ...], assets: tuple[str, ...]) -> None:
    """Refuse limits that leave no book, as far as the catalogue of these fiats was read.

    Raises:
        BadSetting: the exchange trades none of these assets for these fiats, or nothing at all.
    """
    asked = [fiat for fiat in known.fiats if not fiats or fiat in fiats]
    if known.books(fiats, assets) or not all(fiat in known.pairs for fiat in asked):
        return
    if assets and known.books(fiats, ()):
        where = ",".join(fiats) or "any fiat"
        said = f": the exchange trades none of these for {where}."
        raise BadSetting("P2P_ASSETS", ",".join(assets), said)
    if fiats:
        said = ": the exchange lists no pair of these, so there is no book to read."
        raise BadSetting("P2P_FIATS", ",".join(fiats), said)


def unlisted(known: CatalogueState, fiats: tuple[str, ...], assets: tuple[str, ...]) -> list[str]:
    """Those of the fiats asked for that no book is of, where that is known."""
    found = {book.fiat for book in known.books(fiats, assets)}
    unread = {fiat for fiat in known.fiats if fiat not in known.pairs}
    return [fiat for fiat in fiats if fiat not in found | unread]
