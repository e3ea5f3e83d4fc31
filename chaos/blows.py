"""What befalls a run, and a seeded order of a hundred such blows that leaves no place out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random

from chaos.places import FLOW_PLACES, LOADER_PLACES, SEEDS, TESTS, dbt_places

KILL = "the run is killed"
POSTMASTER = "PostgreSQL: its first process is killed"
WHOLE_SERVER = "PostgreSQL: all its processes are killed at once"
BACKEND = "PostgreSQL: the process of one connection is killed"
CONNECTIONS = "connections to PostgreSQL are cut"
HTTP = "connections to the exchange are cut"
DISK = "the disk of dlt's folder is full"

OF_POSTGRES = (POSTMASTER, WHOLE_SERVER, BACKEND)
KILLS = (KILL, *OF_POSTGRES)
ANYWHERE = "at a random moment"

# Where the warehouse, or the way to it, is taken from a run that goes on.
_IN_LOADER = (
    "between the rows of extract",
    "before the pages are committed",
    "between the commit and dlt's marker",
    "before the load is finished",
)
_LATER = (
    "before a check",
    "inside dim_advertisers",
    "inside fact_offers",
    "inside fact_snapshots",
    "inside market_quotes",
    TESTS,
)
_SET_BACK = (timedelta(minutes=2), timedelta(minutes=21), timedelta(hours=3))
_LONGEST_RUN = 12.0  # seconds, on a quiet machine
_MOST_STATEMENTS = 14  # that dbt sends for a node, counted before and after
MOST_FREE = 200_000  # bytes of a disk that is full


@dataclass(frozen=True)
class Blow:
    """What happens, where in a run, and what goes wrong beside it."""

    what: str
    place: str = ANYWHERE
    skip: int = 0
    """How often the place is passed before."""
    delay_seconds: float = 0.0
    """After the place is passed, or at a random moment after the start."""
    free_bytes: int = 0
    """Left on a full disk."""
    loses_folder: bool = False
    """Once the run is dead, dlt's folder is gone."""
    clock_back: timedelta = timedelta()

    @property
    def is_kill(self) -> bool:
        """Whether a process dies by SIGKILL."""
        return self.what in KILLS

    @property
    def is_in_loader(self) -> bool:
        """Whether it needs pages that are still to land."""
        return self.what in (DISK, HTTP) or self.place in LOADER_PLACES


def rounds(kills: int, seed: int) -> list[list[Blow]]:
    """The blows of each round, in order: every place is hit by a kill, with enough of them.

    A round is one state of the market. What strikes the loader comes first in it, while there is
    something new to land: two such blows a round, so that states are many.
    """
    chance = Random(seed)  # noqa: S311 - no secret
    loader, later = _chosen(kills, chance)
    number = max(2, (len(loader) + 1) // 2)
    made: list[list[Blow]] = [[] for _ in range(number)]
    for each, blow in enumerate(loader):
        made[each % number].append(blow)
    for each, blow in enumerate(later):
        made[each % number].append(blow)
    return made


def _chosen(kills: int, chance: Random) -> tuple[list[Blow], list[Blow]]:
    """So many kills and the other disturbances: those of the loader, and the others, shuffled."""
    of_postgres, anywhere = max(1, kills // 8), kills // 10
    spare = kills - places_to_hit()
    if spare >= 0:  # no place is left out for the sake of chance
        of_postgres = min(of_postgres, spare)
        anywhere = min(anywhere, spare - of_postgres)
    every = [_anywhere(chance) for _ in range(anywhere)]
    for number in range(of_postgres):
        where = _IN_LOADER if number % 2 else _LATER
        what = OF_POSTGRES[number % len(OF_POSTGRES)]
        every.append(replace(_kill(chance.choice(where), chance), what=what))
    places = _in_order(chance)
    every += [_kill(next(places), chance) for _ in range(kills - len(every))]
    for blow in _some(every, max(1, kills // 12), chance):
        every[every.index(blow)] = replace(blow, loses_folder=True)
    for blow in _some(every, max(1, kills // 12), chance):
        every[every.index(blow)] = replace(blow, clock_back=chance.choice(_SET_BACK))
    for _ in range(max(1, kills // 16)):
        every.append(Blow(DISK, free_bytes=chance.randrange(MOST_FREE)))
        every.append(Blow(HTTP, "while books are read", chance.randrange(12)))
        place = chance.choice((*_IN_LOADER, *_LATER))
        every.append(replace(_kill(place, chance), what=CONNECTIONS))
    chance.shuffle(every)
    return (
        [blow for blow in every if blow.is_in_loader],
        [blow for blow in every if not blow.is_in_loader],
    )


def places_to_hit() -> int:
    """How many kills it takes that no place is left out."""
    dbt = [place for place in dbt_places().values() if place.group != SEEDS]
    return len(LOADER_PLACES) + len(dbt) + len(FLOW_PLACES) + 1


def _in_order(chance: Random) -> Iterator[str]:
    """Places without end: each of the loader's and of dbt's once, then the flow's, then chance."""
    dbt = dbt_places()
    obligatory = [*LOADER_PLACES, *(place for place, it in dbt.items() if it.group != SEEDS)]
    chance.shuffle(obligatory)
    yield from obligatory
    yield chance.choice([place for place, it in dbt.items() if it.group == SEEDS])
    yield from FLOW_PLACES
    while True:
        yield chance.choice(list(LOADER_PLACES) if chance.random() < 0.4 else obligatory)


def _kill(place: str, chance: Random) -> Blow:
    if place in LOADER_PLACES:
        return Blow(KILL, place, chance.randrange(2))
    if place in FLOW_PLACES:
        return Blow(KILL, place, chance.randrange(2) if "check" in place else 0)
    delay = chance.choice((0.0, chance.uniform(0.001, 0.02)))
    return Blow(KILL, place, chance.randrange(_MOST_STATEMENTS), delay)


def _anywhere(chance: Random) -> Blow:
    return Blow(KILL, ANYWHERE, delay_seconds=chance.uniform(0.2, _LONGEST_RUN))


def _some(blows: Sequence[Blow], number: int, chance: Random) -> list[Blow]:
    """So many different kills of a run, which may get something beside."""
    fit = list(dict.fromkeys(blow for blow in blows if blow.what == KILL))
    return chance.sample(fit, min(number, len(fit)))
