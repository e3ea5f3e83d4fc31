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
from report.writing import write_all, write_report
from tests.made_up_market import HOSTILE
from tests.report.browser import CHROMIUM, Browser, Opened, chromium
from warehouse.postgres import Warehouse

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium on this machine (Debian: apt-get install chromium)"
)

LABELS = """
({
    n: document.querySelectorAll(".role-axis-label text").length,
    clashes: [...document.querySelectorAll(".plot")].flatMap((plot) => {
        const shown = [...plot.querySelectorAll(".role-axis-label text")].map((t) => [
            t.textContent, t.getBoundingClientRect(),
        ]).filter(([text, box]) => text && box.width > 0);
        return shown.flatMap(([one, a], number) => shown.slice(number + 1).filter(([, b]) =>
            a.left < b.right + 2 && b.left < a.right + 2 && a.top < b.bottom && b.top < a.bottom
        ).map(([other]) => `${one} and ${other} of ${plot.closest("section").id}`));
    }),
    outside: [...document.querySelectorAll(".role-axis-label text")].filter((t) => {
        const box = t.getBoundingClientRect(), card = t.closest("section").getBoundingClientRect();
        return box.width > 0 && (box.left < card.left || box.right > card.right);
    }).map((t) => t.textContent),
})
"""
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
HELPERS = """
const paths = (kind, within = document) => [...within.querySelectorAll(`.plot .mark-${kind} > *`)];
const turn = () => new Promise((done) => setTimeout(done));
const wait = async () => {
    do await turn(); while (document.querySelector("[aria-busy]"));
};
const click = async (button) => { button.click(); await wait(); };
const texts = (found) => [...found].map((one) => one.textContent);
const axis = (chart) => texts(chart.querySelectorAll(".role-axis-label text")).sort();
const tip = document.getElementById("tip");
"""
QUESTION = """
({
    drawn: Number(document.documentElement.dataset.drawn),
    images: document.images.length,
    frames: document.querySelectorAll("iframe, object, embed, link[href^='http']").length,
    handlers: [...document.querySelectorAll("*")].filter((e) => [...e.attributes].some(
        (a) => a.name.startsWith("on"))).length,
    text: document.body.innerText,
    lines: paths("line").filter((p) => {
        const box = p.getBoundingClientRect();
        return box.width > 50 && getComputedStyle(p).stroke !== "none";
    }).length,
    bars: [...document.querySelectorAll("meter.bar")].filter((b) => b.value > 0).length,
    withheld: paths("rule", document.getElementById("price")).filter(
        (r) => r.getAttribute("stroke-width") === "2").length,
    baselines: paths("rule", document.getElementById("spread")).filter(
        (r) => r.getAttribute("stroke-width") === null).length,
    gaps: paths("rect", document.getElementById("price")).filter((r) =>
        r.getAttribute("opacity") === null && r.getBoundingClientRect().width > 2).length,
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    smallest: Math.min(...[...document.querySelectorAll("svg text")].map(
        (t) => parseFloat(getComputedStyle(t).fontSize))),
    columns: paths("rect", document.getElementById("health")).map((c) =>
        `${c.getAttribute("stroke")} ${c.getAttribute("fill-opacity") ?? 1}`),
    signs: paths("symbol", document.getElementById("health")).map((s) => s.getAttribute("d")),
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
    picture: document.querySelector(".plot svg").style.backgroundColor,
})
"""
READ = """
(async () => {
    const chart = document.querySelector("#price figure"), plot = chart.querySelector(".plot");
    const hit = paths("rect", chart).filter((r) => r.getAttribute("opacity") === "0")[0];
    const box = hit.getBoundingClientRect();
    const at = {bubbles: true, clientX: box.left + 2, clientY: box.top + 40};
    hit.dispatchEvent(new PointerEvent("pointermove", at));
    await wait();
    const pointed = tip.innerText;
    plot.focus();
    plot.dispatchEvent(new KeyboardEvent("keydown", {key: "Escape"}));
    const gone = tip.hidden;
    const step = async (key) => {
        plot.dispatchEvent(new KeyboardEvent("keydown", {key}));
        await wait();
    };
    await step("ArrowLeft");
    await step("ArrowLeft");
    const stepped = tip.innerText;
    return {pointed, gone, stepped};
})()
"""
RANGES = """
(async () => {
    const chart = document.querySelector("#price figure"), ranges = {};
    for (const input of document.querySelectorAll("input[name=range]")) {
        await click(input);
        ranges[input.value] = axis(chart);
    }
    await click(chart.querySelector("[data-do=in]"));
    const zoomed = axis(chart);
    await click(chart.querySelector("[data-do=reset]"));
    return {ranges, zoomed, reset: axis(chart)};
})()
"""
DOWNLOADS = """
(async () => {
    const given = [], blobs = [];
    URL.createObjectURL = (blob) => { blobs.push(blob); return "blob:x"; };
    HTMLAnchorElement.prototype.click = function () {
        given.push([this.download, this.href.slice(0, 22)]);
    };
    const chart = document.querySelector("#price figure");
    await click(chart.querySelector("[data-do=csv]"));
    chart.querySelector("[data-do=png]").click();
    while (given.length < 2) await wait();
    const methods = [...document.querySelectorAll("#payment-methods figure [data-do=csv]")].pop();
    await click(methods);
    return {given, csv: await blobs[0].text(), methods: await blobs[1].text()};
})()
"""
TABLE = """
(async () => {
    const table = document.getElementById("pairs-table");
    const shown = () => [...table.tBodies[0].rows].filter((r) => !r.hidden)
        .map((r) => r.cells[0].innerText);
    const search = document.querySelector("input[type=search]");
    const before = shown();
    const orders = {};
    for (const name of ["pair", "ask", "ask"]) {
        const head = [...table.tHead.rows[0].cells].find((h) => h.innerText.startsWith(name));
        head.querySelector("button").click();
        orders[`${name} ${head.getAttribute("aria-sort")}`] = shown();
    }
    search.value = "ves";
    search.dispatchEvent(new Event("input"));
    return {
        before, orders, filtered: shown(), count: document.querySelector("output").innerText,
        links: [...table.querySelectorAll("a")].map((a) => a.getAttribute("href")),
    };
})()
"""


def drawn(question: str) -> str:
    """A question to a page once all of its charts are there."""
    return f"""
    new Promise((done) => {{
        const look = () => document.documentElement.dataset.drawn ? done() : setTimeout(look, 20);
        look();
    }}).then(async () => {{ {HELPERS} return await {question.strip()}; }})
    """


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def pages(
    built_warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory
) -> dict[str | None, Path]:
    """The overview, under None, and the page of a pair: both of a folder, and each a file."""
    folder = tmp_path_factory.mktemp("report")
    written: dict[str | None, Path] = {None: write_all(built_warehouse, folder)}
    written["VES/USDT"] = folder / "VES-USDT.html"
    return written


@pytest.fixture(scope="module")
def seen(browser: Browser, pages: dict[str | None, Path]) -> dict[Any, Opened]:
    """Both pages as a screen shows them, by name, and as a phone does in the dark."""
    question = drawn(QUESTION)
    told: dict[Any, Opened] = {name: browser.open(page, question) for name, page in pages.items()}
    for name, page in pages.items():
        told[name, "phone"] = browser.open(page, question, width=360, scheme="dark")
    return told


def test_a_page_of_a_folder_asks_for_the_script_beside_it_and_for_nothing_else(
    seen: dict[Any, Opened], pages: dict[str | None, Path]
) -> None:
    for name, page in pages.items():
        for opened in (seen[name], seen[name, "phone"]):
            asked = [url for url in opened.requests if not url.startswith("data:")]
            assert asked == [page.as_uri(), page.with_name("report.js").as_uri()]
            assert opened.complaints == []


def test_a_page_of_its_own_holds_its_script_and_asks_nobody_for_anything(
    browser: Browser, built_warehouse: Warehouse, tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    write_report(built_warehouse, "VES/USDT", page)
    opened = browser.open(page, drawn("Number(document.documentElement.dataset.drawn)"))
    assert [url for url in opened.requests if not url.startswith("data:")] == [page.as_uri()]
    assert opened.complaints == []
    assert opened.said >= 12
    assert page.stat().st_size < 1_500_000


def test_what_an_advertiser_calls_himself_or_his_bank_stays_text(seen: dict[Any, Opened]) -> None:
    assert HOSTILE in seen["VES/USDT"].said["text"]
    for opened in seen.values():
        assert opened.said["images"] == opened.said["frames"] == opened.said["handlers"] == 0


def test_the_charts_are_there_with_a_line_for_each_notion(seen: dict[Any, Opened]) -> None:
    pair, market = seen["VES/USDT"].said, seen[None].said
    assert pair["drawn"] >= 12
    assert pair["lines"] >= 12
    assert pair["bars"] >= 10
    assert market["lines"] >= 8
    assert market["bars"] >= 12
    assert pair["smallest"] >= 11
    for notion in ("reference", "best eligible", "median of all", "volume-weighted, eligible"):
        assert notion in pair["text"]
    assert "the price that most of the best tenth of the offers ask" in pair["text"]


def test_a_reading_that_was_not_trusted_and_a_night_without_readings_are_gaps(
    seen: dict[Any, Opened],
) -> None:
    said = seen["VES/USDT"].said
    assert said["withheld"] >= 2
    assert said["gaps"] >= 4
    assert "http_429" in seen[None].said["text"]


def test_nought_is_drawn_where_values_lie_about_it(seen: dict[Any, Opened]) -> None:
    assert all(opened.said["baselines"] == 1 for opened in seen.values())


@pytest.mark.parametrize("width", [360, 1200])
def test_no_two_labels_of_a_chart_run_into_each_other_nor_out_of_its_card(
    browser: Browser, tmp_path: Path, width: int
) -> None:
    def charts(hours: float, late: int) -> Section:
        start = NOON + timedelta(minutes=97 * late)
        ends = [Point(start, 1e6 * late), Point(start + timedelta(hours=hours), 7.3e6)]
        daily = [Point(point.at.replace(hour=0, minute=0), point.value) for point in ends]
        columns = [Column(start, [1234567.0]), Column(start + timedelta(hours=hours), [0.5])]
        step = timedelta(hours=1 if hours < 100 else 24)
        shown = [
            Chart("", [Series("", "ask", ends)], str).draw(),
            Chart("", [Series("", "ask", daily)], str, is_daily=True).draw(),
            Columns("", [Part("", "ask")], columns, step, str).draw(),
        ]
        return Section("", "", element("div", shown, class_="halves"))

    spans = [0.1, 0.9, 5, 12, 25, 71, 100, 168, 24 * 29, 24 * 120, 24 * 400]
    writers = [(f"{hours}", partial(charts, hours, n)) for n, hours in enumerate(spans)]
    file = tmp_path / "charts.html"
    file.write_text(whole_page("", "", [], writers, NOON), encoding="utf-8")
    said = browser.open(file, drawn(LABELS), width=width).said
    assert said["n"] > 100
    assert said["clashes"] == said["outside"] == []


def test_noise_is_not_blown_up_to_a_panel_and_a_move_is_seen(
    browser: Browser, tmp_path: Path
) -> None:
    def lines(*values: float) -> Section:
        points = [Point(NOON + timedelta(hours=n), value) for n, value in enumerate(values)]
        return Section("", "", Chart("", [Series("", "ask", points)], str).draw())

    writers = [("still", partial(lines, 600.0, 600.3, 600.1)), ("moves", partial(lines, 600, 660))]
    file = tmp_path / "charts.html"
    file.write_text(whole_page("", "", [], writers, NOON), encoding="utf-8")
    heights = 'paths("line").map((line) => line.getBoundingClientRect().height)'
    still, moves = browser.open(file, drawn(heights)).said
    assert still < 10
    assert moves > 120


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


def test_what_came_of_a_reading_is_told_by_shape_and_fill_not_by_colour_alone(
    seen: dict[Any, Opened],
) -> None:
    assert len(set(seen["VES/USDT"].said["signs"])) == 3
    fills = {column.rpartition(" ")[2] for column in seen[None].said["columns"] if "#" in column}
    assert fills == {"1", "0.35", "0"}


def test_a_phone_in_the_dark_shows_it_in_its_width_and_in_the_dark(
    seen: dict[Any, Opened],
) -> None:
    for name in (None, "VES/USDT"):
        assert seen[name].said["overflow"] <= 0
        assert seen[name, "phone"].said["overflow"] <= 0
        assert seen[name, "phone"].said["smallest"] >= 11
        for part in ("ground", "picture"):
            assert seen[name, "phone"].said[part] != seen[name].said[part]


def test_what_stands_under_the_pointer_or_the_arrow_keys_is_told_with_its_time_and_notion(
    browser: Browser, pages: dict[str | None, Path]
) -> None:
    said = browser.open(pages["VES/USDT"], drawn(READ)).said
    head, buy, sell = said["pointed"].splitlines()
    assert head == "2026-11-01 10:00 UTC"
    assert buy == "BUY: ask: 600.6 (competitive_median)"
    assert sell.startswith("SELL: bid: ")
    assert said["gone"]
    assert said["stepped"].startswith("2026-11-03 12:30 UTC\nBUY: ask: ")


def test_a_reader_chooses_the_times_zooms_and_goes_back(
    browser: Browser, pages: dict[str | None, Path]
) -> None:
    opened = browser.open(pages["VES/USDT"], drawn(RANGES))
    said = opened.said
    assert opened.complaints == []
    assert set(said["ranges"]) == {"24", "168", "720", "0"}
    assert said["ranges"]["24"] != said["ranges"]["168"]
    assert said["ranges"]["168"] == said["ranges"]["0"] == said["reset"]
    assert said["zoomed"] != said["reset"]


def test_the_data_and_the_picture_of_a_chart_can_be_had_and_a_sheet_runs_nothing_of_it(
    browser: Browser, pages: dict[str | None, Path]
) -> None:
    opened = browser.open(pages["VES/USDT"], drawn(DOWNLOADS))
    (csv, _), (png, picture), _ = opened.said["given"]
    assert csv == "reference-price-of-ves-usdt-over-time.csv"
    assert (png, picture) == (csv.replace(".csv", ".png"), "data:image/png;base64,")
    lines = opened.said["csv"].splitlines()
    assert lines[0] == "time_utc,series,value,shown"
    assert lines[1] == "2026-11-01T10:00:00.000Z,BUY: ask,600.6,600.6 (competitive_median)"
    assert any(line.endswith(',,"withheld, http_429"') for line in lines)
    assert HOSTILE[:29] in opened.said["methods"]
    assert opened.complaints == []


def test_the_table_of_pairs_is_sorted_filtered_and_leads_to_a_page_for_each_and_back(
    browser: Browser, pages: dict[str | None, Path]
) -> None:
    said = browser.open(pages[None], drawn(TABLE)).said
    assert sorted(said["before"]) == ["ARS/USDT", "VES/USDT"]
    assert said["orders"]["pair ascending"] == ["ARS/USDT", "VES/USDT"]
    assert said["orders"]["ask descending"] == ["ARS/USDT", "VES/USDT"]
    assert said["orders"]["ask ascending"] == ["VES/USDT", "ARS/USDT"]
    assert (said["filtered"], said["count"]) == (["VES/USDT"], "1 of 2")
    for link in said["links"]:
        page = pages[None] and pages[None].with_name(link)
        assert page
        back = browser.open(page, "document.querySelector('nav a').getAttribute('href')").said
        assert page.with_name(back) == pages[None]
