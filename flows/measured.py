"""What is kept of a loader's report, in columns of tables in `ops`."""

from __future__ import annotations

from typing import Any

from load.report import CycleReport


def asked(report: CycleReport) -> dict[str, Any]:
    """What came of the requests to the exchange, whatever they were for."""
    return {
        "is_simulated": report.is_simulated,
        "breaker_state": report.breaker_state,
        "breaker_opened": report.breaker_opened,
        "blocked_seconds": report.blocked_seconds,
        "requests_per_second": report.requests_per_second,
        "requests": report.attempts,
        "requests_by_outcome": report.outcomes,
        "request_seconds": report.request_seconds,
        "waited_seconds": report.waited_seconds,
        "retries": report.retries,
        "throttled": report.throttled,
        "bytes": report.bytes_read,
    }


def measured(report: CycleReport) -> dict[str, Any]:
    """All of a cycle, for `ops.runs`."""
    return asked(report) | {
        "recovered": report.recovered,
        "books_listed": report.books_listed,
        "books_planned": report.books_planned,
        "books_read": report.books_read,
        "books_complete": report.books_complete,
        "books_unchanged": report.books_unchanged,
        "books_cut_short": report.books_cut_short,
        "offers": report.offers,
        "pages": report.pages,
        "pages_landed": report.pages_landed,
        "cleaned_characters": report.cleaned_characters,
        "is_resumed": report.resumed,
        "incomplete_reasons": dict(report.incomplete_reasons),
        "new_fields": report.new_fields,
    }
