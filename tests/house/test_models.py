"""Every model is explained beside its SQL, column by column, in the order of its select."""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import sqlglot
import yaml  # type: ignore[import-untyped]
from sqlfluff.core import FluffConfig
from sqlfluff.core.templaters.jinja import JinjaTemplater
from sqlglot import expressions

from tests.house import tree
from upkeep.retention import PAGE_READERS

PROJECT = tree.ROOT / "dbt_project"
MODELS = [path for path in tree.of(".sql") if path.is_relative_to(PROJECT / "models")]
STAGING = PROJECT / "models" / "staging"
MARTS = PROJECT / "models" / "marts"

each_model = pytest.mark.parametrize("model", MODELS, ids=lambda path: path.stem)
each_mart = pytest.mark.parametrize(
    "mart", [m for m in MODELS if m.is_relative_to(MARTS)], ids=lambda path: path.stem
)


@cache
def properties(model: Path) -> dict[str, Any]:
    """What the file beside a model says of it."""
    said = yaml.load(tree.text(model.with_suffix(".yml")), Loader=yaml.CSafeLoader)
    (about,) = said["models"]
    assert isinstance(about, dict)
    return about


@cache
def selected(model: Path) -> list[str]:
    """The columns of a model, from its SQL as the linter renders it."""
    query = sqlglot.parse_one(_renderer()(tree.text(model)), read="postgres")
    assert isinstance(query, expressions.Query)
    source = query.find(expressions.From)
    assert source is not None
    steps = {step.alias: step.this for step in query.ctes}
    final = steps[source.this.name] if query.is_star else query
    return [str(name) for name in final.named_selects]


@cache
def _renderer() -> Callable[[str], str]:
    config = FluffConfig.from_path(str(tree.ROOT))
    return JinjaTemplater().construct_render_func(config=config)[2]


@each_model
def test_a_model_has_a_file_of_its_own_that_explains_it(model: Path) -> None:
    assert model.with_suffix(".yml").exists()
    assert properties(model)["name"] == model.stem
    assert properties(model)["description"].startswith(("One row", "One ", "The ", "Every "))


@each_model
def test_every_column_of_a_model_is_described(model: Path) -> None:
    columns = properties(model)["columns"]
    assert [column["name"] for column in columns if not column.get("description")] == []


@each_model
def test_columns_are_described_in_the_order_of_the_select(model: Path) -> None:
    assert [column["name"] for column in properties(model)["columns"]] == selected(model)


@each_mart
def test_every_column_of_a_mart_states_its_type(mart: Path) -> None:
    columns = properties(mart)["columns"]
    assert [column["name"] for column in columns if not column.get("data_type")] == []


@each_mart
def test_a_mart_that_is_a_table_has_a_primary_key(mart: Path) -> None:
    # A premium of a day without an official rate has no kind of one, and a key takes no null.
    if "materialized='view'" in tree.text(mart) or mart.stem == "parallel_premiums":
        return
    kinds = [constraint["type"] for constraint in properties(mart).get("constraints", [])]
    assert kinds == ["primary_key"]


def test_only_staging_models_read_a_source() -> None:
    others = [model for model in MODELS if not model.is_relative_to(STAGING)]
    assert tree.places(r"\bsource\(", others) == []


def test_no_model_reads_a_table_but_by_ref_or_source() -> None:
    # `_dlt_loads` and the schemas are for the macros that make and read the ledger.
    assert tree.places(r"\b(?:from|join) (?:staging|marts|ops)\.", MODELS) == []


def test_no_day_is_taken_off_a_time_in_the_zone_of_the_session() -> None:
    # A timestamptz less '1 day' is the same hour of the day before where the session is: 23 or 25
    # hours in a night that changes the clock. Off a date, or in a window over dates, it is a day.
    days = r"(?<!between )interval '[^']*days?\b(?!' preceding)"
    ours = [p for p in tree.of(".py", ".sql") if not p.is_relative_to(tree.ROOT / "tests")]
    of_dates = "dbt_project/macros/dialect/times.sql"
    assert [place for place in tree.places(days, ours) if of_dates not in place] == []


def test_no_file_of_properties_explains_a_model_that_is_not_there() -> None:
    explained = [
        path
        for path in tree.of(".yml")
        if path.is_relative_to(PROJECT / "models") and not path.name.startswith("_")
    ]
    assert [path for path in explained if not path.with_suffix(".sql").exists()] == []


def test_whoever_reads_raw_pages_refuses_to_be_rebuilt_from_a_part_of_them() -> None:
    reading = {"stg_binance_p2p__pages"}
    views = [m for m in MODELS if not m.is_relative_to(MARTS)]
    for _ in views:
        reading |= {
            m.stem for m in views if reading & asked(m) and "incremental" not in tree.text(m)
        }
    # What is rebuilt in every run holds nothing that would have to be told again.
    passing = {m.stem for m in views if "{{ start_afresh() }}" in tree.text(m)}
    readers = {m.stem for m in MODELS if m.stem not in reading and reading & asked(m)} - passing
    assert readers == set(PAGE_READERS), "which `p2p maintain` waits for"
    guarded = {m.stem for m in MODELS if "{{ require_pages() }}" in tree.text(m)}
    assert guarded == readers


def asked(model: Path) -> set[str]:
    """The models that a model reads."""
    named = set(re.findall(r"'(\w+)'", tree.text(model)))
    return named & {each.stem for each in MODELS} - {model.stem}
