"""What a browser makes of the pages: charts that are seen, and nothing that is asked or obeyed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from report.charts import Chart, Point, Series
from report.columns import Column, Columns, Part
from report.markup import element
from report.page import Section
from report.page import page as whole_page
from report.writing import write_report
from tests.made_up_market import HOSTILE
from tests.report.browser import CHROMIUM, Browser, Opened, chromium
from warehouse.postgres import Warehouse

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium on this machine (Debian: apt-get install chromium)"
)

LABELS = """
({
    n: document.querySelectorAll(".frame text").length,
    clashes: [...document.querySelectorAll(".frame")].flatMap((frame) => {
        const shown = [...frame.querySelectorAll("text")].map((t) => [
            t.textContent, t.getBoundingClientRect(),
        ]).filter(([, box]) => box.width > 0);
        return shown.flatMap(([one, a], number) => shown.slice(number + 1).filter(([, b]) =>
            a.left < b.right + 2 && b.left < a.right + 2 && a.top < b.bottom && b.top < a.bottom
        ).map(([other]) => `${one} and ${other} of ${frame.closest("section").id}`));
    }),
    outside: [...document.querySelectorAll(".frame text")].filter((t) => {
        const box = t.getBoundingClientRect(), card = t.closest("section").getBoundingClientRect();
        return box.width > 0 && (box.left < card.left || box.right > card.right);
    }).map((t) => t.textContent),
})
"""
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
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
    columns: [...document.querySelectorAll("svg.plot .column")].map((c) => [
        c.getAttribute("class"), c.getBoundingClientRect().height, getComputedStyle(c).fill,
    ]),
    patterns: [...document.querySelectorAll("pattern")].map((p) => p.id),
    signs: Object.fromEntries([...document.querySelectorAll(".reading")].map((r) => [
        r.getAttribute("class"), [r.tagName, getComputedStyle(r).fill],
    ])),
    wide: [...document.querySelectorAll(".table")].filter((t) => t.scrollWidth > t.clientWidth)
        .map((t) => ({
            where: t.closest("section").id,
            shades: getComputedStyle(t).backgroundImage.split("linear-gradient").length - 1,
            bound: getComputedStyle(t).backgroundAttachment,
            names: (() => {
                const name = t.querySelector("td"), before = name.getBoundingClientRect().left;
                t.scrollLeft = t.scrollWidth;
                return name.getBoundingClientRect().left - before;
            })(),
        })),
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
    assert market["lines"] >= 8
    assert market["bars"] >= 12
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


@pytest.mark.parametrize("width", [360, 1200])
def test_no_two_labels_of_a_chart_run_into_each_other_nor_out_of_its_card(
    browser: Browser, tmp_path: Path, width: int
) -> None:
    def drawn(hours: float, late: int) -> Section:
        start = NOON + timedelta(minutes=97 * late)
        ends = [Point(start, 1e6 * late), Point(start + timedelta(hours=hours), 7.3e6)]
        daily = [Point(point.at.replace(hour=0, minute=0), point.value) for point in ends]
        columns = [Column(start, [1234567.0]), Column(start + timedelta(hours=hours), [0.5])]
        step = timedelta(hours=1 if hours < 100 else 24)
        charts = [
            Chart("", [Series("", "ask", ends)], str).draw(),
            Chart("", [Series("", "ask", daily)], str, is_daily=True).draw(),
            Columns("", [Part("", "ask")], columns, step, str).draw(),
        ]
        return Section("", "", element("div", charts, class_="halves"))

    spans = [0.1, 0.9, 3, 5, 7, 12, 23, 25, 49, 71, 73, 100, 168, 24 * 29, 24 * 120, 24 * 400]
    writers = [
        (f"{hours} {late}", partial(drawn, hours, late)) for hours in spans for late in range(1, 6)
    ]
    file = tmp_path / "charts.html"
    file.write_text(whole_page("", "", [], writers, NOON), encoding="utf-8")
    said = browser.open(file, LABELS, width=width).said
    assert said["n"] > 1000
    assert said["clashes"] == said["outside"] == []


def test_a_screen_shows_whole_tables_and_a_phone_shades_the_edge_that_hides_more(
    seen: dict[Any, Opened],
) -> None:
    for name in (None, "VES/USDT"):
        assert seen[name].said["wide"] == []
        wide = seen[name, "phone"].said["wide"]
        assert wide
        for table in wide:
            assert table["shades"] == 4
            assert table["bound"] == "local, local, scroll, scroll"
            assert table["names"] == 0, table


def test_what_came_of_a_reading_is_told_by_shape_and_pattern_not_by_colour_alone(
    seen: dict[Any, Opened],
) -> None:
    signs = seen["VES/USDT"].said["signs"]
    assert {look.split()[1] for look in signs} == {"trusted", "incomplete", "suspect"}
    assert signs["reading suspect"] == ["path", "none"]
    assert signs["reading incomplete"][1] != signs["reading trusted"][1]
    market = seen[None].said
    fills = {look: fill for look, height, fill in market["columns"] if height > 0}
    for verdict in ("incomplete", "suspect"):
        assert f"#{verdict}-pattern" in fills[f"column {verdict}"]
        assert f"{verdict}-pattern" in market["patterns"]
    assert "url" not in fills["column trusted"]


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
    assert "BUY: ask: 600.6 (competitive_median)" in tip
