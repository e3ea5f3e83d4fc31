"""What a browser makes of the served pages: all of them seen, none of them obeyed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.docs_page import write_docs_page
from cli.docs_server import serving
from expectations.checkpoint import run_suite
from expectations.profiles import Parameters
from flows.transform import run_dbt
from report.writing import write_report
from tests.made_up_market import HOSTILE
from tests.report.browser import CHROMIUM, Browser, chromium
from warehouse.postgres import Warehouse

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium on this machine (Debian: apt-get install chromium)"
)

CLOSING = f"</script><script>window.owned = 1</script>{HOSTILE}"
ABOUT = "dim_advertisers"
SEEN = """
new Promise((resolve) => {
    const tell = () => document.body.innerText.includes(%s) && resolve({
        images: document.querySelectorAll("img[src='x']").length,
        owned: typeof window.owned,
        text: document.body.innerText,
        lines: document.querySelectorAll(".plot .mark-line path").length,
        ground: getComputedStyle(document.body).backgroundColor,
    });
    new MutationObserver(tell).observe(document, {subtree: true, childList: true});
    tell();
})
"""


def seen(awaited: str) -> str:
    """What a page has to show, once it says what is awaited."""
    return SEEN % json.dumps(awaited)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def address(built_warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """All pages there are; the descriptions of one model were written by an attacker."""
    home, folder = tmp_path_factory.mktemp("dbt"), tmp_path_factory.mktemp("docs")
    report = run_dbt(built_warehouse, ["docs", "generate"], home)
    assert report.is_success, report.failures
    write_docs_page(home / "target", folder / "index.html")
    spoil(home / "target" / "manifest.json")
    write_docs_page(home / "target", folder / "spoilt.html", is_simulated=True)
    write_report(built_warehouse, "VES/USDT", folder / "report.html")
    run_suite("core", built_warehouse, Parameters("run-3"), folder / "checks")
    with serving(folder) as served:
        yield served


def spoil(file: Path) -> None:
    manifest = json.loads(file.read_text())
    node = manifest["nodes"][f"model.p2p.{ABOUT}"]
    node["description"] = CLOSING
    for column in node["columns"].values():
        column["description"] = CLOSING
    file.write_text(json.dumps(manifest))


def test_dbts_page_shows_a_model_and_asks_nobody_for_anything(
    browser: Browser, address: str
) -> None:
    opened = browser.open(f"{address}/#!/model/model.p2p.{ABOUT}", seen("nickname"))
    assert "Simulated data" not in opened.said["text"]
    assert [url for url in opened.requests if not url.startswith("data:")] == [f"{address}/"]
    assert opened.complaints == []
    assert HOSTILE not in opened.said["text"]


def test_what_a_description_holds_cannot_end_dbts_script_nor_run(
    browser: Browser, address: str
) -> None:
    opened = browser.open(f"{address}/spoilt.html#!/model/model.p2p.{ABOUT}", seen("nickname"))
    assert opened.said["owned"] == "undefined"
    assert "Simulated data: what this warehouse holds comes from" in opened.said["text"]
    assert not any("dialog" in complaint for complaint in opened.complaints)


@pytest.mark.parametrize("page", ["report.html", "checks/", "checks/core/run-3.html"])
def test_a_nickname_that_is_html_stays_text_on_every_page(
    browser: Browser, address: str, page: str
) -> None:
    opened = browser.open(f"{address}/{page}", seen(""))
    assert opened.complaints == []
    assert opened.requests[0] == f"{address}/{page}"
    assert [url for url in opened.requests[1:] if not url.startswith("data:")] == []
    assert opened.said["images"] == 0
    assert (HOSTILE in opened.said["text"]) is (page == "report.html")
    assert (opened.said["lines"] > 0) is (page == "report.html")
