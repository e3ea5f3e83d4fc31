"""HTML that cannot be broken out of: whatever is not `Markup` is escaped where it is put in."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable
from typing import TypeAlias

LONGEST = 60
"""Characters of a stranger's text that are shown: a name of 10,000 is no name."""

VOID = {"meta", "link", "br", "hr", "input"}
_NAME = re.compile(r"[a-z][a-z0-9-]*")
# What would turn round the text that follows, or hide in it.
_TURNING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class Markup(str):
    """Text that is HTML already, since this module made it."""


Content: TypeAlias = "str | Iterable[Content] | None"
Value: TypeAlias = "str | int | float | bool | None"


def text(content: Content) -> Markup:
    """`content` as HTML: what is not markup is escaped, what is nothing is left out."""
    if content is None:
        return Markup("")
    if isinstance(content, Markup):
        return content
    if isinstance(content, str):
        return Markup(html.escape(_visible(content)))
    return Markup("".join(text(part) for part in content))


def element(name: str, /, *content: Content, **attributes: Value) -> Markup:
    """One element; `class_` is `class`, `data_tip` is `data-tip`, None and False leave one out."""
    opening = "".join(
        f' {_attribute(key)}="{html.escape(_visible(_written(value)))}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in VOID:
        return Markup(f"<{name}{opening}>")
    return Markup(f"<{name}{opening}>{text(content)}</{name}>")


def prose(sentence: str) -> Markup:
    """A sentence of ours, with what stands between backticks as code."""
    return text(
        element("code", part) if number % 2 else part
        for number, part in enumerate(sentence.split("`"))
    )


def stranger(name: str | None) -> Markup:
    """Text of the exchange: cut where it is too long, and free to turn round nothing but itself."""
    shown = name or ""
    if len(shown) > LONGEST:
        shown = shown[: LONGEST - 1] + "…"
    return element("bdi", shown or "(no name)")


def verbatim(code: str) -> Markup:
    """The content of a `style` or `script` of our own, where nothing may be escaped.

    Raises:
        ValueError: it would end the element, or hide where it ends.
    """
    if re.search("</(?:script|style)|<!--", code, re.IGNORECASE):
        raise ValueError("a style or script must not hold '</script', '</style' or '<!--'")
    return Markup(code)


def _attribute(key: str) -> str:
    name = key.rstrip("_").replace("_", "-")
    if not _NAME.fullmatch(name):
        raise ValueError(f"no name of an attribute: {name!r}")
    return name


def _written(value: Value) -> str:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return "" if value is True else str(value)


def _visible(shown: str) -> str:
    """Controls, lone surrogates and the like as U+FFFD: a page has no use for them."""
    shown = _TURNING.sub("\N{REPLACEMENT CHARACTER}", shown)
    return "".join(
        "\N{REPLACEMENT CHARACTER}"
        if unicodedata.category(character) in ("Cc", "Cs", "Co", "Cn") and character != "\n"
        else character
        for character in shown
    )
