"""What mistakes are made in a model: each in its source, and none in its Jinja."""

from __future__ import annotations

import random

import pytest
import yaml  # type: ignore[import-untyped]

from mutate.hunt import explained
from mutate.mutations import mutations, shuffled
from warehouse.settings import PROJECT_ROOT

MODELS = PROJECT_ROOT / "dbt_project" / "models"


def mutants(source: str, **types: str) -> set[str]:
    return {mutation.apply(source) for mutation in mutations(source, types)}


@pytest.mark.parametrize(
    ("source", "mutant"),
    [
        ("select 1 from t where a < b", "select 1 from t where a <= b"),
        ("select 1 from t where a >= b", "select 1 from t where a > b"),
        ("select 1 from t where a = b", "select 1 from t where a != b"),
        ("select a + b", "select a - b"),
        ("select a * b", "select a / b"),
        ("select t.a * f(b)", "select  f(b)"),
        ("select (a + 1) * f(b) over w", "select (a + 1) "),
        ("select a / b::numeric from t", "select a  from t"),
        ("select -a", "select a"),
        ("select min(a)", "select max(a)"),
        ("select abs(a)", "select (a)"),
        ("select round(a, 4)", "select round(a, 5)"),
        ("select 0.25", "select 1.25"),
        ("select 'BUY'", "select ''"),
        ("select interval '1 hour'", "select interval '2 hour'"),
        ("select a and b", "select a or b"),
        ("select 1 from t where a and b", "select 1 from t where a and true"),
        ("select 1 from t where a or b", "select 1 from t where false or b"),
        ("select 1 from t where a", "select 1 from t where true"),
        ("select 1 from t join u on t.a = u.a", "select 1 from t join u on true"),
        ("select count(*) filter (where a)", "select count(*) filter (where true)"),
        ("select case when a then b end", "select case when true then b end"),
        ("select coalesce(a, f(b, c))", "select coalesce( f(b, c))"),
        ("select coalesce(a, f(b, c))", "select coalesce(a)"),
        ("select not a", "select  a"),
        ("select a is null", "select a is not null"),
        ("select count(distinct a)", "select count( a)"),
        ("select a from t order by a desc", "select a from t order by a asc"),
    ],
)
def test_a_mistake_of_each_kind_is_made(source: str, mutant: str) -> None:
    assert mutant in mutants(source)


def test_a_column_is_taken_for_the_next_one_of_its_type_in_the_same_table() -> None:
    source = "select t.a, u.b, t.c, t.d from t"
    assert mutants(source, a="text", b="text", c="numeric", d="text") == {
        "select t.d, u.b, t.c, t.d from t",
        "select t.a, u.b, t.c, t.a from t",
    }


def test_the_two_ends_of_a_between_are_no_conditions() -> None:
    assert mutants("select a from t where a between b and c and d") == {
        "select a from t where a between b and c or d",
        "select a from t where true and d",
        "select a from t where a between b and c and true",
    }


def test_jinja_is_left_alone_and_loops_are_mistaken_in_all_their_rounds() -> None:
    source = """
        {{ config(hooks=['{{ keep("a < 1") }}']) }}
        {#- a > 1 -#}
        select
            {% for name in ['a', 'b'] if 1 < 2 %}
                {{ least(name, 1) }} / t.{{ name }} as {{ name }},
            {% endfor %}
            c
        from {{ ref('t') }}
    """
    changed = {mutant.replace(source, "") for mutant in mutants(source)}
    assert changed == {
        source.replace("/ t.{{", "* t.{{"),
        source.replace(" / t.{{ name }} as", "  as"),
    }


def test_no_edit_runs_over_a_statement_of_jinja() -> None:
    source = "select 1 from t where a {% if incremental %} + b {% endif %} > 0"
    assert source.replace("> 0", ">= 0") in mutants(source)
    assert all("{% if incremental %}" in mutant for mutant in mutants(source))


def test_a_few_mutants_are_of_all_kinds_and_the_same_for_one_seed() -> None:
    source = "select a < 1, a < 2, a < 3, a < 4, b + c, min(d)"
    every = mutations(source, {})
    kinds = {mutation.kind for mutation in every}
    few = shuffled(every, random.Random(1))[: len(kinds)]
    assert {mutation.kind for mutation in few} == kinds
    assert few == shuffled(every, random.Random(1))[: len(kinds)]
    assert sorted(map(repr, shuffled(every, random.Random(2)))) == sorted(map(repr, every))


def test_a_mutant_is_shown_as_the_lines_that_it_touches() -> None:
    source = "select a\nfrom t\nwhere\n    b\n    and c\n"
    (dropped,) = [m for m in mutations(source, {}) if m.apply(source).endswith("and true\n")]
    assert (dropped.line(source), dropped.lines(source)) == (5, ("and c", "and true"))


def test_what_is_explained_is_still_a_mutant() -> None:
    paths = list(MODELS.rglob("[!_]*.yml"))
    said = [yaml.safe_load(path.read_text())["models"][0] for path in paths]
    types = {
        column["name"]: column["data_type"]
        for model in said
        for column in model["columns"]
        if "data_type" in column
    }
    macros = "".join(path.read_text() for path in (PROJECT_ROOT / "dbt_project").rglob("*.sql"))
    for one in explained():
        (source,) = [path.read_text() for path in MODELS.rglob(f"{one.name}.sql")] or [macros]
        made = {mutation.lines(source) for mutation in mutations(source, types)}
        assert (one.before, one.after) in made, one
        assert one.reason
