"""Whatever the exchange writes is text on a page, and never a part of it."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from report.markup import Markup, element, prose, stranger, text, verbatim
from tests.hostile import TEXTS


class Reader(HTMLParser):
    """Notes every element and attribute that a browser would see."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.seen: list[str] = []
        self.said = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.seen += [name for name, _ in attrs]

    def handle_data(self, data: str) -> None:
        self.said += data


def read(markup: str) -> Reader:
    reader = Reader()
    reader.feed(markup)
    reader.close()
    return reader


@given(st.one_of(st.sampled_from(TEXTS), st.text()))
def test_a_strangers_text_adds_no_element_and_no_attribute(said: str) -> None:
    shown = element("td", said, stranger(said), [said, [said]], class_="name", data_tip=said)
    assert read(shown).seen == ["td", "class", "data-tip", "bdi"]
    shown.encode()


@pytest.mark.parametrize("said", TEXTS)
def test_what_is_shown_holds_nothing_that_hides_or_turns_round(said: str) -> None:
    shown = read(stranger(said)).said
    assert len(shown) <= 60
    assert not set(shown) & set("\0\x1b\x9b\u202e\u202a\u2066\u200f\u061c\r")


def test_a_name_that_is_html_reads_as_it_was_written() -> None:
    name = '<img src=x onerror="alert(1)">&amp;'
    assert read(text(name)).said == name
    assert "<img" not in stranger(name)


def test_only_markup_passes_unescaped_and_a_script_of_ours_cannot_end_itself() -> None:
    assert element("p", Markup("<b>x</b>"), "<i>") == "<p><b>x</b>&lt;i&gt;</p>"
    assert prose("say `p2p <run>`") == "say <code>p2p &lt;run&gt;</code>"
    with pytest.raises(ValueError, match="must not hold"):
        verbatim("let a = '</SCRIPT>'")
    with pytest.raises(ValueError, match="no name of an attribute"):
        element("p", **{"onload=x ": "1"})
