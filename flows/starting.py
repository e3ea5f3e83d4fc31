"""What commands share: their exit statuses and options, and how each of them begins."""

from __future__ import annotations

import gc
import signal
import threading
from types import FrameType
from typing import Annotated

import typer

from warehouse.errors import UserError
from warehouse.files import make_home, write_privately
from warehouse.settings import Settings

_SELDOM = (50_000, 20, 50)
"""When Python is to look for garbage. A cycle's libraries hold 400,000 objects, and to walk them as
often as by default takes a tenth of its processor time; this takes 8 MB."""

SUCCESS, CHECK_FAILED, WRONG_USE, INTERRUPTED = 0, 1, 2, 130

Codes = Annotated[str, typer.Option(help="Comma-separated list; default: the setting.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show the log.")]


def start(settings: Settings, *, verbose: bool = False, is_question: bool = False) -> None:
    """Set up the log, the collector, and Prefect before anything imports it."""
    from flows import prefect_home, proxies
    from warehouse import log as logs

    write_privately()
    try:
        make_home(settings.home)
        logs.configure(
            settings.log_format,
            settings.home / "logs",
            verbose=verbose,
            is_question=is_question,
        )
    except OSError as error:
        raise UserError(
            f"P2P_HOME={settings.home} cannot be used ({error.filename}: {error.strerror}): "
            "fix that, or set P2P_HOME to another folder."
        ) from None
    proxies.spare_loopback()
    prefect_home.prepare(settings.home)
    gc.set_threshold(*_SELDOM)


def told_to_stop() -> threading.Event:
    """Set by the first SIGTERM or SIGINT; a second SIGINT insists."""
    stop = threading.Event()

    def ask(number: int, _frame: FrameType | None) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask)
    return stop


def code_list(text: str) -> list[str] | None:
    """The codes in a comma list; None when there are none."""
    return [code.strip().upper() for code in text.split(",") if code.strip()] or None
