"""The log: one line an event, readable on a terminal, JSON with `P2P_LOG_FORMAT=json`.

Much of what is logged came from the exchange, where attackers write the names: nothing here can
break a line, colour a terminal or be taken for another event. What is secret never gets in.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Container
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, TextIO

from warehouse.masking import masked, quoted

ROOMS = frozenset(
    {"cli", "flows", "upkeep", "load", "expectations", "simulator", "ops", "warehouse"}
)
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def escape(text: str) -> str:
    """`text` on one line, with whatever a terminal would obey or reorder spelled out."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def words_of(failure: BaseException) -> str:
    """The first line of what a library says of a failure, as it can be shown."""
    return escape(quoted(str(failure).partition("\n")[0]))


class _Masking(logging.Formatter):
    def formatException(self, ei: Any) -> str:  # noqa: N802 - the library's name
        return quoted(super().formatException(ei))

    @staticmethod
    def _fields(record: logging.LogRecord) -> dict[str, object]:
        return {name: value for name, value in vars(record).items() if name not in _OWN}

    @classmethod
    def _told(cls, record: logging.LogRecord, but: Container[str] = ()) -> str:
        """The message, and each further field `but` some as `key=value`."""
        parts = [record.getMessage()]
        for name, value in cls._fields(record).items():
            if name in but:
                continue
            shown = f"{value:.3f}" if isinstance(value, float) else str(value)
            parts.append(f"{name}={shown if ' ' not in shown else json.dumps(shown)}")
        return " ".join(parts)


class JsonFormatter(_Masking):
    """One JSON object a line, traceback included."""

    def format(self, record: logging.LogRecord) -> str:
        """Render `record`."""
        event: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **self._fields(record),
        }
        if record.exc_info:
            event["traceback"] = self.formatException(record.exc_info)
        return masked(json.dumps(event, default=str))


class MessageFormatter(_Masking):
    """`event key=value …`, for Prefect, which shows the time, the level and the run beside it."""

    def format(self, record: logging.LogRecord) -> str:
        """Render `record`, without a traceback."""
        return escape(masked(self._told(record, but={"run_id", "flow_run_id"})))


class LineFormatter(_Masking):
    """`time level event key=value …`, with the traceback on the same line where it is wanted."""

    def __init__(self, *, with_traceback: bool) -> None:
        """Tracebacks are for the file: on a terminal they would bury the line that helps."""
        super().__init__()
        self._with_traceback = with_traceback

    def format(self, record: logging.LogRecord) -> str:
        """Render `record`."""
        time = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        parts = [time, record.levelname.lower(), self._told(record)]
        if record.exc_info and self._with_traceback:
            parts.append(f"traceback={json.dumps(self.formatException(record.exc_info))}")
        return escape(masked(" ".join(parts)))


# Prefect leaves the root logger's handlers alone only if one's name has no underscore before it.
class TerminalHandler(logging.StreamHandler[TextIO]):
    """What goes to standard error."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        """Whoever could be told does not listen."""


class FileHandler(RotatingFileHandler):
    """What goes to the file."""

    _has_failed = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        """Say it once, and let the work go on: a full disk ends it in its own words."""
        if not self._has_failed:
            self._has_failed = True
            why = words_of(sys.exc_info()[1] or OSError("no reason given"))
            print(f"p2p: {self.baseFilename} is no longer written ({why}).", file=sys.stderr)


def is_ours(record: logging.LogRecord) -> bool:
    """Whether it is an event of this project, or a library's warning.

    What Prefect says of a run's end its server keeps; here the same is said in our own words.
    """
    if record.name.startswith(("prefect.flow_runs", "prefect.task_runs")):
        return False
    return record.levelno >= logging.WARNING or record.name.partition(".")[0] in ROOMS


def configure(
    log_format: str,
    folder: Path | None,
    *,
    verbose: bool = False,
    is_question: bool = False,
) -> None:
    """Send every event to standard error, and to a file in `folder` with what went wrong in full.

    On a terminal standard error gets errors only unless `verbose`, since there the progress is
    shown instead; and so it does beside the answer to a question, which is all that was asked for.
    """
    logging.raiseExceptions = False  # a library's handler that cannot write would print tracebacks
    console = TerminalHandler(sys.stderr)
    is_json = log_format == "json"
    console.setFormatter(JsonFormatter() if is_json else LineFormatter(with_traceback=False))
    quiet = is_question or (sys.stderr.isatty() and not is_json)
    console.setLevel(logging.ERROR if quiet and not verbose else logging.INFO)
    handlers: list[logging.Handler] = [console]
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        file = FileHandler(folder / "p2p.log", maxBytes=10_000_000, backupCount=5, encoding="utf-8")
        file.setFormatter(JsonFormatter() if is_json else LineFormatter(with_traceback=True))
        handlers.append(file)
    root = logging.getLogger()
    for handler in root.handlers[:]:
        root.removeHandler(handler)
        handler.close()
    for handler in handlers:
        handler.addFilter(is_ours)
        root.addHandler(handler)
    root.setLevel(logging.WARNING)
    for room in ROOMS:
        logging.getLogger(room).setLevel(logging.INFO)
