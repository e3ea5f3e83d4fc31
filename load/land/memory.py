"""What a batch leaves in the loader's memory, and what is said of it once for that reason."""

import logging
from collections.abc import Callable
from datetime import datetime

from load.book.drift import NEW
from load.book.reading import remember
from load.exchange import catalogue
from load.land.source import Batch
from load.land.state import State
from load.text import printable

log = logging.getLogger(__name__)

MOST_NEW_FIELDS = 1_000


def remember_batch(state: State, batch: Batch, clock: Callable[[], datetime]) -> None:
    """Put into `state` what is to be known once `batch` has landed, and into `batch` what is new.

    With the batch that closes a cycle the drift watch judges the whole of it.
    """
    batch.new_fields, batch.drift = [], []
    for reading in batch.readings:
        remember(state.of(reading.book), reading)
        batch.drift += state.watch.take(
            reading.shape, state.fields, reading.snapshot_id, reading.started_at
        )
        for path, kind in reading.new_fields.items():
            if path in state.fields or len(state.fields) >= MOST_NEW_FIELDS:
                continue
            state.fields.add(path)
            batch.new_fields.append(
                {
                    "run_id": batch.run_id,
                    "snapshot_id": reading.snapshot_id,
                    "seen_at": reading.started_at,
                    "path": path,
                    "json_type": kind,
                }
            )
            log.warning("new field", extra={"path": printable(path), "json_type": kind})
    if not state.cycle.is_open:
        batch.drift += state.watch.judge(clock())
    for entry in batch.catalogue:
        catalogue.remember(state.catalogue, entry)
    for drift in batch.drift:
        if drift.kind != NEW:  # that is said above
            said = {"kind": drift.kind, "path": printable(drift.path), "what": drift.what}
            log.warning("drift", extra=said)
