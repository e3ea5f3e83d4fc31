"""Who is said to read the marts reads those and no others."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from tests.house import tree

MODELS = tree.ROOT / "dbt_project" / "models"
SEEDS = tree.ROOT / "dbt_project" / "seeds"
GROUPS = yaml.safe_load((MODELS / "_groups.yml").read_text())["groups"]
EXPOSURES = yaml.safe_load((MODELS / "marts" / "_exposures.yml").read_text())["exposures"]
MARTS = {path.stem for path in [*(MODELS / "marts").rglob("*.sql"), *SEEDS.glob("*.csv")]}

each_exposure = pytest.mark.parametrize("exposure", EXPOSURES, ids=lambda one: one["name"])


def said(exposure: dict[str, Any]) -> set[str]:
    """The tables that an exposure names."""
    named = [re.fullmatch(r"ref\(.(\w+).\)", one) for one in exposure["depends_on"]]
    return {match[1] for match in named if match}


def asked(place: Path) -> set[str]:
    """The tables that the queries of a file, or of a folder's Python, name."""
    files = [place] if place.is_file() else sorted(place.rglob("*.py"))
    words = {word for file in files for word in re.findall(r"\w+", tree.text(file))}
    return words & MARTS


@each_exposure
def test_an_exposure_names_the_marts_that_its_queries_read(exposure: dict[str, Any]) -> None:
    place = tree.ROOT / exposure["config"]["meta"]["reads_from"]
    if not place.exists():
        pytest.skip(f"{place.name} is not in this tree")
    assert said(exposure) == asked(place)


@each_exposure
def test_an_exposure_belongs_to_who_answers_for_a_group(exposure: dict[str, Any]) -> None:
    owners = [group["owner"] for group in GROUPS]
    assert exposure["owner"] in owners
    assert all(owner["email"].endswith("@example.com") for owner in owners)
