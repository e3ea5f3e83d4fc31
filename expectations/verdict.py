"""How a suite went: one result a check, and what of it may be shown."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsFloat, SupportsIndex

from expectations.suites import PROFILES, Check, Severity, SuiteName

if TYPE_CHECKING:
    from great_expectations.core import ExpectationValidationResult

_SHOWN = 5  # rows named in `observed`
_CODE = re.compile(r"[A-Za-z0-9 /_.+-]{1,64}")


@dataclass(frozen=True)
class CheckResult:
    """How one check went; `observed` holds numbers and codes only, never a text of the exchange."""

    name: str
    suite: SuiteName
    table: str
    severity: Severity
    success: bool
    observed: str


@dataclass(frozen=True)
class Verdict:
    """How a suite went. `docs` is its page in the data docs, if one was asked for and written."""

    suite: SuiteName
    results: tuple[CheckResult, ...]
    docs: Path | None = None

    @property
    def critical_failed(self) -> tuple[CheckResult, ...]:
        """The failures that stop the line; empty when it may go on."""
        return self._failed("critical")

    @property
    def warnings(self) -> tuple[CheckResult, ...]:
        """The failures to report."""
        return self._failed("warning")

    def _failed(self, severity: Severity) -> tuple[CheckResult, ...]:
        return tuple(
            result for result in self.results if not result.success and result.severity == severity
        )


def judge(
    check: Check, evaluation: "ExpectationValidationResult | None", failure: str | None
) -> CheckResult:
    """The verdict on one check, from what was found or from why nothing was."""
    if evaluation is None:
        observed, success = f"could not be run: {failure or 'no result'}", False
    elif raised := exception_of(evaluation):
        observed, success = f"could not be run: {raised}", False
    else:
        observed, success = _observed(check, evaluation), bool(evaluation.success)
    return CheckResult(check.name, check.suite, check.table, check.severity, success, observed)


def _observed(check: Check, evaluation: "ExpectationValidationResult") -> str:
    """What was seen, in a few words: numbers, and the names of the rows that failed."""
    found = evaluation.result
    if "observed_value" in found:
        return plain(found["observed_value"])
    compared = int(found["element_count"]) - int(found["missing_count"] or 0)
    failed = int(found["unexpected_count"] or 0)
    if not compared:
        return "nothing to compare"
    label, column = PROFILES[check.profile].label, check.arguments["column"]
    rows = found["unexpected_index_list"] or []
    named = [f"{plain(row[label])} {plain(row[column])}" for row in rows[:_SHOWN]]
    more = [f"{failed - _SHOWN} more"] if failed > _SHOWN else []
    return f"{failed} of {compared} fail" + (": " if failed else "") + ", ".join(named + more)


def plain(value: object) -> str:
    """`value` if it is a number or a code, else a word for it: the last guard before a page."""
    if value is None:
        return "none"
    if isinstance(value, str):
        return value if _CODE.fullmatch(value) else "(text)"
    if not isinstance(value, SupportsFloat | SupportsIndex):
        return "(value)"
    try:
        return f"{float(value):.6g}"
    except (TypeError, ValueError):
        return "(value)"


def exception_of(evaluation: "ExpectationValidationResult") -> str | None:
    """The class of the exception that an expectation met, if it met one.

    Great Expectations hands over messages and tracebacks, with the statement and pieces of the
    data in them, either flat or by metric; only the class is fit to be shown.
    """
    info: dict[str, Any] = evaluation.exception_info or {}
    met = [info] if "raised_exception" in info else list(info.values())
    texts = [
        f"{one.get('exception_message')}\n{one.get('exception_traceback')}"
        if isinstance(one, dict)
        else str(one)
        for one in met
        if not isinstance(one, dict) or one.get("raised_exception")
    ]
    if not texts:
        return None
    driver = re.search(r"\(psycopg\.errors\.(\w+)\)", texts[0])
    raised = driver or re.search(r"(?m)^(?:\w+\.)*([A-Z]\w*(?:Error|Exception))\b", texts[0])
    return raised.group(1) if raised else "Exception"
