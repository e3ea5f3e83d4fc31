"""What the documents tell a reader to do can be done."""

from __future__ import annotations

import re
import shlex
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
import typer

from cli.main import app
from cli.query import SEARCH_PATH, ask
from load.exchange.calls import TRIES
from load.pipeline import IN_FLIGHT
from tests.docs.picture import draw
from tests.docs.plain_cookbook import PLAIN
from tests.docs.plain_history import WHOLE
from warehouse.postgres import Warehouse
from warehouse.settings import PROJECT_ROOT, Settings

README = PROJECT_ROOT / "README.md"
OVERVIEW = PROJECT_ROOT / "dbt_project" / "docs" / "overview.md"
COOKBOOK = PROJECT_ROOT / "docs" / "cookbook.md"
DECISIONS = sorted((PROJECT_ROOT / "docs" / "adr").glob("[0-9]*.md"))
DOCUMENTS = [README, OVERVIEW, *sorted((PROJECT_ROOT / "docs").rglob("*.md"))]
TEXT = {document: document.read_text(encoding="utf-8") for document in DOCUMENTS}
EVERYTHING = "\n".join(TEXT.values())
RECIPES = {
    int(number): query
    for number, query in re.findall(
        r"(?ms)^### (\d+)\. [^\n]+\?$(?:(?!^###).)*?^```sql\n(.*?)^```", TEXT[COOKBOOK]
    )
}
"""The queries of the cookbook, by the number of their question."""

COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
TARGETS = set(re.findall(r"(?m)^([a-z-]+):", (PROJECT_ROOT / "Makefile").read_text()))


def lines_of_code(kind: str) -> list[str]:
    """The lines of every block of `kind`, without what a comment says."""
    blocks = re.findall(rf"(?ms)^```{kind}\n(.*?)^```", EVERYTHING)
    return [shlex.join(shlex.split(line, comments=True)) for b in blocks for line in b.splitlines()]


def typed() -> list[str]:
    """Every command line that a document shows, in a block or inside a sentence."""
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"(?ms)^```.*?^```", "", EVERYTHING))
    return [*lines_of_code("sh"), *inline]


def queries() -> list[str]:
    """Every query, in a block of its own or given to `p2p sql`."""
    blocks = re.findall(r"(?ms)^```sql\n(.*?)^```", EVERYTHING)
    blocks = [block for block in blocks if block not in RECIPES.values()]
    given = [re.search(r"\bp2p sql ['\"](select .*?[^…])['\"]", line) for line in typed()]
    return [*blocks, *(match[1] for match in given if match)]


def calls(program: str) -> list[list[str]]:
    """The words after `program` wherever it is called."""
    found = [re.search(rf"(?:^|[ /]){program}(?: (.*))?$", line.strip()) for line in typed()]
    return [shlex.split((match[1] or "").split(" | ")[0]) for match in found if match]


@pytest.mark.parametrize("query", queries())
def test_a_query_that_a_document_shows_runs(built: psycopg.Connection[Any], query: str) -> None:
    built.execute(f"set search_path = {SEARCH_PATH}".encode())
    described = built.execute(query.encode()).description
    assert described


@pytest.mark.parametrize("number", RECIPES)
def test_a_question_of_the_cookbook_is_answered(built_warehouse: Warehouse, number: int) -> None:
    answer = ask(built_warehouse, RECIPES[number])
    assert answer.rows
    told = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
    for row in PLAIN.get(number, list)():
        # `<=` of items: the plain answer names only some of the columns.
        assert [one for one in told if row.items() <= one.items()], (row, told)


@pytest.mark.parametrize("number", WHOLE)
def test_all_rows_of_an_answer_are_those_of_plain_python_and_in_order(
    built_warehouse: Warehouse, number: int
) -> None:
    answer, plain = ask(built_warehouse, RECIPES[number]), WHOLE[number]()
    told = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
    assert len(told) == len(plain)
    for row, expected in zip(told, plain, strict=True):
        for column, value in expected.items():
            if isinstance(value, Decimal):  # a quotient of theirs ends where one of ours goes on
                assert row[column] == pytest.approx(value, abs=Decimal("1e-9")), (column, row)
            else:
                assert row[column] == value, (column, expected, row)


def test_the_days_that_metrics_are_joined_to_are_all_from_the_first_reading_to_the_newest(
    built_warehouse: Warehouse,
) -> None:
    days = ask(built_warehouse, "select to_char(day, 'MM-DD') from dim_days order by day").rows
    assert days == [("11-01",), ("11-02",), ("11-03",)]


def test_the_cookbook_answers_twenty_four_questions() -> None:
    assert list(RECIPES) == list(range(1, 25))
    assert set(PLAIN) | set(WHOLE) == set(RECIPES)


@pytest.mark.parametrize("words", calls("p2p"), ids=" ".join)
def test_a_command_that_a_document_shows_exists_with_its_options(words: list[str]) -> None:
    if not words:
        return
    command, *rest = words
    assert command in COMMANDS
    known = {option for parameter in COMMANDS[command].params for option in parameter.opts}
    assert {word for word in rest if word.startswith("-")} <= known


def test_documents_show_each_command() -> None:
    assert {words[0] for words in calls("p2p") if words} == set(COMMANDS)


@pytest.mark.parametrize("words", calls("make"), ids=" ".join)
def test_a_target_that_a_document_names_exists(words: list[str]) -> None:
    assert set(words[:1]) <= TARGETS


def test_every_setting_stands_in_the_readme_with_its_default() -> None:
    row = r"(?m)^\| ((?:`[A-Z_0-9]+`(?:, )?)+) \| (.*?) \|"
    told = {
        name: default
        for names, default in re.findall(row, TEXT[README])
        for name in re.findall(r"`(\w+)`", names)
    }
    fields = {
        str(field.validation_alias or f"P2P_{name.upper()}"): field.default
        for name, field in Settings.model_fields.items()
    }
    assert set(told) == set(fields)
    for name in ("P2P_REQUESTS_PER_SECOND", "EXTRACTION_INTERVAL", "P2P_LOG_FORMAT"):
        assert told[name].strip("`") == f"{fields[name]}", name
    assert PROJECT_ROOT / told["P2P_HOME"].strip("`") == fields["P2P_HOME"]


def test_the_readme_says_how_polite_the_default_is() -> None:
    said = re.search(
        r"at most (\d+) requests a second and (\d+) in flight.*?up to (\d+) times",
        TEXT[README],
        re.DOTALL,
    )
    assert said
    default = Settings.model_fields["requests_per_second"].default
    assert said.groups() == (f"{default}", f"{IN_FLIGHT}", f"{TRIES}")


def test_the_readme_names_the_pythons_that_the_project_takes() -> None:
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11,<3.14"
    assert "Python 3.11 to 3.13" in TEXT[README]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_link_leads_to_a_file_that_is_there(document: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", TEXT[document])
    assert [target for target in targets if not (document.parent / target).exists()] == []


def test_the_folders_that_the_readme_names_are_there() -> None:
    named = re.findall(r"(?m)^\| `([\w/]+/)` \|", TEXT[README])
    assert len(named) > 5
    assert [folder for folder in named if not (PROJECT_ROOT / folder).is_dir()] == []


def test_every_test_that_a_promise_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", EVERYTHING))
    source = "\n".join(path.read_text() for path in (PROJECT_ROOT / "tests").rglob("test_*.py"))
    assert named
    assert named - set(re.findall(r"(?m)^def (test_\w+)", source)) == set()


def test_decisions_are_numbered_listed_and_of_one_form() -> None:
    index = TEXT[PROJECT_ROOT / "docs" / "adr" / "README.md"]
    assert [path.name[:4] for path in DECISIONS] == [
        f"{number:04}" for number in range(1, len(DECISIONS) + 1)
    ]
    assert re.findall(r"\]\((.+?)\)", index) == [path.name for path in DECISIONS]
    for path in DECISIONS:
        assert TEXT[path].startswith(f"# {int(path.name[:4])}. ")
        head = r"\n\n- Status: \w+\n- Date: \d{4}-\d\d-\d\d(, amended \d{4}-\d\d-\d\d)?\n\n## "
        assert re.search(head, TEXT[path]), path.name
        sections = re.findall(r"(?m)^## (.+)$", TEXT[path])
        assert sections == ["Context", "Decision", "Consequences"], path.name


def test_the_picture_of_the_demo_loads_nothing_from_anywhere() -> None:
    shown = (PROJECT_ROOT / "docs" / "images" / "demo.svg").read_text(encoding="utf-8")
    for picture in (shown, draw("rebuilt", title="make demo")):
        assert set(re.findall(r"\w+://[^\"' )]+", picture)) == {"http://www.w3.org/2000/svg"}
