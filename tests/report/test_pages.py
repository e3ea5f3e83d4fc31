"""The pages as they are written: what leaves a section out, and what is refused in one line."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from report import figures
from report.market import SECTIONS as MARKET_SECTIONS
from report.market import market_page
from report.marts import Marts
from report.pair import SECTIONS, pair_page
from report.writing import write_report
from tests.made_up_market import HOSTILE
from warehouse.errors import UserError
from warehouse.postgres import Warehouse

NOW = datetime(2026, 11, 3, 14, tzinfo=UTC)


def test_an_older_warehouse_leaves_out_what_it_has_no_mart_of_and_shows_the_rest(
    built_warehouse: Warehouse,
) -> None:
    with built_warehouse.connect() as connection:
        connection.execute("drop view marts.depth_bands cascade")
        connection.execute("drop table marts.parallel_premiums, marts.data_health cascade")
        connection.execute("alter table marts.turnover_days drop column listed_share cascade")
        marts = Marts(connection, NOW)
        pair, market = pair_page(marts, "ves/usdt"), market_page(marts)
        connection.rollback()
    left_out = set(re.findall(r"Left out, since there is no ([\w.]+) in this warehouse", pair))
    assert left_out >= {"marts.depth_bands", "marts.parallel_premiums", "listed_share"}
    assert "there is no marts.data_health" in pair
    assert "Left out, since there is no marts.market_now in this warehouse" in market
    assert pair.count("<section") == len(SECTIONS)


def test_a_whole_warehouse_leaves_nothing_out_and_tells_sources_dates_and_ages(
    built_warehouse: Warehouse,
) -> None:
    with built_warehouse.connect() as connection:
        marts = Marts(connection, NOW)
        pair, market = pair_page(marts, "VES/USDT"), market_page(marts)
    for shown, sections in ((pair, SECTIONS), (market, MARKET_SECTIONS)):
        assert shown.count("<section") == len(sections)
        assert "Left out" not in shown
        assert "<img" not in without_script(shown)
        assert "://" not in without_script(shown)
    assert "Last trusted reading: 2026-11-03 13:00 UTC, 60 min before this page was made." in pair
    assert "2026-11-02, carried forward" in pair
    assert "Rates By Exchange Rate API" in pair
    assert "Rates By Exchange Rate API" in market
    assert "BCV" in pair
    assert HOSTILE.replace("<", "&lt;").replace(">", "&gt;") in pair
    assert "maker_side_mismatch" in pair


def test_a_forecast_stands_beside_its_skill_and_states_beside_their_error(
    built_warehouse: Warehouse,
) -> None:
    with built_warehouse.connect() as connection:
        marts = Marts(connection, NOW)
        shown = section(pair_page(marts, "VES/USDT"), "what-may-come")
        other = section(pair_page(marts, "ARS/USDT"), "what-may-come")
        connection.execute(
            "update marts.price_forecasts set reason = 'too_little_history', point = null"
        )
        without = section(pair_page(marts, "VES/USDT"), "what-may-come")
        connection.rollback()
    rows = re.findall(r"<tr>.*?</tr>", shown, re.DOTALL)
    assert [
        row for row in rows if "<td>1 h</td>" in row and "<b>601</b>" in row and "drift<" in row
    ]
    assert "12.5% (6.3% to 18.8%)" in shown or "12.5% (6.2% to 18.8%)" in shown
    assert [row for row in rows if "<td>24 h</td>" in row and "persistence (no skill)" in row]
    assert '"601, 80% from 590 to 610"' in shown
    assert re.search(r"<td>hour</td><td><b>(down|flat|up)</b></td>", shown)
    assert "±" in shown
    assert "No forecast was made yet" in other
    assert "No forecast: too little history (700 covered hours)." in without


def test_pages_of_simulated_data_say_so(built_warehouse: Warehouse) -> None:
    banner = '<p class="simulated" role="note">Simulated data: '
    with built_warehouse.connect() as connection:
        marts = Marts(connection, NOW)
        assert banner not in pair_page(marts, "VES/USDT")
        connection.execute(
            "insert into ops.runs (run_id, state, is_simulated, started_at)"
            " values ('simulated', 'success', true, now())"
        )
        pages = pair_page(marts, "VES/USDT"), market_page(marts)
        connection.rollback()
    assert all(banner in page for page in pages)


def without_script(page: str) -> str:
    """A page without the one script that runs in it; the data of its charts stay."""
    return re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)


def charts(section: str) -> list[list[str]]:
    """What each chart of a section tells: the day, the series, its value as shown, and the note."""
    told = []
    for found in re.findall(r"<script type=.application/json. data-data>(.*?)</script>", section):
        data = json.loads(found)
        rows = [dict(zip(data["fields"], row, strict=True)) for row in data["rows"]]
        told.append(
            [
                f"{datetime.fromtimestamp(row['at'] / 1000, UTC):%Y-%m-%d} "
                f"{data['names'][row['series']]}: {row['said']} {row.get('note', '')}".strip()
                for row in rows
                if "at" in row
            ]
        )
    return told


def section(page: str, name: str) -> str:
    (found,) = re.findall(rf'<section id="{name}">.*?</section>', page, re.DOTALL)
    return str(found)


def test_walks_of_trades_are_shown_with_the_word_that_nobody_gets_them(
    built_warehouse: Warehouse,
) -> None:
    """Of one pair the two sides are 0.2% apart, and what a book was not read after has no later."""
    with built_warehouse.connect() as connection:
        shown = section(market_page(Marts(connection, NOW)), "walks")
    assert "Indicative, not executable; public field reports put the net edge near 0.09%." in shown
    assert "VES &gt; USDT &gt; VES" in shown
    assert "-0.199%" in shown
    assert "half below -0.199%, a tenth below -0.331%, nine tenths below -0.198%" in shown
    assert "at once" in shown
    assert "<td>a reading later</td>" not in shown


def test_the_whole_market_is_told_as_one_pair_is(built_warehouse: Warehouse) -> None:
    with built_warehouse.connect() as connection:
        market = market_page(Marts(connection, NOW))
        told = connection.execute(
            """
            select round(sum(lower_quantity * coalesce(pegs.usd_per_asset, 1))),
                round(sum(upper_quantity * coalesce(pegs.usd_per_asset, 1)))
            from marts.turnover_days
            left join marts.usd_per_asset_days as pegs using (day, asset_code)
            where day = '2026-11-02'
            """
        ).fetchone()
    assert told is not None
    shown = section(market, "turnover")
    (turnover,) = charts(shown)
    surely = f"surely: the order count rose as well: {figures.amount(told[0])}"
    assert f"2026-11-02 {surely} of 2 pairs" in turnover
    assert "<bdi>Banesco</bdi>" in section(market, "payment-methods")
    assert any(one.endswith(" of 4 books") for one in charts(section(market, "depth"))[0])
    assert "2026-11-02, carried forward" in section(market, "premium")
    assert any("half of the fiats are below: " in o for o in charts(section(market, "premium"))[0])
    assert any("half of the pairs are below: " in o for o in charts(section(market, "spread"))[0])
    assert (
        sum("BUY: " in one for two in charts(section(market, "concentration")) for one in two) >= 6
    )
    reference = section(market, "price")
    assert "+20." in reference or "-20." in reference  # what the bait is away from it


def test_methods_of_the_whole_market_are_shown_by_day_as_its_readings_tell(
    built_warehouse: Warehouse,
) -> None:
    with built_warehouse.connect() as connection:
        market = market_page(Marts(connection, NOW))
        told = connection.execute(
            """
            with readings as (
                select
                    snapshots.day, snapshots.fiat_code, snapshots.side,
                    count(*) as offers,
                    count(*) filter (where methods.identifier is not null) as named
                from marts.fact_offer_snapshots as offers
                inner join (
                    select *, (started_at at time zone 'UTC')::date as day
                    from marts.fact_snapshots
                    where quality_verdict = 'trusted'
                ) as snapshots using (snapshot_id)
                left join marts.fact_offer_payment_methods as methods
                    on methods.offer_version_key = offers.offer_version_key
                    and methods.identifier = 'Zelle'
                group by snapshot_id, snapshots.day, snapshots.fiat_code, snapshots.side
            ),

            books as (
                select day, avg(offers) as offers, avg(named) as named
                from readings
                group by day, fiat_code, side
            )

            select day, 100 * sum(named) / sum(offers), count(*) from books group by day
            """
        ).fetchall()
    assert len(told) == 3
    shown = section(market, "payment-methods")
    for day, share, books in told:
        assert 0 < share < 100
        shares, premiums = charts(shown)
        assert f"{day} Zelle: {figures.percent(share)} ({books} books)" in shares
        assert any(re.fullmatch(rf"{day} Zelle: -?\d+\.\d\d% \(2 books\)", o) for o in premiums)


def test_the_largest_advertiser_has_the_longest_bar_and_nought_is_not_red(
    built_warehouse: Warehouse,
) -> None:
    with built_warehouse.connect() as connection:
        connection.execute(
            "update marts.market_spreads set is_crossed = true, spread_pct = -0.001"
            " where fiat_code = 'VES'"
        )
        marts = Marts(connection, NOW)
        pair, market = pair_page(marts, "VES/USDT"), market_page(marts)
        connection.rollback()
    shown = section(pair, "concentration")
    for side in ("ask", "bid"):
        lengths = re.findall(rf'<meter class="bar {side}" min="0" max="1" value="([\d.]+)"', shown)
        assert lengths[0] == "1.0000"
        assert sorted(map(float, lengths), reverse=True) == list(map(float, lengths))
    assert "-0.00%" not in without_script(pair) + without_script(market)
    assert "<span>0.00%</span>" in section(market, "pairs")


def test_an_empty_warehouse_gives_one_line(warehouse: Warehouse, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^Nothing has run yet: try `p2p run`, or `p2p demo`\.$"):
        write_report(warehouse, None, tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


def test_a_warehouse_whose_first_build_has_not_ended_is_refused_in_one_line(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    with warehouse.connect(autocommit=True) as connection:
        connection.execute("create schema marts; create table marts.fact_snapshots as select 1")
    with pytest.raises(UserError, match=r"not whole yet \(there is no \w+\)"):
        write_report(warehouse, "", tmp_path / "report.html")


@pytest.mark.parametrize("name", ["VES", "VES/USDT/BUY", "../x/y", "V'S/USDT", "/"])
def test_what_is_no_pair_is_refused(built_warehouse: Warehouse, tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="is no pair: write fiat and asset, as in VES/USDT"):
        write_report(built_warehouse, name, tmp_path / "report.html")


def test_a_pair_that_was_never_read_is_refused(built_warehouse: Warehouse, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no reading of XXX/YYY"):
        write_report(built_warehouse, "XXX/YYY", tmp_path / "report.html")


def test_a_file_that_cannot_be_written_is_named_and_nothing_is_left_beside_it(
    built_warehouse: Warehouse, tmp_path: Path
) -> None:
    (tmp_path / "report.html").mkdir()
    with pytest.raises(UserError, match="--out .*report.html cannot be written"):
        write_report(built_warehouse, None, tmp_path / "report.html")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
