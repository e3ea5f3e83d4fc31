"""Text at the boundary: what the exchange's users typed is an attacker's until it is cleaned.

PostgreSQL takes no NUL in text and `jsonb` takes no lone surrogate: one such nickname would make a
load package fail, and a failed package blocks every later one. So both become U+FFFD here, where
the bytes come in, and are counted.
"""

import re

from warehouse.masking import quoted

REPLACEMENT = b"\xef\xbf\xbd"
OBEYED = "[\\u0001-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u202a-\\u202e\\u2066-\\u2069]"
"""What a terminal obeys wherever it stands: controls but for tab and line feed, and what turns text
around. To Python's regular expressions and to PostgreSQL's. Joiners and marks of scripts are none.
"""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# One escape at a time, so that `\\u0000` (an escaped backslash and then plain text) is left alone.
_ESCAPE = re.compile(
    rb"\\(?:u(?P<pair>[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|u(?P<bad>0000|[dD][89a-fA-F][0-9a-fA-F]{2})"
    rb"|.)",
    re.DOTALL,
)
_CODE = re.compile(r"[A-Z0-9]{1,20}")


def clean(raw: bytes) -> tuple[bytes, int]:
    r"""The bytes of a JSON text as PostgreSQL can hold them, and how many characters that took.

    Replaced by U+FFFD: raw NUL, `\u0000`, lone surrogates (`\ud83d` without its other half), and
    whatever is no UTF-8. A byte order mark is dropped. A page without a backslash, as most are,
    costs some 20 microseconds for 70 KB, most of them for looking at its UTF-8.
    """
    cleaned = 0
    if raw.startswith(_BYTE_ORDER_MARK):
        raw, cleaned = raw[len(_BYTE_ORDER_MARK) :], 1
    if b"\0" in raw:
        cleaned += raw.count(b"\0")
        raw = raw.replace(b"\0", REPLACEMENT)
    try:
        raw.decode()
    except UnicodeDecodeError:
        text = raw.decode(errors="replace")
        cleaned += text.count("\ufffd") - raw.count(REPLACEMENT)
        raw = text.encode()
    if b"\\" in raw and (b"\\u0000" in raw or b"\\ud" in raw or b"\\uD" in raw):
        raw, replaced = _clean_escapes(raw)
        cleaned += replaced
    return raw, cleaned


def _clean_escapes(raw: bytes) -> tuple[bytes, int]:
    replaced = 0

    def clean(match: re.Match[bytes]) -> bytes:
        nonlocal replaced
        if match["bad"] is None:
            return match[0]
        replaced += 1
        return rb"\ufffd"

    return _ESCAPE.sub(clean, raw), replaced


def printable(value: object, limit: int = 120) -> str:
    """`value`, which somebody else wrote, as one line that a terminal or a log can be trusted with.

    Escape sequences, line ends and right-to-left marks are shown as escapes, not obeyed. What is
    secret of ours is not repeated.
    """
    text = quoted(str(value))
    cut = text if len(text) <= limit else text[:limit] + "…"
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in cut
    )


def is_code(value: object) -> bool:
    """Whether the exchange's name of a fiat or an asset may become part of keys and paths."""
    return isinstance(value, str) and _CODE.fullmatch(value) is not None
