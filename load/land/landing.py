"""The dlt pipeline: put a batch into the warehouse as one load, and clear up what a crash left."""

import ctypes
import errno
import logging
import os
import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import dlt
from dlt.common.configuration.utils import get_resolved_traces
from dlt.common.data_writers import BufferedDataWriter
from dlt.common.storages import data_item_storage
from dlt.extract import DltSource
from dlt.pipeline.exceptions import PipelineStepFailed

from load.land.destination import Destination
from load.land.landed import SCHEMA, create_tables, tidy
from load.land.source import SOURCE, Batch, binance_p2p
from load.land.state import State
from load.land.tables import TABLES
from load.pace.pacer import RealTime, Timekeeper
from load.text import printable
from warehouse.errors import UserError
from warehouse.postgres import Warehouse
from warehouse.trouble import Kind, advice_on, chain_of, kind_of, sqlstate_of

log = logging.getLogger(__name__)

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}
_NO_WAY = {errno.EACCES, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EPERM}
_WORKERS = 2  # each holds a file in memory, and keeps a core of the server busy
_M_ARENA_MAX = -8  # of malloc.h
_PACKAGES_KEPT = 3
_PATIENCE, _FIRST_PAUSE, _LONGEST_PAUSE = 300.0, 1.0, 30.0  # seconds

Result = TypeVar("Result")


class Refused(Exception):
    """A value in the batch cannot be kept: the batch is as if never extracted."""


class Landing:
    """A pipeline, with its folder under `home`: that of the market, `binance_p2p`, or another.

    Never two at a time of one name; of two names, as many as like.
    """

    def __init__(
        self,
        home: Path,
        warehouse: Warehouse,
        time: Timekeeper | None = None,
        stop: threading.Event | None = None,
        name: str = SOURCE,
    ) -> None:
        """Open the pipeline; a working folder that cannot be read is thrown away.

        `time` and `stop` are for the waits of a server in trouble.

        Raises:
            UserError: nothing can be written there.
        """
        self._time, self._stop = time or RealTime(), stop or threading.Event()
        self._folder, self._name = home / "dlt", name
        self._warehouse = warehouse
        self._destination = Destination(warehouse)
        os.environ["DLT_DATA_DIR"] = str(self._folder)
        if "%" in str(self._folder):
            _take_folders_literally()
        try:
            self._pipeline = self._open()
        except Exception as failure:
            self._require_disk(failure)
            log.exception("dlt's working folder is corrupt and is removed")
            shutil.rmtree(self._working_folder, ignore_errors=True)
            self._pipeline = self._open()

    def recover(self) -> str:
        """Bring folder and warehouse together again after whatever ended the last run.

        What was extracted is finished rather than aborted: reading it again would give another
        moment of the market. A file that had been committed just before a crash is then in the
        table twice, in one load; the staging views take one row per natural key. What cannot be
        finished is aborted, and if even that fails the folder is dropped: nothing may block the
        next run.

        Returns:
            What happened to packages that were left: `nothing`, `finished`, `aborted`, `dropped`.

        Raises:
            UserError: the warehouse does not answer, or the disk is full.
        """
        self._sync()
        self._create_missing_tables()
        if not self._has_packages():
            return "nothing"
        try:
            self._patiently(self._finish)
            outcome = "finished"
        except PipelineStepFailed as failure:
            # The tables may be another version's, which these packages do not fit.
            if kind_of(failure) is not Kind.OF_THE_DATA and not _does_not_fit(failure):
                raise _trouble(failure) from failure
            log.warning("pending packages cannot be loaded", extra={"why": _why(failure)})
            outcome = self._abort()
        self._sync()
        self._create_missing_tables()
        log.info("packages pending from an earlier run", extra={"outcome": outcome})
        return outcome

    def state(self) -> State:
        """What the loader remembers, as of the last load."""
        kept: Any = self._pipeline.state.get("sources", {}).get(SOURCE, {})
        return State.load(kept)

    def land(
        self, batch: Batch, state: State, require: Callable[[], None] = lambda: None
    ) -> list[str]:
        """Put `batch` and the `state` after it into the warehouse; returns the load's id.

        Trouble of the server's that passes is waited for. `require` is asked whether anything may
        be written; by then the batch is in the folder, and not lost with the answer.

        Raises:
            Refused: a value in it cannot be kept. Nothing of it counts, nothing of it is left.
            UserError: the server is in trouble for longer, or the disk is full. The next run
                finishes the load, or, where the disk is our own, reads its books again.
        """
        return self.put(binance_p2p(batch, state.dump()), require)

    def put(self, source: DltSource, require: Callable[[], None] = lambda: None) -> list[str]:
        """Put the rows of a source into the warehouse, as `land` does with a batch."""
        try:
            self._pipeline.extract(source, loader_file_format="parquet")
            _give_back()
            require()
            load_ids = self._patiently(self._finish)
        except OSError as failure:
            self._require_disk(failure)
            raise
        except PipelineStepFailed as failure:
            self._require_disk(failure)
            if kind_of(failure) is not Kind.OF_THE_DATA:
                raise _trouble(failure) from failure
            log.warning("batch rejected", extra={"why": _why(failure)})
            self._abort()
            raise Refused(_why(failure)) from failure
        finally:
            # Without run traces nobody else empties this list, whose entries hold exceptions,
            # whose tracebacks hold frames, which hold every batch that was ever landed.
            get_resolved_traces().clear()
        self._sweep()
        _give_back()
        return load_ids

    def tidy(self) -> None:
        """Indexes, and old states away."""
        with self._warehouse.connect(autocommit=True) as connection:
            tidy(connection)

    @property
    def _working_folder(self) -> Path:
        return self._folder / "pipelines" / self._name

    def _open(self) -> dlt.Pipeline:
        pipeline = dlt.pipeline(
            self._name,
            pipelines_dir=str(self._folder / "pipelines"),
            destination=self._destination,
            dataset_name=SCHEMA,
        )
        pipeline.activate()
        return pipeline

    def _patiently(self, action: Callable[[], Result]) -> Result:
        """Do it, and do it again for a while when it fails by trouble that passes.

        Raises:
            PipelineStepFailed: it failed by anything else, or for too long.
            UserError: our own disk is full.
        """
        give_up, pause = self._time.now() + _PATIENCE, _FIRST_PAUSE
        while True:
            try:
                return action()
            except PipelineStepFailed as failure:
                self._require_disk(failure)
                is_over = self._time.now() >= give_up or self._stop.is_set()
                if is_over or kind_of(failure) is not Kind.PASSING:
                    raise
                log.warning(
                    "the warehouse is not available: what was read is kept, and tried again",
                    extra={"why": _why(failure), "in_seconds": pause},
                )
            self._time.wait(pause, self._stop)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _has_packages(self) -> bool:
        return bool(
            self._pipeline.list_extracted_load_packages()
            or self._pipeline.list_normalized_load_packages()
        )

    def _finish(self) -> list[str]:
        load_ids = []
        if self._pipeline.list_extracted_load_packages():
            self._pipeline.normalize()
        try:
            while self._pipeline.list_normalized_load_packages():
                load_ids += self._pipeline.load(workers=_WORKERS).loads_ids
        finally:
            self._destination.connections.close()
        return load_ids

    def _abort(self) -> str:
        try:
            self._pipeline.abort_packages()
            if not self._has_packages():
                return "aborted"
        except Exception:
            log.exception("packages cannot be aborted: dlt's working folder is removed")
        self._pipeline = self._pipeline.drop()
        self._sync()
        return "dropped"

    def _sync(self) -> None:
        """Take the state from the warehouse where the folder is lost or older."""
        try:
            self._patiently(self._pipeline.sync_destination)
        except PipelineStepFailed as failure:
            if kind_of(failure) is Kind.PASSING:
                raise _trouble(failure) from failure
            raise UserError(
                f"DATABASE_URL: the tables of dlt in the schema {SCHEMA} cannot be read: "
                f"{_why(failure)}"
            ) from failure

    def _create_missing_tables(self) -> None:
        """Create what is not there yet, or was dropped.

        dlt creates a table with its first row, but the views stand on all of them from the first
        load on; and where one was dropped it believes `_dlt_version` that it is there.
        """
        with self._warehouse.connect(autocommit=True) as connection:
            create_tables(connection, TABLES)
        if self._pipeline.default_schema_name:
            with self._pipeline.destination_client() as client:
                client.update_stored_schema(force=True)

    def _sweep(self) -> None:
        """Remove what nobody would: folders of killed extractions, old packages."""
        for folder in (self._working_folder / "normalize").glob("*"):
            if folder.is_dir() and folder.name != "extracted":
                shutil.rmtree(folder, ignore_errors=True)
        loaded = sorted((self._working_folder / "load" / "loaded").glob("*"))
        for folder in loaded[:-_PACKAGES_KEPT]:
            shutil.rmtree(folder, ignore_errors=True)

    def _require_disk(self, failure: BaseException) -> None:
        """Tell a machine that cannot write from a batch that cannot land: no book is given up."""
        for error in chain_of(failure):
            if isinstance(error, OSError) and error.errno in _NO_ROOM | _NO_WAY:
                advice = "make room there" if error.errno in _NO_ROOM else "correct that"
                raise UserError(
                    f"P2P_HOME: dlt cannot write to {self._folder} ({error.strerror}): "
                    f"{advice}; the next run goes on from here."
                ) from failure


def _take_folders_literally() -> None:
    """Have dlt 1.31 write files below a folder with % in its name, which it takes for a format."""

    class Writer(BufferedDataWriter[Any]):
        def __init__(self, spec: Any, template: str, **options: Any) -> None:
            folder, name = os.path.split(template)
            super().__init__(spec, os.path.join(folder.replace("%", "%%"), name), **options)

    data_item_storage.BufferedDataWriter = Writer  # type: ignore[attr-defined, assignment]


def share_arenas() -> None:
    """Have glibc serve all threads from two arenas: one for each of them keeps some 60 MB more."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


def _give_back() -> None:
    """Have glibc return what is free: else each landing begins with what the last one took."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _why(failure: PipelineStepFailed) -> str:
    root: BaseException = failure
    while root.__cause__ is not None:
        root = root.__cause__
    return printable(f"{type(root).__name__}: {root}", 300)


def _trouble(failure: PipelineStepFailed) -> UserError:
    log.error("the warehouse is not available", extra={"why": _why(failure)})
    return UserError(
        f"DATABASE_URL: the warehouse cannot take what was read: {printable(advice_on(failure))}. "
        "Nothing of it is lost: the next run begins by landing it."
    )


def _does_not_fit(failure: PipelineStepFailed) -> bool:
    """Whether a table, a column or a type is not what it was; a missing right may be given."""
    code = sqlstate_of(failure) or ""
    return code.startswith("42") and code != "42501"
