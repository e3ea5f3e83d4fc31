"""Which blows fall, and that none of the places is left out."""

from __future__ import annotations

from collections import Counter

import pytest

from chaos.blows import CONNECTIONS, DISK, HTTP, KILLS, OF_POSTGRES, Blow, places_to_hit, rounds
from chaos.places import EXTRACT, LOAD, MARKER, NORMALIZE, all_places, models


def blows(kills: int, seed: int) -> list[Blow]:
    return [blow for some in rounds(kills, seed) for blow in some]


@pytest.mark.parametrize("seed", range(5))
def test_a_hundred_kills_hit_every_place_of_the_loader_and_every_model(seed: int) -> None:
    killed = [blow.place for blow in blows(100, seed) if blow.is_kill]
    assert len(killed) == 100
    places = all_places()
    groups = {places[place].group for place in killed if place in places}
    assert {EXTRACT, NORMALIZE, LOAD, MARKER} <= groups
    assert {f"inside {name}" for name in models()} <= groups


def test_there_are_no_more_places_than_a_hundred_kills_can_hit() -> None:
    assert places_to_hit() + len(OF_POSTGRES) <= 100, "make chaos has to kill more often"


def test_beside_the_kills_everything_else_goes_wrong_too() -> None:
    made = blows(100, 1)
    kinds = Counter(blow.what for blow in made)
    assert set(kinds) == {*KILLS, CONNECTIONS, HTTP, DISK}
    assert sum(blow.loses_folder for blow in made) > 3
    assert sum(bool(blow.clock_back) for blow in made) > 3


def test_the_order_follows_from_the_seed() -> None:
    assert rounds(30, 1) == rounds(30, 1)
    assert rounds(30, 1) != rounds(30, 2)
    assert sum(blow.is_kill for blow in blows(7, 3)) == 7
