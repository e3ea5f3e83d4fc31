"""A metric is a column of a mart by its own name, in the words that define it."""

import csv
import re
from functools import cache
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # PyYAML has no types of its own

from tests.house import tree

PROJECT = tree.ROOT / "dbt_project"
DOCUMENT = tree.ROOT / "docs" / "metrics.md"
FILES = [
    yaml.safe_load(tree.text(path))
    for path in sorted((PROJECT / "models").rglob("_semantic_models.yml"))
]
MODELS: list[dict[str, Any]] = [model for file in FILES for model in file["semantic_models"]]
MEASURES = {
    measure["name"]: (mart_of["model"], measure)
    for mart_of in MODELS
    for measure in mart_of.get("measures", [])
}
RATIOS = [metric for file in FILES for metric in file.get("metrics", [])]
SAVED = [query for file in FILES for query in file.get("saved_queries", [])]

each_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model["name"])


def mart(reference: str) -> str:
    """The mart that `ref('…')` names."""
    (name,) = re.findall(r"ref\('(\w+)'\)", reference)
    return str(name)


@cache
def columns(name: str) -> dict[str, str]:
    """The columns of a mart, as the file beside it describes them."""
    (path,) = (PROJECT / "models" / "marts").rglob(f"{name}.yml")
    said = yaml.safe_load(tree.text(path))["models"][0]["columns"]
    return {column["name"]: column["description"] for column in said}


@cache
def definitions() -> dict[tuple[str, str], str]:
    """What `metric_definitions` says of a column of a mart, as a sentence with its unit."""
    with (PROJECT / "seeds" / "metric_definitions.csv").open(encoding="utf-8") as file:
        return {
            (row["mart"], row["metric"]): f"{row['formula'][0].upper()}{row['formula'][1:]}; "
            f"{row['unit']}."
            for row in csv.DictReader(file)
        }


@each_model
def test_what_a_semantic_model_names_is_a_column_of_its_mart(model: dict[str, Any]) -> None:
    parts = [*model["entities"], *model["dimensions"], *model.get("measures", [])]
    said = (part.get("expr", part["name"]) for part in parts)
    named = {name for expression in said for name in re.findall(r"[a-z]\w*", expression)}
    assert named <= columns(mart(model["model"])).keys()


def test_a_column_says_in_the_words_of_its_definition_what_it_is() -> None:
    defined = {
        (name, metric): said
        for (name, metric), said in definitions().items()
        if metric in columns(name)
    }
    assert len(defined) > 190
    assert {key: columns(key[0])[key[1]] for key in defined} == defined


def test_a_number_about_walks_of_trades_says_that_nobody_gets_them() -> None:
    walks = {path.stem for path in (PROJECT / "models" / "marts" / "arbitrage").glob("*.sql")}
    walks.remove("market_alerts")
    said = {key: text for key, text in definitions().items() if key[0] in walks}
    assert len(said) > 40
    assert [key for key, text in said.items() if "indicative, not executable" not in text] == []
    nets = {key: text for key, text in said.items() if re.search("net|gross|capacity", key[1])}
    usual = "public field reports put the net edge near 0.09%"
    assert [key for key, text in nets.items() if usual not in text] == []


def test_a_metric_says_in_the_words_of_its_definition_what_it_is() -> None:
    assert len(MEASURES) > 30
    for name, (model, measure) in MEASURES.items():
        column = measure.get("expr", name)
        assert measure["description"] == definitions()[mart(model), column], name
        assert measure["create_metric"]
    for metric in RATIOS:
        model, _ = MEASURES[metric["type_params"]["numerator"]]
        assert metric["description"] == definitions()[mart(model), metric["name"]]


def test_a_saved_query_asks_for_metrics_and_dimensions_that_there_are() -> None:
    assert len(SAVED) > 2
    asked = {metric for query in SAVED for metric in query["query_params"]["metrics"]}
    assert asked <= MEASURES.keys() | {metric["name"] for metric in RATIOS}
    parts = [part for query in SAVED for parts in query["query_params"].values() for part in parts]
    named = {name for part in parts for name in re.findall(r"Dimension\('(\w+)'", part)}
    assert named <= dimensions() | {"metric_time"}
    entities = {name for part in parts for name in re.findall(r"Entity\('(\w+)'", part)}
    assert entities <= {entity["name"] for model in MODELS for entity in model["entities"]}


def dimensions() -> set[str]:
    """Each dimension, by the name with which a query asks for it."""
    return {
        f"{entity}__{dimension['name']}"
        for model in MODELS
        for entity in [model.get("primary_entity") or model["entities"][0]["name"]]
        for dimension in model["dimensions"]
    }


def test_the_document_asks_for_metrics_and_dimensions_that_there_are() -> None:
    told = tree.text(DOCUMENT)
    asked = {name for names in re.findall(r"--metrics ([\w,]+)", told) for name in names.split(",")}
    assert asked
    assert asked <= MEASURES.keys() | {metric["name"] for metric in RATIOS}
    named = set(re.findall(r"\b(?!metric_time)[a-z]\w*?__\w+", told))
    assert named
    assert named <= dimensions()
