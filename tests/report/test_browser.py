"""What a browser makes of the pages: charts that are seen, and nothing that is asked or obeyed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from report.writing import write_report
from tests.made_up_market import HOSTILE
from tests.report.browser import CHROMIUM, Browser, Opened, chromium
from warehouse.postgres import Warehouse

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium on this machine (Debian: apt-get install chromium)"
)

QUESTION = """
({
    images: document.images.length,
    scripts: document.scripts.length,
    frames: document.querySelectorAll("iframe, object, embed, link[href^='http'], [src]").length,
    handlers: [...document.querySelectorAll("*")].filter((e) => [...e.attributes].some(
        (a) => a.name.startsWith("on") || a.name === "style")).length,
    text: document.body.innerText,
    headings: [...document.querySelectorAll("h2")].map((h) => h.innerText),
    lines: [...document.querySelectorAll("svg.plot path.line")].filter((p) => {
        const box = p.getBoundingClientRect();
        return box.width > 50 && getComputedStyle(p).stroke !== "none";
    }).length,
    bars: [...document.querySelectorAll("svg.bar rect")].filter(
        (r) => r.getBoundingClientRect().width > 0).length,
    withheld: document.querySelectorAll("svg.plot .withheld").length,
    gaps: [...document.querySelectorAll("svg.plot .gap")].filter(
        (r) => r.getBoundingClientRect().width > 2).length,
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    smallest: Math.min(...[...document.querySelectorAll("svg text")].map(
        (t) => parseFloat(getComputedStyle(t).fontSize))),
    ground: getComputedStyle(document.body).backgroundColor,
    tip: (() => {
        const hit = document.querySelector("svg.plot .hit");
        hit.dispatchEvent(new PointerEvent("pointerover", {bubbles: true}));
        const tip = document.getElementById("tip");
        return tip.hidden ? null : tip.innerText;
    })(),
})
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def pages(
    built_warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory
) -> dict[str | None, Path]:
    """The overview, under None, and the page of a pair."""
    folder = tmp_path_factory.mktemp("report")
    written: dict[str | None, Path] = {}
    for name in (None, "VES/USDT"):
        written[name] = folder / f"{'pair' if name else 'market'}.html"
        write_report(built_warehouse, name, written[name])
    return written


@pytest.fixture(scope="module")
def seen(browser: Browser, pages: dict[str | None, Path]) -> dict[Any, Opened]:
    """Both pages as a screen shows them, by name, and as a phone does in the dark."""
    told: dict[Any, Opened] = {name: browser.open(page, QUESTION) for name, page in pages.items()}
    for name, page in pages.items():
        told[name, "phone"] = browser.open(page, QUESTION, width=360, scheme="dark")
    return told


def test_a_page_asks_nobody_for_anything_and_nothing_in_it_is_refused(
    seen: dict[Any, Opened], pages: dict[str | None, Path]
) -> None:
    for name, page in pages.items():
        for opened in (seen[name], seen[name, "phone"]):
            asked = [url for url in opened.requests if not url.startswith("data:")]
            assert asked == [page.as_uri()]
            assert opened.complaints == []


def test_what_an_advertiser_calls_himself_or_his_bank_stays_text(seen: dict[Any, Opened]) -> None:
    assert HOSTILE in seen["VES/USDT"].said["text"]
    for opened in seen.values():
        assert opened.said["images"] == opened.said["frames"] == opened.said["handlers"] == 0
        assert opened.said["scripts"] == 1


def test_the_charts_are_there_with_a_line_for_each_notion(seen: dict[Any, Opened]) -> None:
    pair, market = seen["VES/USDT"].said, seen[None].said
    assert pair["lines"] >= 12
    assert pair["bars"] >= 10
    assert market["lines"] >= 1
    assert market["bars"] >= 4
    assert pair["smallest"] >= 11
    for notion in ("reference", "best eligible", "median of all", "volume-weighted, eligible"):
        assert notion in pair["text"]


def test_a_reading_that_was_not_trusted_and_a_night_without_readings_are_gaps(
    seen: dict[Any, Opened],
) -> None:
    said = seen["VES/USDT"].said
    assert said["withheld"] >= 2
    assert said["gaps"] >= 4
    assert "http_429" in seen[None].said["text"]


def test_a_phone_in_the_dark_shows_it_in_its_width_and_in_the_dark(
    seen: dict[Any, Opened],
) -> None:
    for name in (None, "VES/USDT"):
        assert seen[name].said["overflow"] <= 0
        assert seen[name, "phone"].said["overflow"] <= 0
        assert seen[name, "phone"].said["smallest"] >= 11
        assert seen[name, "phone"].said["ground"] != seen[name].said["ground"]


def test_what_stands_under_the_pointer_is_told_with_its_time_and_notion(
    seen: dict[Any, Opened],
) -> None:
    tip = seen["VES/USDT"].said["tip"]
    assert tip.splitlines()[0] == "2026-11-01 10:00 UTC"
    assert "BUY: ask: 600.6 (naive)" in tip
