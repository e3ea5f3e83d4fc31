"""A model's source as tokens of SQL: its Jinja is masked, so each token is where it was.

Mutations are made in the source and not in what dbt compiles of it, because that is what a reader
knows: one line of a diff, whatever a loop or a flag makes of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import Token, TokenType
from sqlglot.dialects.postgres import Postgres

# A string of Jinja can hold more of it: a hook of a model's configuration does.
_INSIDE = r"""(?:'[^']*'|"[^"]*"|[^'"])*?"""
_JINJA = re.compile(
    rf"\{{#.*?#\}}|\{{%{_INSIDE}%\}}|(?P<expression>\{{\{{{_INSIDE}\}}\}})", re.DOTALL
)

_OPENING = {TokenType.L_PAREN, TokenType.CASE}
_CLOSING = {TokenType.R_PAREN, TokenType.END}
_WORD = re.compile(r"[a-z_]\w*", re.IGNORECASE)
# What ends an operand or a condition although it is spelled like a name.
_RESERVED = set(
    "and as asc between by case cross current desc distinct else end false filter following for"
    " from full group having ilike in inner interval is join lateral left like limit not null on"
    " or order outer over partition preceding range rows select then true unbounded union using"
    " when where window with within".split()
)


@dataclass(frozen=True)
class Source:
    """The text of a model, its tokens, and for each token how deep in parentheses it is."""

    text: str
    tokens: list[Token]
    depths: list[int]
    statements: list[range]

    @classmethod
    def of(cls, text: str) -> Source:
        """The source of a model, with an expression of Jinja as one name."""
        masked = _JINJA.sub(
            lambda found: ("j" if found["expression"] else " ") * len(found[0]), text
        )
        tokens = Postgres().tokenize(masked)
        depth, depths = 0, []
        for token in tokens:
            depth -= token.token_type in _CLOSING
            depths.append(depth)
            depth += token.token_type in _OPENING
        statements = [
            range(*found.span()) for found in _JINJA.finditer(text) if not found["expression"]
        ]
        return cls(text, tokens, depths, statements)

    def type_at(self, index: int) -> TokenType | None:
        """The type of a token, or none beyond the first and the last."""
        return self.tokens[index].token_type if 0 <= index < len(self.tokens) else None

    def word(self, index: int) -> str:
        """A token as it is spelled, in lower case; nothing beyond the first and the last."""
        return self.tokens[index].text.lower() if 0 <= index < len(self.tokens) else ""

    def is_name(self, index: int) -> bool:
        """Whether a token is the name of a column, a table or a function."""
        return (
            self.type_at(index) not in (None, TokenType.STRING)
            and _WORD.fullmatch(self.word(index)) is not None
            and self.word(index) not in _RESERVED
        )

    def is_function(self, index: int) -> bool:
        """Whether a function is called by this name."""
        return self.is_name(index) and self.type_at(index + 1) is TokenType.L_PAREN

    def is_binary(self, index: int) -> bool:
        """Whether something to calculate with is to the left of an operator."""
        before = self.type_at(index - 1)
        return before in (
            TokenType.R_PAREN,
            TokenType.END,
            TokenType.NUMBER,
            TokenType.STRING,
        ) or self.is_name(index - 1)

    def close(self, index: int) -> int:
        """The index of the parenthesis or `end` that closes this one."""
        depth = self.depths[index]
        return next(i for i in range(index + 1, len(self.tokens)) if self.depths[i] == depth)

    def operand_end(self, index: int) -> int | None:
        """The last token of the operand that begins here, with its casts, filter and window."""
        if self.type_at(index) in (TokenType.NUMBER, TokenType.STRING):
            end = index
        elif self.type_at(index) in _OPENING:
            end = self.close(index)
        elif self.is_name(index):
            end = index
            while self.type_at(end + 1) is TokenType.DOT and self.is_name(end + 2):
                end += 2
            if self.type_at(end + 1) is TokenType.L_PAREN:
                end = self.close(end + 1)
        else:
            return None
        while True:
            if self.type_at(end + 1) is TokenType.DCOLON:
                end += 2
            elif self.word(end + 1) in ("filter", "over"):
                is_group = self.type_at(end + 2) is TokenType.L_PAREN
                end = self.close(end + 2) if is_group else end + 2
            else:
                return end

    def operand_start(self, index: int) -> int | None:
        """The first token of the operand that ends here."""
        first = None
        for start in range(index, -1, -1):
            if self.depths[start] < self.depths[index]:
                break
            if self.type_at(start - 1) is not TokenType.DOT and self.operand_end(start) == index:
                first = start
        return first

    def arguments(self, opening: int) -> list[tuple[int, int]]:
        """First and last token of each argument within parentheses."""
        closing, depth = self.close(opening), self.depths[opening] + 1
        commas = [
            i
            for i in range(opening + 1, closing)
            if self.type_at(i) is TokenType.COMMA and self.depths[i] == depth
        ]
        ends = [opening, *commas, closing]
        return [(a + 1, b - 1) for a, b in zip(ends, ends[1:], strict=False) if b > a + 1]

    def conditions(self) -> Iterator[tuple[int, int, str]]:
        """Each condition that stands alone or in a chain: its tokens, and what it is part of.

        That is `and`, `or`, or the keyword that it follows: `where`, `when`, `on`, `having`.
        """
        ends = set(
            "and or where when then else on having as select from join inner left cross limit union"
            " window using".split()
        ) | {"group by", "order by", "partition by", ",", ""}
        for index in range(len(self.tokens)):
            before = self.word(index - 1)
            is_first = before in ends or self.type_at(index - 1) in _OPENING
            is_keyword = self.word(index) in ends or self.type_at(index) in _CLOSING
            if not is_first or is_keyword or (before == "and" and self.is_of_between(index - 1)):
                continue
            end = index
            while True:
                if self.type_at(end) in _OPENING:
                    end = self.close(end)
                following = self.word(end + 1)
                is_inner = following == "and" and self.is_of_between(end + 1)
                if self.type_at(end + 1) in _CLOSING or (following in ends and not is_inner):
                    break
                end += 1
            chain = next((w for w in (following, before) if w in ("and", "or")), before)
            if chain in ("and", "or", "where", "when", "on", "having"):
                yield index, end, chain

    def is_of_between(self, index: int) -> bool:
        """Whether an `and` parts the two ends of a `between`."""
        for before in range(index - 1, -1, -1):
            if self.depths[before] < self.depths[index]:
                return False
            if self.depths[before] == self.depths[index]:
                if self.word(before) == "between":
                    return True
                if self.word(before) in ("and", "or", "where", "when", "on", "having"):
                    return False
        return False
