"""The harness on a small project of its own: it sees what a test kills and what it misses."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from mutate.hunt import hunt, share_killed
from mutate.oracles import Oracles
from mutate.units import Units
from tests.conftest import PROJECT
from warehouse.postgres import Warehouse

MODEL = """
select trading_pair, {{ doubled('price') }} as price
from {{ ref('offers') }}
where price > 0
{% if var('never', false) %} and price < 5 {% endif %}
"""
UNIT_TEST = """
unit_tests:
  - name: {name}
    model: {model}
    given:
      - input: ref('offers')
        rows: [{given}]
    expect:
      rows: [{{price: 2}}, {{price: 10}}]
"""
ORACLE = """
'What watched says.'
from pathlib import Path

def test_watched_is_doubled():
    assert "price }} * 2" in Path("macros/doubled.sql").read_text()
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model twice: `watched` is tested where its condition begins to hold, `unwatched` is not.

    What `watched` calculates is in a macro.
    """
    folder = tmp_path_factory.mktemp("tiny")
    two = "{price: 1}, {price: 5}"
    files = {
        "dbt_project.yml": "name: tiny\nprofile: p2p\n",
        "profiles.yml": (PROJECT / "profiles.yml").read_text(),
        "macros/doubled.sql": "{% macro doubled(price) %} {{ price }} * 2 {% endmacro %}",
        "seeds/offers.csv": "trading_pair,price\nVES/USDT,10\n",
        "models/watched.sql": MODEL,
        "models/unwatched.sql": MODEL.replace("{{ doubled('price') }}", "price * 2"),
        "models/watched.yml": UNIT_TEST.format(
            name="what_costs_nothing_is_no_offer", model="watched", given=f"{two}, {{price: 0}}"
        ),
        "models/unwatched.yml": UNIT_TEST.format(
            name="an_offer_has_its_price", model="unwatched", given=two
        ),
        "tests/dbt/test_watched.py": ORACLE,
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture(scope="module")
def units(project: Path, server: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Units:
    """The unit tests of the small project."""
    with server.connect(autocommit=True) as connection:
        connection.execute("create database mutants")
    database = replace(server, database="mutants")
    return Units(database, tmp_path_factory.mktemp("dbt"), project)


@pytest.mark.parametrize(
    ("name", "find", "put", "outcome", "killer"),
    [
        ("watched", "> 0", ">= 0", "killed", "what_costs_nothing_is_no_offer"),
        ("unwatched", "> 0", ">= 0", "survived", ""),
        ("unwatched", "* 2", "* 3", "killed", "an_offer_has_its_price"),
        ("doubled", "* 2", "/ 2", "killed", "what_costs_nothing_is_no_offer"),
        ("doubled", "* 2", "/ 0", "killed", "what_costs_nothing_is_no_offer"),
        ("watched", "price < 5", "price > 5", "unseen", ""),
        ("watched", "> 0", "> nothing", "not SQL", ""),
        ("doubled", "* 2", "* two", "not SQL", ""),
        ("watched", "> 0", "> ''", "not SQL", ""),
    ],
)
def test_unit_tests_judge_a_mutant(
    units: Units, name: str, find: str, put: str, outcome: str, killer: str
) -> None:
    source, rendered = units.sources()[name], units.rendered(name)
    assert find in source
    verdict = units.judge(name, source.replace(find, put), rendered)
    assert (verdict.outcome, verdict.killer) == (outcome, killer)
    assert units.rendered(name) == rendered, "it is itself again"


def test_a_hunt_counts_the_killed_and_shows_the_survivors(units: Units) -> None:
    said: list[str] = []
    scores = {
        model: hunt(model, 100, random.Random(1), units, None, said.append)
        for model in ("watched", "unwatched")
    }
    assert share_killed(scores["watched"]) == 1
    assert share_killed(scores["unwatched"]) < 1
    assert scores["watched"]["unseen"] == scores["unwatched"]["unseen"] > 0
    assert "  - where price > 0\n  + where price >= 0" in said
    assert not any(line.startswith("survived: watched") for line in said)


def test_of_mutants_as_many_are_judged_as_asked_for(units: Units) -> None:
    score = hunt("watched", 1, random.Random(1), units, None, lambda line: None)
    assert score["killed"] + score["survived"] == 1


def test_what_unit_tests_let_live_meets_the_tests_in_python(
    units: Units, project: Path, tmp_path: Path
) -> None:
    oracles = Oracles(tmp_path, project)
    assert units.models("doubled") == ["watched"]
    assert oracles.tests(["watched"]) == ["tests/dbt/test_watched.py"]
    oracles.check(["watched"])
    for name, find, put, outcome, killer in [
        ("watched", "> 0", ">= 0", "survived", ""),
        ("doubled", "* 2", "/ 2", "killed", "test_watched_is_doubled"),
    ]:
        source = units.sources()[name]
        verdict = oracles.judge(["watched"], units.path(name), source, source.replace(find, put))
        assert (verdict.outcome, verdict.killer) == (outcome, killer)
    oracles.check(["watched"])


def test_nothing_to_kill_is_no_failure() -> None:
    assert share_killed(Counter()) == 1
