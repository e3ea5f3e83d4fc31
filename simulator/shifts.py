"""What an exchange changes for everybody, at a time: its payloads, and which fiats it lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from simulator.shapes import GENERATIONS
from simulator.universe import FIATS


@dataclass(frozen=True)
class Shift:
    """A change of the whole exchange. What is left out stays as it is.

    Attributes:
        generation: whose keys and number formats the payloads have from now on.
        as_numbers: keys of `adv` that are JSON numbers from now on, and were text.
        new_keys: keys that stand in every `adv` from now on, with their value.
        delists: fiats that vanish from the list; their offers go, and come back when they do.
        lists: fiats that are listed (again).
        refuses: whether a search in a delisted fiat is an illegal parameter; else it is empty.
    """

    generation: int | None = None
    as_numbers: tuple[str, ...] = ()
    new_keys: Mapping[str, Any] = field(default_factory=dict)
    delists: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    refuses: bool = True

    def __post_init__(self) -> None:
        """Refuses what no exchange of this kind could change to.

        Raises:
            ValueError: one line.
        """
        if self.generation is not None and self.generation not in GENERATIONS:
            raise ValueError(f"generation is one of {', '.join(map(str, GENERATIONS))}")
        unknown = sorted({*self.delists, *self.lists} - set(FIATS))
        if unknown:
            raise ValueError(f"the simulated exchange knows no fiat {', '.join(unknown)}")

    @classmethod
    def parse(cls, told: Mapping[str, Any]) -> Shift:
        """A shift from JSON, with the names of the attributes.

        Raises:
            ValueError: one line that says what cannot be read.
        """
        unknown = sorted(set(told) - {each.name for each in fields(cls)})
        if unknown:
            raise ValueError(f"a shift has no {', '.join(unknown)}")
        lists = {key: tuple(told[key]) for key in ("as_numbers", "delists", "lists") if key in told}
        return cls(**{**told, **lists})
