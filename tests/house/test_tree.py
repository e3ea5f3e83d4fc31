"""What may stand in the tree, and what may not."""

import re
import tomllib
from pathlib import Path

from pydantic import AliasChoices

from tests.house import tree
from warehouse.settings import Settings

LOCK = tree.ROOT / "requirements.lock"
EVERYTHING_BUT_THE_LOCK = [path for path in tree.files() if path != LOCK]
ROOMS_MAX_LINES = 400
README_MAX_LINES = 150


def test_no_file_of_code_is_longer_than_a_room_should_be() -> None:
    lengths = {path: tree.text(path).count("\n") for path in tree.of(".py", ".sql")}
    assert {path: lines for path, lines in lengths.items() if lines > ROOMS_MAX_LINES} == {}


def test_no_line_of_sql_is_wider_than_100_columns_in_macros_either() -> None:
    assert tree.places(r"^.{101,}", tree.of(".sql")) == []


def test_no_line_of_sql_holds_a_tab_or_ends_in_a_space() -> None:
    assert tree.places(r"\t| $", tree.of(".sql")) == []


def test_every_generic_test_opens_with_why() -> None:
    generic = tree.ROOT / "dbt_project" / "tests" / "generic"
    assert [path for path in generic.glob("*.sql") if "Why: " not in tree.text(path)[:20]] == []


def test_the_readme_can_be_read_in_one_go() -> None:
    readme = tree.ROOT / "README.md"
    if readme.exists():
        assert len(tree.text(readme).splitlines()) < README_MAX_LINES


def test_no_file_names_a_folder_of_somebodys_machine() -> None:
    # CI's cache and a shell's `~` are nobody's; a home or a mount of ours is.
    assert tree.places(r"(?<![\w.~}])/(?:work|root|Users|home)/\w", EVERYTHING_BUT_THE_LOCK) == []


def test_no_file_names_a_package_index() -> None:
    indexes = (
        r"pypi[.]org|pythonhosted[.]|artifactor[y]|(?:index|find)-(?:url|links)[ =]|/simpl[e]/"
    )
    assert tree.places(indexes, list(tree.files())) == []


def test_no_file_holds_anything_like_a_secret() -> None:
    keys = (
        r"-----BEGIN [A-Z ]*PRIVATE KEY"
        r"|\b(?:AKIA|gh[opsu]_|github_pat_|glpat-|xox[abp]-)[\w-]{16}"
        r"|\b(?=\w*[A-Z])(?=\w*[a-z])(?=\w*[0-9])[A-Za-z0-9]{64}\b"  # the exchange's keys
        r"|^(?:BINANCE_API_KEY|DATABASE_URL)=."
    )
    assert tree.places(keys, EVERYTHING_BUT_THE_LOCK) == []


def test_nobody_left_an_account_of_their_work_in_the_tree() -> None:
    accounts = re.compile(r"(?i)(summary|report|changelog|notes|todo|status|progress|plan)")
    documents = tree.of(".md", ".txt", ".rst")
    assert [path for path in documents if accounts.search(path.stem)] == []


def test_nothing_is_left_to_be_done_later_in_the_code() -> None:
    assert tree.places(r"\b(?:TOD[O]|FIXM[E])\b", tree.of(".py", ".sql")) == []


def test_every_setting_is_explained_in_the_example_of_an_env_file() -> None:
    variables = set()
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias or f"{Settings.model_config['env_prefix']}{name.upper()}"
        assert not isinstance(alias, AliasChoices)
        variables.add(str(alias))
    explained = re.findall(r"(?m)^# ([A-Z0-9_]+)=", tree.text(tree.ROOT / ".env.example"))
    assert set(explained) == variables


def test_every_folder_of_python_is_type_checked() -> None:
    checked = tomllib.loads(tree.text(tree.ROOT / "pyproject.toml"))["tool"]["mypy"]["files"]
    unchecked = [
        path
        for path in tree.of(".py")
        if not any(path.is_relative_to(tree.ROOT / c) for c in checked)
    ]
    assert unchecked == []


def test_every_folder_of_tests_is_a_package_so_that_two_may_share_a_name() -> None:
    folders = {path.parent for path in tree.of(".py") if path.is_relative_to(tree.ROOT / "tests")}
    assert [folder for folder in folders if not Path(folder, "__init__.py").exists()] == []
