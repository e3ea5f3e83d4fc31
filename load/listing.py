"""Reads what is stale of the catalogue: which fiats are listed, then what each is traded for."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from load import catalogue
from load.catalogue import CatalogueReading
from load.exchange import Exchange
from load.meter import Meter
from load.state import CatalogueState
from warehouse.errors import UserError


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
            UserError: the exchange lists none of `fiats`.
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
            raise UserError(f"P2P_FIATS={','.join(fiats)}: the exchange lists none of these.")
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
