"""The data docs: one page a suite and run, and an index, readable without a network.

Great Expectations renders the page; two of its habits are corrected here. It puts unexpected values
into the HTML as they come, so a result is cut down to numbers and codes before it is rendered. And
its pages load scripts, styles and pictures from nine hosts: those are taken out, with a policy in
each page that would stop any that slipped through.
"""

import html
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expectations.suites import PROFILES, checks_of
from expectations.verdict import CheckResult, Verdict, exception_of, plain

if TYPE_CHECKING:
    from great_expectations.core import ExpectationValidationResult

KEPT_PAGES = 100  # of each suite; some 60 KB each

_POLICY = (
    '<meta http-equiv="Content-Security-Policy"'
    " content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">"
)
# What Bootstrap and Font Awesome would have done, as far as it carries meaning; and no buttons
# that only a script could answer.
_STYLE = """<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 80rem; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
td, th { border-bottom: 1px solid #8884; padding: .35rem .6rem; text-align: left }
.sticky, .navbar-brand, footer { display: none }
i.fas { font-style: normal; font-weight: bold }
i.fa-check-circle::before { color: #18794e; content: "\\2714" }
i.fa-times::before { color: #cd2b31; content: "\\2718" }
i.fa-exclamation-triangle::before { color: #ad5700; content: "\\26A0" }
</style>"""
# Links to pages of Great Expectations' own site that are not written here.
_LINK_TO_INDEX = re.compile(r'href="(?:\.\./)+index\.html[^"]*"')
_LINK_TO_SUITE = re.compile(r'<a\b[^>]*href="(?:\.\./)+expectations/[^>]*>(.*?)</a>', re.DOTALL)
_SCRIPT = re.compile(r"<script\b.*?</script\s*>", re.DOTALL | re.IGNORECASE)
_HANDLER = re.compile(r'\son[a-z]+="[^"]*"', re.IGNORECASE)
_LOADED = re.compile(
    r"<link\b[^>]*>|<(?:img|iframe|object|embed|source|base)\b[^>]*?(?:https?:)?//[^>]*>",
    re.IGNORECASE,
)
_LOADED_BY_STYLE = re.compile(
    r"(?:@import\s+)?url\(\s*['\"]?(?:https?:)?//[^)]*\)\s*", re.IGNORECASE
)


def write_page(
    verdict: Verdict,
    evaluations: "Mapping[str, ExpectationValidationResult]",
    run_id: str,
    docs_dir: Path,
) -> Path:
    """Write the page of one run of a suite below `docs_dir`, renew the index, return the page.

    Raises:
        OSError: the folder cannot be written.
    """
    folder = docs_dir / verdict.suite
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / f"{_file_name(run_id)}.html"
    page.write_text(_page(verdict, evaluations, run_id), encoding="utf-8")
    for old in _pages(folder)[KEPT_PAGES:]:
        old.unlink(missing_ok=True)
    (docs_dir / "index.html").write_text(_index(docs_dir), encoding="utf-8")
    return page


def without_outside_hosts(page: str) -> str:
    """The HTML `page` with nothing in it that a browser would fetch or run."""
    page = _SCRIPT.sub("", page)
    page = _HANDLER.sub("", page)
    page = _LOADED.sub("", page)
    page = _LOADED_BY_STYLE.sub("none", page)
    return page.replace("<head>", f"<head>{_POLICY}{_STYLE}", 1)


def _page(
    verdict: Verdict, evaluations: "Mapping[str, ExpectationValidationResult]", run_id: str
) -> str:
    """What Great Expectations makes of the results, once they are fit to be shown."""
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
    from great_expectations.render.view.view import DefaultJinjaPageView

    results = [_shown(result, evaluations.get(result.name)) for result in verdict.results]
    passed = sum(result.success for result in verdict.results)
    document = ValidationResultsPageRenderer(run_info_at_end=True).render(
        ExpectationSuiteValidationResult(
            success=not verdict.critical_failed,
            results=results,
            suite_name=verdict.suite,
            statistics={
                "evaluated_expectations": len(results),
                "successful_expectations": passed,
                "unsuccessful_expectations": len(results) - passed,
                "success_percent": 100 * passed / len(results),
            },
            # Great Expectations takes whatever it can for a time, and `…T172939-3521` for one
            # with an offset of 35 hours, on which it stumbles.
            meta={"run_id": RunIdentifier(run_name=f"cycle {_file_name(run_id)}")},
        )
    )
    view: Any = DefaultJinjaPageView()
    page = without_outside_hosts(str(view.render(document, show_how_to_buttons=False)))
    page = _LINK_TO_INDEX.sub('href="../index.html"', page)
    return _LINK_TO_SUITE.sub(r"\1", page)


def _shown(
    result: CheckResult, evaluation: "ExpectationValidationResult | None"
) -> "ExpectationValidationResult":
    """A copy of `evaluation` with numbers and codes only, or a stand-in where there is none."""
    from great_expectations.core import ExpectationValidationResult
    from great_expectations.expectations.expectation_configuration import (
        ExpectationConfiguration,
    )
    from great_expectations.expectations.metadata_types import FailureSeverity

    check = next(check for check in checks_of(result.suite) if check.name == result.name)
    raised = evaluation is None or exception_of(evaluation) is not None
    return ExpectationValidationResult(
        success=result.success,
        expectation_config=ExpectationConfiguration(
            type=re.sub(r"(?<!^)(?=[A-Z])", "_", check.expectation).lower(),
            kwargs=dict(check.arguments),
            severity=FailureSeverity(check.severity),
            description=check.description,
        ),
        result={} if raised or evaluation is None else _cut_down(evaluation.result, check.profile),
        exception_info={
            "raised_exception": raised,
            "exception_message": result.observed if raised else None,
            "exception_traceback": "not kept: it quotes the data" if raised else None,
        },
    )


def _cut_down(found: Mapping[str, Any], profile: str) -> dict[str, Any]:
    """The counts of a result, and the rows that failed by name and value, all guarded."""
    counts = {
        key: value
        for key, value in found.items()
        if key == "observed_value" or key.endswith(("_count", "_percent", "_nonmissing", "_total"))
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    rows = found.get("unexpected_index_list") or []
    if not rows:
        return counts
    label = PROFILES[profile].label
    return counts | {
        "partial_unexpected_list": [
            f"{plain(row.get(label))}: {plain(value)}"
            for row in rows[:20]
            for column, value in row.items()
            if column != label
        ]
    }


def _index(docs_dir: Path) -> str:
    """A page with a link to each page there is, the newest first."""
    lists = "".join(
        f"<h2>{folder.name}</h2><ul>"
        + "".join(
            f'<li><a href="{folder.name}/{html.escape(page.name)}">{html.escape(page.stem)}</a>'
            for page in _pages(folder)
        )
        + "</ul>"
        for folder in (docs_dir / "landing", docs_dir / "core")
        if folder.is_dir()
    )
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">{_POLICY}{_STYLE}'
        f"<title>Data docs</title></head><body><h1>Data docs</h1>{lists}</body></html>\n"
    )


def _pages(folder: Path) -> list[Path]:
    """The pages of one suite, the newest first."""
    return sorted(folder.glob("*.html"), key=lambda page: page.stat().st_mtime_ns, reverse=True)


def _file_name(run_id: str) -> str:
    """`run_id` as a name that is safe in a path and in HTML."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", run_id)[:100].strip("-") or "run"
