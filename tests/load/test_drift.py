"""The drift watch: what came, went or changed its type is said once, and noise is not."""

import shutil
import threading
from typing import Any

import pytest

from load.book.drift import ENOUGH, Drift, Shape, Watch
from load.exchange.calls import SEARCH
from tests.load.conftest import NOON, Json, Loader, Stub, offer

SIZE = ENOUGH + 20
BOOK = "VES-USDT-BUY"


def cycle(watch: Watch, *offers: Json, whole: bool = True) -> list[tuple[str, str, str]]:
    """What is said of a cycle over these offers: kind, path and what."""
    shape = Shape(watch.known)
    for each in offers:
        shape.add(each)
    shape.pack()
    said: list[Drift] = watch.take(shape, (), "a snapshot", NOON)
    said += watch.judge(NOON) if whole else []
    return [(drift.kind, drift.path, drift.what) for drift in said]


def many(**adv: Any) -> list[Json]:
    return [offer(number, **adv) for number in range(SIZE)]


@pytest.fixture
def watch() -> Watch:
    """What a cycle over enough offers leaves behind, by way of the state."""
    watch = Watch()
    assert cycle(watch, *many(priceScale=2)) == []
    return Watch.load(watch.dump())


def test_a_key_never_seen_is_said_once_with_its_type(watch: Watch) -> None:
    said = [("new_key", "adv.tax", "text"), ("new_key", "adv.tradeMethods.fee", "number")]
    methods = [{"identifier": "Banesco", "tradeMethodName": "Banesco", "fee": 0.5}]
    odd = offer(1, tax="1%", tradeMethods=methods)
    assert cycle(watch, *many(priceScale=2), odd) == said
    assert cycle(watch, *many(priceScale=2), odd) == []


def test_a_type_never_seen_is_said_once_and_null_is_no_type(watch: Watch) -> None:
    assert cycle(watch, *many(priceScale=None)) == []
    said = [("changed_type", "adv.priceScale", "was number, is text")]
    assert cycle(watch, *many(priceScale="2")) == said
    assert cycle(watch, *many(priceScale="2"), *many(priceScale=2)) == []


def test_what_types_a_key_has_is_learned_over_a_whole_cycle_first() -> None:
    watch = Watch()
    assert cycle(watch, offer(1, payTimeLimit="1"), whole=False) == []
    assert cycle(watch, offer(1, payTimeLimit=1)) == []
    assert cycle(watch, offer(1, payTimeLimit=[1])) == [
        ("changed_type", "adv.payTimeLimit", "was number or text, is array")
    ]


def test_a_key_that_no_offer_of_a_whole_cycle_carries_is_gone_and_that_is_said_once(
    watch: Watch,
) -> None:
    said = [("gone_key", "adv.priceScale", f"was number, none of {SIZE} carries it")]
    assert cycle(watch, *many(), whole=False) == []
    assert cycle(watch) == said
    assert cycle(watch, *many()) == []
    assert cycle(watch, *many(priceScale=2)) == []
    assert cycle(watch, *many()) == said, "it had come back"


def test_a_key_that_one_offer_still_carries_is_not_gone(watch: Watch) -> None:
    assert cycle(watch, *many(), offer("x", priceScale=2)) == []


def test_few_offers_miss_nothing(watch: Watch) -> None:
    assert cycle(watch, *many()[: ENOUGH - 1]) == []


def test_a_rare_key_is_not_missed(watch: Watch) -> None:
    rare = [offer(number, payTimeLimit=15) for number in range(SIZE // 2)]
    assert cycle(watch, *many(priceScale=2), *rare) == []
    assert cycle(watch, *many(priceScale=2)) == []


def test_a_broken_off_cycle_misses_nothing_and_does_not_count_in_the_next(watch: Watch) -> None:
    cycle(watch, *many(), whole=False)
    watch.begin()
    assert cycle(watch, *many(priceScale=2)) == []


def test_what_is_noted_of_a_reading_is_bounded() -> None:
    shape = Shape()
    for number in range(50):
        shape.add(offer(number, **{f"key{number}{each}": "x" * 10_000 for each in range(50)}))
    assert len(shape.examples) == 400
    assert max(len(text) for types in shape.examples.values() for text in types.values()) == 60


def test_what_the_watch_knows_is_counted_and_no_more(watch: Watch) -> None:
    shape = Shape(watch.known)
    for number in range(SIZE):
        assert shape.add(offer(number, priceScale=2)) == (number == 0)
    shape.add(offer(1, priceScale=2, shiny="yes"))
    shape.pack()
    met = {place: times for (place, *_), times in shape.usual.items()}
    assert (met["item"], met["adv"], met["advertiser"]) == (SIZE + 1, SIZE, SIZE + 1)
    assert shape.examples == {}
    assert all(form is watch.known(form) for form in shape.usual), "kept once"
    carried, examples = shape.told()
    assert (carried["adv.shiny"], carried["adv.priceScale"]) == (1, 1)
    assert examples["adv.shiny"] == {"text": "yes"}
    watch.take(shape, (), "a snapshot", NOON)
    kept = Watch.load(watch.dump())
    assert (kept.keys["adv.priceScale"].carried, kept.keys["adv.shiny"].carried) == (SIZE + 1, 1)


def test_forms_that_a_refused_batch_told_count_for_the_keys_that_are_left(watch: Watch) -> None:
    refused = Watch.load(watch.dump())
    cycle(refused, offer(1, priceScale=2, shiny="yes"), whole=False)
    shape = Shape(refused.known)
    shape.add(offer(2, priceScale=2, shiny="yes"))
    shape.pack()
    assert watch.take(shape, (), "a snapshot", NOON) == []
    assert "adv.shiny" not in Watch.load(watch.dump()).keys


def drifts(loader: Loader) -> list[Any]:
    return loader.rows("select run_id, kind, path, what, example from staging.drift order by 1, 2")


def test_drift_lands_with_an_example_that_nobody_obeys_once_and_for_all(
    loader: Loader, stub: Stub
) -> None:
    stub.put(BOOK, many(priceScale=2, remarks="none"))
    loader.run()
    assert drifts(loader) == []
    changed = many(priceScale="2", shiny="\x1b[31m" + "x" * 100)
    stub.put(BOOK, changed)
    report = loader.run()
    said = [
        ("run2", "changed_type", "adv.priceScale", "was number, is text", "2"),
        ("run2", "gone_key", "adv.remarks", f"was text, none of {SIZE} carries it", "none"),
        ("run2", "new_key", "adv.shiny", "text", "\\x1b[31m" + "x" * 55),
    ]
    assert [row[:4] for row in drifts(loader)] == [row[:4] for row in said]
    assert [row[4][:8] for row in drifts(loader)] == [row[4][:8] for row in said]
    assert all(row[4].isprintable() and len(row[4]) < 70 for row in drifts(loader))
    assert [drift.path for drift in report.drift] == ["adv.priceScale", "adv.shiny", "adv.remarks"]
    shutil.rmtree(loader.settings.home / "dlt")
    assert loader.run().drift == []
    assert len(drifts(loader)) == 3


def test_a_cycle_that_was_stopped_misses_no_key(loader: Loader, stub: Stub) -> None:
    sell = "VES-USDT-SELL"
    stub.put(BOOK, many(priceScale=2))
    stub.put(sell, many(priceScale=2))
    loader.run()
    stub.put(BOOK, many())
    stop, sides = threading.Event(), list[str]()

    def stop_in_the_other(path: str, body: Json, _times: int) -> None:
        if path == SEARCH:
            sides.append(body["tradeType"])
            if body["page"] == 1 and len(set(sides)) == 2:
                stop.set()

    stub.override = stop_in_the_other
    report = loader.run(stop=stop)
    assert (report.stopped, report.books_complete) == (True, 1)
    stub.override = lambda *_: None
    assert loader.run().resumed
    assert drifts(loader) == []
