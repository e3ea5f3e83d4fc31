"""What ending a reading early would miss: that it is counted as it is said."""

from __future__ import annotations

from bench.figures import Figures
from bench.first_page import Ended, Stand, Watch, measure
from simulator.market import Market

PAGE = (("1", 0), ("2", 7))


def test_a_change_behind_a_first_page_that_stands_still_is_missed_and_its_pages_are_saved() -> None:
    ended = Ended()
    ended.add(Stand(PAGE, 45, 10), Stand(PAGE, 45, 13), may_end=True)
    assert (ended.changes, ended.missed, ended.requests, ended.saved) == (3, 3, 3, 2)


def test_a_first_page_or_a_total_that_moved_has_the_rest_read() -> None:
    ended = Ended()
    ended.add(Stand(PAGE, 45, 10), Stand((("1", 0), ("2", 8)), 45, 13), may_end=True)
    ended.add(Stand(PAGE, 45, 10), Stand(PAGE, 44, 13), may_end=True)
    ended.add(Stand(PAGE, 45, 10), Stand(PAGE, 45, 13), may_end=False)
    assert (ended.changes, ended.missed, ended.requests, ended.saved) == (9, 0, 9, 0)


def test_a_change_of_statistics_shows_on_the_page_and_makes_no_version() -> None:
    watch = Watch(Market(seed=3, fiats=["BOB"], assets=["USDT"]))
    before = watch.look()
    watch.market.advance(30)
    after = watch.look()
    kinds = [change.kind for change in watch.market.changes()]
    assert sum(stand.changes for stand in after.values()) == sum(
        kind not in ("orders", "renamed") for kind in kinds
    )
    assert any(before[key].first != after[key].first for key in after)


def test_each_figure_is_a_line_of_its_own() -> None:
    lines = list[str]()
    measure(Figures(show=lines.append), hours=1.1, fiats=("BOB", "KES"))
    assert len(lines) == 12
    assert all(line.split(" ")[2] == "%" for line in lines)
