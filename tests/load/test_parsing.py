"""What an answer says, to the last digit, and what of it PostgreSQL opens."""

import math
import random
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from load.book.offers import offer_number
from load.exchange.envelope import Unreadable, parse
from tests.hostile import RAW, dumped, texts, values
from warehouse.postgres import Warehouse

BIG = 2**64


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("18446744073709551615", BIG - 1),
        ("18446744073709551616", "18446744073709551616"),
        ("-9223372036854775808", -(2**63)),
        ("-9223372036854775809", "-9223372036854775809"),
        ("1.5e300", 1.5e300),
        ("0.1234567890123456789012345", 0.12345678901234568),
        ("-0.0000000000000000000000000", 0.0),
        ('"a: 99999999999999999999999 e400"', "a: 99999999999999999999999 e400"),
    ],
)
def test_a_number_is_what_its_digits_say(text: str, said: object) -> None:
    document, landed, _ = parse(b'{"a":' + text.encode() + b"}")
    assert document == {"a": said}
    assert landed == b'{"a":' + text.encode() + b"}"


def test_two_ad_numbers_that_only_differ_behind_what_a_double_holds_are_two() -> None:
    data = b'[{"adv":{"advNo":%d}},{"adv":{"advNo":%d}}]' % (BIG + 1, BIG + 2)
    numbers = [offer_number(item) for item in parse(data)[0]]
    assert numbers == [str(BIG + 1), str(BIG + 2)]


BEFORE = ['{"a":', '{"a" : ', '{"a":[', '{"a":[7, ', '{"a":[\t\r\n', "["]
"""Where a number can stand: behind each sign, with and without space."""


def closed(before: str, digits: str) -> bytes:
    return f"{before}{digits}{before.count('[') * ']'}{before.count('{') * '}'}".encode()


@pytest.mark.parametrize("digits", ["3" * 20, "-" + "2" * 20])
@pytest.mark.parametrize("before", BEFORE)
def test_a_number_that_would_be_rounded_is_found_wherever_it_stands(
    before: str, digits: str
) -> None:
    said = parse(closed(before, digits))[0]
    while not isinstance(said, float | str):
        said = said["a"] if isinstance(said, dict) else said[-1]
    assert said == digits


@pytest.mark.parametrize("digits", ["1e-400", "-1.5E-400", "0." + "3" * 1_000])
@pytest.mark.parametrize("before", BEFORE)
def test_a_number_that_nobody_holds_is_found_wherever_it_stands(before: str, digits: str) -> None:
    with pytest.raises(Unreadable, match="number_out_of_range"):
        parse(closed(before, digits))


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("NaN", "not_json"),
        ("-Infinity", "not_json"),
        ("1e400", "number_out_of_range"),
        ("1e-400", "number_out_of_range"),
        ("1e-99999", "number_out_of_range"),
        ("1." + "0" * 20_000, "number_out_of_range"),
        ("1" * 400, "number_out_of_range"),
        ("[" * 1_100 + "]" * 1_100, "too_deep"),
        ("[1e100," + "[" * 1_000 + "]" * 1_000 + "]", "too_deep"),
    ],
)
def test_what_says_nothing_has_a_reason(raw: str, reason: str) -> None:
    with pytest.raises(Unreadable) as failure:
        parse(b'{"a": ' + raw.encode() + b"}")
    assert failure.value.reason == reason


@pytest.fixture(scope="module")
def connection(server: Warehouse) -> Any:
    with server.connect(autocommit=True) as opened:
        yield opened


documents = st.dictionaries(texts, st.one_of(values, st.lists(values, max_size=3)), max_size=4)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)
@given(document=documents, noise=st.integers(0, 3))
def test_what_is_understood_can_be_opened_by_postgresql_and_says_the_same(
    connection: Connection, document: dict[str, Any], noise: int
) -> None:
    raw = bytearray(dumped(document))
    for _ in range(noise - 1):
        raw[random.Random(len(raw)).randrange(len(raw))] = noise * 77 % 256
    try:
        said, landed, _ = parse(bytes(raw))
    except Unreadable:
        return
    if not isinstance(said, dict):
        return
    opened = connection.execute(
        "select key, value #>> '{}' from json_each(%s::text::json) where jsonb_typeof(value::jsonb)"
        " in ('string', 'number')",
        [landed.decode()],
    ).fetchall()
    last: dict[str, str] = dict(opened)
    for key, text in last.items():
        ours = said[key]
        if isinstance(ours, float):
            assert math.isclose(float(text), ours)
        else:
            assert text == str(ours)
    assert last.keys() == {
        key
        for key, ours in said.items()
        if isinstance(ours, str | int | float) and ours is not True and ours is not False
    }


def test_each_raw_value_is_refused_by_name_or_opened(connection: Connection) -> None:
    for raw in RAW:
        try:
            _, landed, _ = parse(b'{"a":' + raw.encode() + b"}")
        except Unreadable:
            continue
        assert orjson.loads(landed)
        assert connection.execute(
            "select jsonb_typeof(%s::text::jsonb)", [landed.decode()]
        ).fetchone()
