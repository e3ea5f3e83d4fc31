"""What is logged in a run, shown by Prefect with that run."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from prefect.logging.handlers import APILogHandler

from warehouse.log import MessageFormatter, is_ours


class RunLogHandler(APILogHandler):
    """Sends what any thread of this process logs to Prefect's server, as lines of one flow run.

    Prefect's own handler asks the thread's context which run it belongs to; the threads that read
    the exchange have none.
    """

    def __init__(self, flow_run_id: str) -> None:
        """Of which run."""
        super().__init__()
        self.setFormatter(MessageFormatter())
        self.addFilter(is_ours)  # what Prefect says of a run it sends itself
        self._flow_run_id = flow_run_id

    def emit(self, record: logging.LogRecord) -> None:
        """Send `record`."""
        sent = copy.copy(record)  # the other handlers have no use for the run's number
        sent.flow_run_id = self._flow_run_id
        super().emit(sent)


@contextmanager
def shown_with(flow_run_id: str) -> Iterator[None]:
    """Show what is logged meanwhile with this run."""
    handler = RunLogHandler(flow_run_id)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
