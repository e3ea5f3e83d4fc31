"""Sameness of offers and of books, numbers, and fields never seen."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from load.book.offers import digest, fingerprint, new_fields, offer_number
from tests.load.conftest import offer

Pairs = list[tuple[str, bytes]]


def said(items: list[dict[str, Any]]) -> str:
    return fingerprint([(offer_number(item) or "", digest(deepcopy(item))) for item in items])


BOOK = [offer(number, price=f"{number}.5") for number in range(45)]


@given(st.permutations(range(45)))
def test_the_order_of_offers_does_not_matter(order: list[int]) -> None:
    assert said([BOOK[place] for place in order]) == said(BOOK)


def test_the_order_of_keys_does_not_matter() -> None:
    turned = [
        {key: dict(reversed(part.items())) for key, part in reversed(item.items())} for item in BOOK
    ]
    assert said(turned) == said(BOOK)


def test_the_seconds_since_the_advertiser_was_active_do_not_matter() -> None:
    later = deepcopy(BOOK)
    later[3]["advertiser"]["activeTimeInSecond"] = 99
    assert said(later) == said(BOOK)


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("adv", "price", "3.6"),
        ("adv", "surplusAmount", None),
        ("advertiser", "nickName", "Ana"),
        ("advertiser", "monthOrderCount", 8),
    ],
)
def test_everything_else_that_an_offer_says_matters(part: str, key: str, value: Any) -> None:
    changed = deepcopy(BOOK)
    changed[3][part][key] = value
    assert said(changed) != said(BOOK)


def test_being_promoted_matters_and_where_it_stands_does_not() -> None:
    promoted = {**BOOK[7], "privilegeType": 1}
    rest = [item for item in BOOK if item is not BOOK[7]]
    assert said([promoted, *rest]) != said(BOOK)
    assert said([promoted, *rest]) == said([*rest, promoted])


def test_an_offer_met_twice_across_a_page_edge_changes_nothing() -> None:
    assert said([*BOOK, deepcopy(BOOK[19])]) == said(BOOK)


def test_an_offer_met_in_two_states_is_not_the_same_as_in_either() -> None:
    repriced = offer(19, price="20.5")
    both = said([*BOOK, repriced])
    assert both != said(BOOK)
    assert both != said([*BOOK[:19], repriced, *BOOK[20:]])


def test_one_offer_less_is_another_book() -> None:
    assert said(BOOK[:-1]) != said(BOOK)


@pytest.mark.parametrize(
    ("number", "usable"),
    [
        ("12929965803734019611", "12929965803734019611"),
        (12929965803734019611, "12929965803734019611"),
        ("", None),
        ("  ", None),
        (None, None),
        (True, None),
        (1.5, None),
        (["1"], None),
    ],
)
def test_a_number_is_text_or_a_whole_number(number: Any, usable: str | None) -> None:
    assert offer_number({"adv": {"advNo": number}}) == usable


@pytest.mark.parametrize("item", [{}, {"adv": None}, {"adv": []}, {"adv": {}}])
def test_an_offer_without_an_ad_has_no_number(item: dict[str, Any]) -> None:
    assert offer_number(item) is None
    assert digest(item)


def test_fields_never_seen_are_told_with_their_place_and_type() -> None:
    item = offer(1, someKey={"a": 1})
    item["advertiser"]["isRobot"] = False
    item["shelf"] = None
    item["adv"]["tradeMethods"][0]["speed"] = 1.5
    assert set(new_fields(item)) == {
        ("adv.someKey", "object"),
        ("advertiser.isRobot", "boolean"),
        ("item.shelf", "null"),
        ("adv.tradeMethods.speed", "number"),
    }


def test_a_known_offer_has_no_new_fields() -> None:
    assert list(new_fields(offer(1))) == []
