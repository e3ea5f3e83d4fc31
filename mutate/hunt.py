"""Which mutants of a model or a macro its tests kill, and which survive without a reason."""

from __future__ import annotations

import csv
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mutate.mutations import mutations, shuffled
from mutate.oracles import Oracles
from mutate.units import Units, Verdict

EQUIVALENT = Path(__file__).with_name("equivalent.csv")
Score = Counter[str]
"""How many mutants there were of each outcome; `explained` ones were not tried."""


@dataclass(frozen=True)
class Explained:
    """A mutant that no test can kill, and why: as a diff of the lines that it touches.

    `name` is of the model or the macro.
    """

    name: str
    before: str
    after: str
    reason: str


def explained() -> list[Explained]:
    """Every survivor that is explained."""
    with EQUIVALENT.open(newline="", encoding="utf-8") as file:
        return [Explained(**row) for row in csv.DictReader(file)]


def share_killed(score: Score) -> float:
    """How many of those that could be killed were; all, where there were none."""
    judged = score["killed"] + score["survived"]
    return score["killed"] / judged if judged else 1.0


def hunt(
    name: str,
    wanted: int,
    chance: random.Random,
    units: Units,
    oracles: Oracles | None,
    say: Callable[[str], None],
) -> Score:
    """Judge so many mutants of a model or a macro, chosen by chance, and say which survived."""
    source, rendered = units.sources()[name], units.rendered(name)
    if oracles:
        oracles.check(units.models(name))
    known = {(one.name, one.before, one.after) for one in explained()}
    score: Score = Counter()
    for mutation in shuffled(mutations(source, units.types()), chance):
        if score["killed"] + score["survived"] >= wanted:
            break
        before, after = mutation.lines(source)
        if (name, before, after) in known:
            score["explained"] += 1
            continue
        verdict = _judge(name, mutation.apply(source), rendered, units, oracles)
        score[verdict.outcome] += 1
        if verdict.outcome == "survived":
            say(f"survived: {name}, line {mutation.line(source)}, {mutation.kind}")
            say(f"  - {before}\n  + {after}")
    say(f"{name}: {shown(score)}")
    return score


def _judge(
    name: str, mutant: str, rendered: dict[str, str], units: Units, oracles: Oracles | None
) -> Verdict:
    if rendered:
        verdict = units.judge(name, mutant, rendered)
    else:
        verdict = Verdict("unseen" if units.is_sql(name, mutant) else "not SQL")
    if oracles and verdict.outcome in ("survived", "unseen"):
        source = units.sources()[name]
        return oracles.judge(units.models(name), units.path(name), source, mutant)
    return verdict


def shown(score: Score) -> str:
    """A score in words."""
    return (
        f"{score['killed']} of {score['killed'] + score['survived']} killed"
        f" ({share_killed(score):.0%}); beside them {score['explained']} explained,"
        f" {score['unseen']} that no unit test renders, {score['not SQL']} that are no SQL"
    )
