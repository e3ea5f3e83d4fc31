"""What a cycle came to, for a terminal, for Prefect and for whoever asks `ops`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from ops import record
from warehouse.log import escape

COUNTED = (
    "books_planned",
    "books_read",
    "books_complete",
    "books_unchanged",
    "offers",
    "pages",
    "requests",
    "retries",
    "throttled",
    "models_built",
    "tests_failed",
    "checks_failed",
    "checks_warned",
)


@dataclass(frozen=True)
class CycleOutcome:
    """How a cycle ended, and what it counted."""

    run_id: str
    state: str
    error: str | None
    seconds: float
    seconds_by_step: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int | None] = field(default_factory=dict)
    red_checks: tuple[str, ...] = ()
    """The names of the expectations that failed, those of a mere warning as well."""
    drift: str | None = None
    """What the drift watch saw in it, in a line."""

    @property
    def is_success(self) -> bool:
        """Whether everything was read, built and found in order."""
        return self.state == "success"

    @classmethod
    def close(
        cls,
        connection: psycopg.Connection[Any],
        run_id: str,
        state: str,
        error: str | None,
        at: datetime,
    ) -> CycleOutcome:
        """Record the end of a cycle and return what it came to."""
        red = connection.execute(
            "select name, severity from ops.check_results where run_id = %s and not success"
            " order by severity, name",
            [run_id],
        ).fetchall()
        failed = sum(severity == "critical" for _, severity in red)
        record.note(
            connection,
            run_id,
            {
                "state": state,
                "error": error,
                "checks_failed": failed,
                "checks_warned": len(red) - failed,
                "finished_at": at,
            },
        )
        with connection.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute("select * from ops.runs where run_id = %s", [run_id]).fetchone()
        if row is None:
            raise LookupError(run_id)
        return cls(
            run_id=run_id,
            state=state,
            error=error,
            seconds=(row["finished_at"] - row["started_at"]).total_seconds(),
            seconds_by_step=row["seconds_by_step"],
            counts={name: row[name] for name in COUNTED},
            red_checks=tuple(name for name, _ in red),
            drift=drift_line(
                connection.execute(
                    "select kind, path, what, example, count(*) over () from ops.drift"
                    " where run_id = %s order by kind, path limit 1",
                    [run_id],
                ).fetchall()
            ),
        )


_KINDS = {"new_key": "never seen before", "gone_key": "gone", "changed_type": "of another type"}


def drift_line(found: Sequence[Sequence[Any]]) -> str | None:
    """What is shown of `ops.drift`: of one row and the count of all, if there is one."""
    for kind, path, what, example, times in found:
        shown = f", such as {example}" if example is not None else ""
        more = f"; and {times - 1:,} more, see ops.drift" if times > 1 else ""
        return f"The exchange's answers drift: {path} is {_KINDS[kind]} ({what}{shown}){more}."
    return None


def breaker_line(
    state: str, throttled: int, opened: int, blocked_seconds: float, rate: float | None
) -> str:
    """How the exchange was to us in the last cycle: its breaker, and what was asked of our pace."""
    said = f"The breaker before the exchange was {state} at the end of the last one."
    if opened:
        said += f" It opened {opened:,} times."
    if throttled:
        said += f" Too fast, said the exchange {throttled:,} times: nothing went out for"
        said += f" {blocked_seconds:,.0f} s"
        said += f", and the pace at the end was {rate:.2g} a second." if rate else "."
    return said


def _as_code(text: str) -> str:
    """A line that may quote what the exchange said, as nothing but text."""
    return f"```\n{escape(text).replace('`', chr(39))}\n```"


def markdown(outcome: CycleOutcome) -> str:
    """The summary of a cycle as Prefect shows it: why it failed, what is red, and the figures."""
    lines = [
        f"## Cycle {outcome.run_id}: {outcome.state}",
        "",
        *([_as_code(outcome.error), ""] if outcome.error else []),
        *([f"Red checks: {', '.join(outcome.red_checks)}.", ""] if outcome.red_checks else []),
        "| what | how many |",
        "|---|---:|",
        *(
            f"| {name.replace('_', ' ')} | {'' if count is None else f'{count:,}'} |"
            for name, count in outcome.counts.items()
        ),
        "",
        "| step | seconds |",
        "|---|---:|",
        *(f"| {step} | {spent:.1f} |" for step, spent in outcome.seconds_by_step.items()),
    ]
    return "\n".join(lines)
