"""The data docs: one page a suite and run, and an index, readable without a network.

Great Expectations' own pages put unexpected values into the HTML as they come, and load scripts and
styles from other hosts; so the pages are made here, from verdicts: numbers and codes only.
"""

import re
from pathlib import Path
from typing import get_args

from jinja2 import Environment, FileSystemLoader

from expectations.suites import SuiteName, checks_of
from expectations.verdict import CheckResult, Verdict

KEPT_PAGES = 100  # of each suite; some 6 KB each

_PAGES = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
_MARKS = ("passed", "warning", "failed")  # the worst last
_TITLE = re.compile(r"<title>[^<]*: (\w+)</title>")


def write_page(verdict: Verdict, run_id: str, docs_dir: Path, *, is_simulated: bool) -> Path:
    """Write the page of one run of a suite below `docs_dir`, renew the index, return the page.

    `is_simulated` puts a banner on it: what was checked was not read from the real market.

    Raises:
        OSError: the folder cannot be written.
    """
    folder = docs_dir / verdict.suite
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / f"{_file_name(run_id)}.html"
    ended = max((_mark(result) for result in verdict.results), key=_MARKS.index, default="passed")
    checks = {check.name: check for check in checks_of(verdict.suite)}
    text = _render(
        title=f"Checks of {verdict.suite}, cycle {page.stem}: {ended}",
        checks=[(checks[result.name], result) for result in verdict.results],
        is_simulated=is_simulated,
    )
    page.write_text(text, encoding="utf-8")
    for old in _pages(folder)[KEPT_PAGES:]:
        old.unlink(missing_ok=True)
    suites = [
        (suite, [(page.stem, _verdict_on(page)) for page in _pages(docs_dir / suite)])
        for suite in get_args(SuiteName)
    ]
    index = _render(title="Data docs", suites=suites, is_simulated=is_simulated)
    (docs_dir / "index.html").write_text(index, encoding="utf-8")
    return page


def _mark(result: CheckResult) -> str:
    """How a check ended; only a critical one that fails is `failed`."""
    if result.success:
        return "passed"
    return "failed" if result.severity == "critical" else "warning"


def _render(**values: object) -> str:
    return _PAGES.get_template("page.html").render(mark=_mark, **values)


def _verdict_on(page: Path) -> str:
    """How the run of a page ended, as its title says."""
    found = _TITLE.search(page.read_text(encoding="utf-8"))
    return found[1] if found else ""


def _pages(folder: Path) -> list[Path]:
    """The pages of one suite, the newest first."""
    return sorted(folder.glob("*.html"), key=lambda page: page.stat().st_mtime_ns, reverse=True)


def _file_name(run_id: str) -> str:
    """`run_id` as a name that is safe in a path."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", run_id)[:100].strip("-") or "run"
