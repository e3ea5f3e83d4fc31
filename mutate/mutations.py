"""Small mistakes that somebody could make in a model: each is one edit of its source."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, zip_longest

from sqlglot import TokenType

from mutate.source import Source

_COMPARISONS = {
    TokenType.LT: "<=",
    TokenType.LTE: "<",
    TokenType.GT: ">=",
    TokenType.GTE: ">",
    TokenType.EQ: "!=",
    TokenType.NEQ: "=",
}
_ARITHMETIC = {
    TokenType.PLUS: "-",
    TokenType.DASH: "+",
    TokenType.STAR: "/",
    TokenType.SLASH: "*",
}
_WORDS = {"and": "or", "or": "and", "asc": "desc", "desc": "asc", "true": "false", "false": "true"}
_FUNCTIONS = {
    "min": "max",
    "max": "min",
    "least": "greatest",
    "greatest": "least",
    "lag": "lead",
    "lead": "lag",
    "abs": "",
}


@dataclass(frozen=True)
class Mutation:
    """One edit: what stands from `start` to `end` of a source becomes `text`."""

    kind: str
    start: int
    end: int
    text: str

    def apply(self, source: str) -> str:
        """The mutant."""
        return source[: self.start] + self.text + source[self.end :]

    def line(self, source: str) -> int:
        """The line on which the edit begins, counted from 1."""
        return source.count("\n", 0, self.start) + 1

    def lines(self, source: str) -> tuple[str, str]:
        """The lines that it touches, before and after, each pair of them as one line."""
        first = source.rfind("\n", 0, self.start) + 1
        last = (source + "\n").find("\n", self.end)
        after = source[first : self.start] + self.text + source[self.end : last]
        return " ".join(source[first:last].split()), " ".join(after.split())


def mutations(text: str, types: Mapping[str, str]) -> list[Mutation]:
    """Every mutation of a model; `types` says of what type the columns of that name are."""
    source = Source.of(text)
    makers: list[Callable[[Source], Iterator[Mutation]]] = [
        _compared,
        _calculated,
        _functions,
        _constants,
        _words,
        _negated,
        _conditions,
        _branches,
        lambda source: _columns(source, types),
    ]
    made = {
        (mutation.start, mutation.end, mutation.text): mutation
        for mutation in chain.from_iterable(make(source) for make in makers)
        if not any(
            mutation.start < statement.stop and statement.start < mutation.end
            for statement in source.statements
        )
    }
    return list(made.values())


def shuffled(every: list[Mutation], chance: random.Random) -> list[Mutation]:
    """Mutations in an order of chance in which the kinds take turns, so that a few are of all."""
    kinds: dict[str, list[Mutation]] = defaultdict(list)
    for mutation in chance.sample(every, len(every)):
        kinds[mutation.kind].append(mutation)
    turns = chain.from_iterable(zip_longest(*kinds.values()))
    return [mutation for mutation in turns if mutation is not None]


def _edit(source: Source, kind: str, first: int, last: int, text: str) -> Mutation:
    """An edit of whole tokens, from the first to the last."""
    return Mutation(kind, source.tokens[first].start, source.tokens[last].end + 1, text)


def _compared(source: Source) -> Iterator[Mutation]:
    for index, token in enumerate(source.tokens):
        if token.token_type in _COMPARISONS:
            yield _edit(source, "comparison", index, index, _COMPARISONS[token.token_type])


def _calculated(source: Source) -> Iterator[Mutation]:
    """Another operator, a term or factor less, and a sign less."""
    for index, token in enumerate(source.tokens):
        if token.token_type not in _ARITHMETIC:
            continue
        if not source.is_binary(index):
            if token.token_type is TokenType.DASH:
                yield _edit(source, "sign", index, index, "")
            continue
        yield _edit(source, "arithmetic", index, index, _ARITHMETIC[token.token_type])
        end = source.operand_end(index + 1)
        if end is not None:
            yield _edit(source, "dropped operand", index, end, "")
        start = source.operand_start(index - 1)
        if token.token_type is TokenType.STAR and start is not None:
            yield _edit(source, "dropped operand", start, index, "")


def _functions(source: Source) -> Iterator[Mutation]:
    for index in range(len(source.tokens)):
        if source.is_function(index) and source.word(index) in _FUNCTIONS:
            yield _edit(source, "function", index, index, _FUNCTIONS[source.word(index)])


def _constants(source: Source) -> Iterator[Mutation]:
    for index, token in enumerate(source.tokens):
        if token.token_type is TokenType.NUMBER:
            whole, point, rest = token.text.partition(".")
            yield _edit(source, "constant", index, index, f"{int(whole or 0) + 1}{point}{rest}")
        elif token.token_type is TokenType.STRING:
            more = re.sub(r"^\d+", lambda number: str(int(number[0]) + 1), token.text)
            text = more if source.word(index - 1) == "interval" else ""
            if text != token.text:
                yield _edit(source, "constant", index, index, f"'{text}'")


def _words(source: Source) -> Iterator[Mutation]:
    for index, token in enumerate(source.tokens):
        word = source.word(index)
        if token.token_type is TokenType.STRING or word not in _WORDS:
            continue
        if not (word == "and" and source.is_of_between(index)):
            yield _edit(source, "word", index, index, _WORDS[word])


def _negated(source: Source) -> Iterator[Mutation]:
    """A `not` less, or one more in `is null`; and a `distinct` less."""
    for index, token in enumerate(source.tokens):
        is_of_condition = source.word(index + 1) not in ("materialized", "exists")
        if token.token_type is TokenType.NOT and is_of_condition:
            yield _edit(source, "negation", index, index, "")
        if source.word(index) == "is" and source.word(index + 1) == "null":
            yield _edit(source, "negation", index, index, "is not")
        if token.token_type is TokenType.DISTINCT and source.word(index + 1) not in ("on", "from"):
            yield _edit(source, "dropped distinct", index, index, "")


def _conditions(source: Source) -> Iterator[Mutation]:
    for first, last, part_of in source.conditions():
        holds = "false" if part_of == "or" else "true"
        if source.word(first) not in ("true", "false"):
            yield _edit(source, "dropped condition", first, last, holds)


def _branches(source: Source) -> Iterator[Mutation]:
    """A `coalesce` without one of its arguments."""
    for index in range(len(source.tokens)):
        if not (source.word(index) == "coalesce" and source.is_function(index)):
            continue
        arguments = source.arguments(index + 1)
        for nth, (first, last) in enumerate(arguments):
            if nth:
                yield _edit(source, "dropped branch", first - 1, last, "")
            elif len(arguments) > 1:
                yield _edit(source, "dropped branch", first, last + 1, "")


def _columns(source: Source, types: Mapping[str, str]) -> Iterator[Mutation]:
    """A column for another of its type that is read near by: the next one, and of the same table.

    What a column is renamed from is none: there the name is all that changes.
    """
    places = [
        index
        for index in range(len(source.tokens))
        if source.is_name(index)
        and source.word(index) in types
        and source.word(index - 1) not in ("as", "over", "from", "join")
        and source.type_at(index + 1) not in (TokenType.DOT, TokenType.L_PAREN)
    ]
    for number, index in enumerate(places):
        table = source.word(index - 2) if source.word(index - 1) == "." else ""
        for other in chain(places[number + 1 :], reversed(places[:number])):
            others = source.word(other - 2) if source.word(other - 1) == "." else ""
            name, column = source.word(index), source.word(other)
            if name != column and table == others and types[name] == types[column]:
                yield _edit(source, "other column", index, index, column)
                break
