"""Secrets are hidden by value, in whatever spelling a library repeats them."""

import json
from urllib.parse import quote, quote_plus

import pytest

from warehouse.errors import UserError, hide
from warehouse.masking import learn, masked, quoted, without_login
from warehouse.settings import load_settings

SECRET = 'p@ss w/ord#%?é"x\\1'


@pytest.mark.parametrize(
    "spelled",
    [
        SECRET,
        quote(SECRET, safe=""),
        quote(SECRET, safe="").lower(),
        quote(SECRET, safe=" +/"),
        quote_plus(SECRET),
        json.dumps(SECRET)[1:-1],
        json.dumps(json.dumps(SECRET))[3:-3],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        SECRET.encode("unicode_escape").decode(),
    ],
)
def test_a_secret_is_hidden_in_each_spelling_wherever_it_stands(spelled: str) -> None:
    url = f"postgresql://anna:{quote(SECRET, safe='')}@host.example/anna"
    load_settings(_env_file=None, database_url=url)
    assert masked(f"before{spelled}after") == "before***after"
    said = str(UserError(f'unexpected spaces found in "{spelled}", twice: {spelled}.'))
    assert said == 'unexpected spaces found in "***", twice: ***.'


def test_a_password_that_is_a_word_is_hidden_where_others_are_quoted_and_garbles_nothing() -> None:
    learn(["ro", "database"])
    ours = "error: the database of role p2p is read only"
    assert str(UserError(ours)) == ours
    assert quoted('role "ro" from error') == 'role "***" from error'
    assert quoted("postgresql://anna:ro@host") == "postgresql://anna:***@host"
    assert quoted("anna%3Aro%40host") == "anna%3A***%40host"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HTTPS_PROXY", "http://anna:hid%20den-1@proxy.example:3128"),
        ("all_proxy", "http://anna:hid%20den-1@proxy.example:3128"),
        ("PREFECT_API_URL", "http://anna:hid%20den-1@prefect.example/api"),
        ("PREFECT_API_KEY", "hid den-1"),
        ("AWS_SECRET_ACCESS_KEY", "hid den-1"),
        ("REDIS_URL", "redis://:hid%20den-1@redis.example"),
        ("DATABASE_URL", "postgresql://anna@host.example/d?password=hid%20den-1"),
        ("DATABASE_URL", "postgresql://anna@host.example/d?sslpassword=hid%20den-1"),
    ],
)
def test_secrets_of_addresses_and_of_the_environment_are_known(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setattr("warehouse.masking._unlike_words", {})
    monkeypatch.setenv(variable, value)
    load_settings(_env_file=None)
    assert masked("it said: hid den-1, hid+den-1") == "it said: ***, ***"


def test_what_an_exception_says_is_hidden_and_what_is_behind_it() -> None:
    learn(["swordfish-1"])
    cause = ValueError("swordfish-1", 7)
    failure = RuntimeError("no swordfish-1")
    failure.__cause__ = cause
    hide(failure)
    assert (str(failure), cause.args) == ("no ***", ("***", 7))


def test_what_the_system_says_is_hidden_too() -> None:
    learn(["swordfish-1"])
    failure = OSError(2, "no swordfish-1", "/swordfish-1/a", None, "/swordfish-1/b")
    hide(failure)
    assert str(failure) == "[Errno 2] no ***: '/***/a' -> '/***/b'"


def test_what_is_said_to_a_user_keeps_its_words_and_what_is_behind_it_is_hidden() -> None:
    learn(["server"])
    cause = ValueError("password=server")
    failure = UserError("it has no database server")
    failure.__cause__ = cause
    hide(failure)
    assert str(failure) == "it has no database server"
    assert str(cause) == "password=***"


def test_an_address_is_shown_without_its_login() -> None:
    assert without_login("http://anna:a@b@host:1/api@1") == "http://host:1/api@1"
    assert without_login("http://host") == "http://host"
