"""What `p2p` shows on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from load.report import Progress as LoadProgress
from warehouse.log import escape


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to the command, for which a reader that has seen enough is no failure."""
        raise BrokenPipeError


out = _Console(highlight=False)
err = Console(stderr=True, highlight=False)
_FOLDED = 24
"""Columns of a terminal that a value may ask for before it is folded."""


def cell(value: Any) -> Text:
    """A value from the warehouse, shown as text and obeyed by nobody."""
    if value is None:
        return Text("–", style="dim")
    if isinstance(value, float):
        return Text(f"{value:,.1f}")
    if isinstance(value, Decimal):
        return Text(f"{value:f}")
    if isinstance(value, datetime):
        return Text(value.astimezone(UTC).isoformat(sep=" ", timespec="seconds"))
    return Text(escape(str(value)))


def table(title: str | None, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    """A table of `rows`, numbers to the right."""
    shown = Table(
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
        title=title,
        title_justify="left",
        title_style="bold",
        header_style="bold",
    )
    for number, column in enumerate(columns):
        values = [row[number] for row in rows]
        is_number = any(
            value is not None and not isinstance(value, str | bool) for value in values
        ) and all(value is None or hasattr(value, "__round__") for value in values)
        shown.add_column(cell(column), justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(cell(value) for value in row))
    return shown


def answer(columns: Sequence[str], rows: Sequence[Sequence[Any]], width: int) -> Table:
    """A table of `rows`; where `width` has no room for the columns, a line a value instead."""
    values = [[cell(value) for value in row] for row in rows]
    needed = sum(
        2 + max(len(column), *(min(row[number].cell_len, _FOLDED) for row in values), 0)
        for number, column in enumerate(columns)
    )
    if needed <= width * 5 / 4:  # a little of it folds, and is read all the same
        return table(None, columns, rows)
    shown = Table(box=SIMPLE_HEAD, pad_edge=False, show_header=False)
    shown.add_column(style="bold", no_wrap=True, max_width=width // 2)
    shown.add_column(overflow="fold")
    for row in values or [[Text()] * len(columns)]:
        for column, value in zip(columns, row, strict=True):
            shown.add_row(cell(column), value)
        shown.add_section()
    return shown


class CycleProgress:
    """One line that tells what the cycle is at; silent when nobody watches."""

    def __init__(self, prefix: str = "") -> None:
        """Nothing is shown before the context is entered; `prefix` stands before each step."""
        self._prefix = prefix
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[detail]}", style="dim", markup=False),
            console=err,
            transient=True,
            disable=not err.is_terminal,
        )
        self._task = self._bar.add_task(f"{prefix}starting", total=None, detail="")

    def __enter__(self) -> CycleProgress:
        """Start to show."""
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take the line away."""
        self._bar.stop()

    def step(self, name: str) -> None:
        """Another step of the cycle began."""
        self._bar.reset(self._task, total=None, description=self._prefix + name, detail="")
        self._bar.tasks[0].total = None  # `reset` takes None for no word on it

    def loaded(self, progress: LoadProgress) -> None:
        """The loader got on."""
        self._bar.update(
            self._task,
            total=progress.books_total or None,
            completed=progress.books_done,
            detail=escape(f"{progress.offers:,} offers, {progress.message}"),
        )


class PairProgress:
    """One line that tells which pair is worked on; silent when nobody watches."""

    def __init__(self) -> None:
        """Nothing is shown before the context is entered."""
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=err,
            transient=True,
            disable=not err.is_terminal,
        )
        self._task = self._bar.add_task("reading candles", total=None)

    def __enter__(self) -> PairProgress:
        """Start to show."""
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take the line away."""
        self._bar.stop()

    def pair(self, pair: str, done: int, of: int) -> None:
        """Another pair began."""
        self._bar.update(self._task, description=escape(pair), completed=done, total=of)
