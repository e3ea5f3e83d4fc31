"""What becomes of hostile text before anything else sees it."""

import orjson
import pytest

from load.text import clean, is_code, printable


@pytest.mark.parametrize(
    ("raw", "cleaned", "count"),
    [
        (rb'"a\u0000b"', rb'"a\ufffdb"', 1),
        (rb'"a\\u0000b"', rb'"a\\u0000b"', 0),
        (rb'"a\\\u0000b"', rb'"a\\\ufffdb"', 1),
        (rb'"a\\\\u0000b"', rb'"a\\\\u0000b"', 0),
        (rb'"\ud83d"', rb'"\ufffd"', 1),
        (rb'"\uDE00\ud83d"', rb'"\ufffd\ufffd"', 2),
        (rb'"\ud83d\ude00"', rb'"\ud83d\ude00"', 0),
        (rb'"\ud83d\ud83d\ude00"', rb'"\ufffd\ud83d\ude00"', 1),
        (rb'"\\ud83d"', rb'"\\ud83d"', 0),
        (rb'"\ud83d\\ude00"', rb'"\ufffd\\ude00"', 1),
        (b'"a\0b"', '"a\ufffdb"'.encode(), 1),
        (b'"a\xffb\xc3"', '"a\ufffdb\ufffd"'.encode(), 2),
        (b'\xef\xbb\xbf"a"', b'"a"', 1),
        ('"\ufffd is not ours"'.encode(), '"\ufffd is not ours"'.encode(), 0),
    ],
)
def test_what_postgresql_cannot_hold_becomes_a_replacement_and_is_counted(
    raw: bytes, cleaned: bytes, count: int
) -> None:
    assert clean(raw) == (cleaned, count)
    assert "\0" not in orjson.loads(cleaned)


def test_a_clean_page_is_handed_on_as_the_very_same_bytes() -> None:
    page = orjson.dumps({"nickName": "ñandú 😀 متداول"})
    assert clean(page)[0] is page


@pytest.mark.parametrize("hostile", ["\x1b[2J", "a\nb", "\u202egnp", "\0", "\ud800"])
def test_nothing_that_a_terminal_would_obey_is_printed(hostile: str) -> None:
    assert printable(hostile).isprintable()


def test_a_long_text_is_cut_before_it_is_printed() -> None:
    assert len(printable("x" * 10_000)) < 200


@pytest.mark.parametrize("code", ["", "ves", "VE S", "../X", "V" * 21, None, 7, "VES\n", "ВЕС"])
def test_a_code_that_could_not_be_a_key_is_none(code: object) -> None:
    assert not is_code(code)


@pytest.mark.parametrize("code", ["VES", "1INCH", "USDT"])
def test_a_code_of_capitals_and_digits_is_one(code: str) -> None:
    assert is_code(code)
