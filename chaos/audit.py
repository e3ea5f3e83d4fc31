"""Whether anything was lost, doubled or made up: questions, with answers and figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg

from chaos import facts
from chaos.facts import Rounds, Told
from chaos.scene import Outcome
from chaos.truth import Truth, account
from ops import record

_SHOWN = 3  # examples of what is wrong

_OVERLAPS: LiteralString = """
    select count(*)
    from (
        select
            valid_from, valid_to,
            lead(valid_from) over (
                partition by fiat_code, asset_code, side, adv_no order by valid_from
            ) as next_from
        from marts.fact_offers
    ) as versions
    where
        valid_to <= valid_from
        or next_from <= valid_from
        or (next_from is not null and (valid_to is null or valid_to > next_from))
"""
_CLAIMS: LiteralString = """
    select models.model, loads.load_id, count(taken.load_id)
    from (select distinct model from ops.transformed_loads) as models
    cross join (
        select distinct load_id from staging._dlt_loads where status = 0
        union
        select load_id from ops.transformed_loads
    ) as loads
    left join ops.transformed_loads as taken
        on taken.model = models.model and taken.load_id = loads.load_id
    group by models.model, loads.load_id
    having count(taken.load_id) != 1
        or loads.load_id not in (select load_id from staging._dlt_loads where status = 0)
"""


@dataclass(frozen=True)
class Finding:
    """One question and what was found."""

    question: str
    is_so: bool
    figures: str

    def __str__(self) -> str:
        """One line."""
        return f"{'holds ' if self.is_so else 'BROKEN'}  {self.question}: {self.figures}"


def of_warehouse(
    connection: psycopg.Connection[Any], truth: Truth, rounds: Rounds, undisturbed: Told | None
) -> list[Finding]:
    """All that can be asked of what stands in it."""
    return [
        *of_history(connection, truth, rounds, undisturbed),
        *of_snapshots(connection, truth, rounds),
        *of_ledger(connection),
        *of_advertisers(connection),
    ]


def of_history(
    connection: psycopg.Connection[Any], truth: Truth, rounds: Rounds, undisturbed: Told | None
) -> list[Finding]:
    """What `fact_offers` says, against the market, its log, and a run that nobody disturbed."""
    told = facts.told(connection, rounds)
    wanted = truth.versions()
    missing, surplus = wanted - told.versions, told.versions - wanted
    accounted = account(truth, told.versions)
    row = connection.execute(_OVERLAPS).fetchone()
    overlaps = row[0] if row else -1
    found = [
        Finding(
            "the facts are what the market's states imply, in plain Python",
            not missing and not surplus and not told.unexplained,
            f"{told.versions.total():,} versions, {missing.total()} missing,"
            f" {surplus.total()} too many, {told.unexplained} at no reading"
            + examples([*missing, *surplus]),
        ),
        Finding(
            "no version is doubled or overlaps another of its offer",
            not overlaps and all(number == 1 for number in told.versions.values()),
            f"{overlaps} overlaps",
        ),
        Finding(
            "every numbered change of the market is accounted for",
            not accounted.lost and not accounted.invented,
            f"{accounted.told:,} begin or end a version, {accounted.undone:,} were undone before"
            f" the next look, {accounted.of_advertisers:,} concern advertisers;"
            f" {len(accounted.lost)} lost, {len(accounted.invented)} made up"
            + examples([*accounted.lost, *accounted.invented]),
        ),
    ]
    if undisturbed is not None:
        apart = (told.in_full - undisturbed.in_full) + (undisturbed.in_full - told.in_full)
        found.append(
            Finding(
                "the facts equal those of an undisturbed run on the same market, in every column",
                not apart,
                f"{undisturbed.in_full.total():,} versions there, {apart.total()} differ"
                + examples(list(apart)),
            )
        )
    return found


def of_snapshots(
    connection: psycopg.Connection[Any], truth: Truth, rounds: Rounds
) -> list[Finding]:
    """Whether each is whole or says that it is not, against the market as it was."""
    wrong: list[str] = []
    readings = facts.snapshots(connection)
    for reading in readings:
        stood = {
            adv_no: terms.price
            for adv_no, terms in truth.states[rounds[reading.run_id]][reading.book].items()
        }
        if reading.is_complete:
            is_right = (
                reading.reason is None
                and reading.pages == reading.pages_there
                and reading.prices == stood
            )
        else:
            is_right = bool(reading.reason) and reading.prices.items() <= stood.items()
        if not is_right:
            wrong.append(reading.snapshot_id)
    incomplete = Counter(reading.reason for reading in readings if not reading.is_complete)
    twice = len(readings) - len({reading.snapshot_id for reading in readings})
    return [
        Finding(
            "every snapshot is whole, offer by offer, or says that it is not",
            not wrong and not twice,
            f"{len(readings):,} snapshots, {incomplete.total()} of them incomplete"
            f" ({_counted(incomplete)}), {len(wrong)} wrong, {twice} told in two ways"
            + examples(wrong),
        )
    ]


def of_ledger(connection: psycopg.Connection[Any]) -> list[Finding]:
    """Loads taken in once by each model, runs that have an end, and what the loads hold twice."""
    wrong = connection.execute(_CLAIMS).fetchall()
    loads = connection.execute(
        "select count(distinct load_id) from staging._dlt_loads where status = 0"
    ).fetchone()
    (pages, different) = connection.execute(
        "select count(*), count(distinct (snapshot_id, page)) from staging.pages"
    ).fetchone() or (0, 0)
    states = dict(connection.execute("select state, count(*) from ops.runs group by state"))
    wordless = connection.execute(
        "select count(*) from ops.runs where error = %s", [record.ZOMBIE]
    ).fetchone()
    return [
        Finding(
            "every finished load is taken in once by every model, and no other",
            not wrong,
            f"{loads[0] if loads else 0} loads; of {pages:,} rows of pages {pages - different}"
            " landed again or in loads that never finished" + examples(wrong),
        ),
        Finding(
            "no run is left running",
            "running" not in states,
            f"{_counted(states)}; {wordless[0] if wordless else 0} of them ended without a word",
        ),
    ]


def of_advertisers(connection: psycopg.Connection[Any]) -> list[Finding]:
    """Their statistics, against a plain model over what landed."""
    told, wanted = facts.statistics_told(connection), facts.statistics_landed(connection)
    missing, surplus = wanted - told, told - wanted
    return [
        Finding(
            "advertisers' statistics are what the landed pages imply, in plain Python",
            not missing and not surplus,
            f"{told.total():,} versions, {missing.total()} missing, {surplus.total()} too many"
            + examples([*missing, *surplus]),
        )
    ]


def of_rebuild(
    before: Mapping[str, Sequence[str]], after: Mapping[str, Sequence[str]]
) -> list[Finding]:
    """Whether a full refresh says of every mart what the disturbed builds said."""
    apart = sorted(table for table in {*before, *after} if before.get(table) != after.get(table))
    rows = sum(len(table) for table in before.values())
    return [
        Finding(
            "a full rebuild gives the same marts, row by row",
            not apart,
            f"{len(before)} tables, {rows:,} rows" + examples(apart),
        )
    ]


def of_runs(struck: Sequence[Outcome], healing: Sequence[Outcome]) -> list[Finding]:
    """Whether the next run always did it by itself, and whoever failed said why in one line."""
    failed = [run for run in healing if run.status]
    survivors = [run for run in struck if run.status >= 0]
    wordy = [run for run in survivors if not _is_well_said(run)]
    return [
        Finding(
            "no run needed a hand: whatever had happened, the next one succeeded",
            not failed,
            f"{len(healing)} runs after blows, {len(failed)} failed"
            + examples([run.said[-300:] for run in failed]),
        ),
        Finding(
            "a run that was struck and lived went on, or ended in one line",
            not wordy,
            f"{len(survivors)} lived, {sum(not run.status for run in survivors)} of them"
            f" to success, {len(wordy)} said it badly" + examples([run.said for run in wordy]),
        ),
    ]


def of_places(struck: Iterable[Outcome], wanted: Iterable[str]) -> list[Finding]:
    """Whether every place was hit by a kill."""
    hit = {run.place for run in struck if run.is_hit and run.blow and run.blow.is_kill}
    missed = sorted(set(wanted) - hit)
    return [
        Finding(
            "every place was hit by a kill",
            not missed,
            f"{len(hit)} places hit" + (f", not: {', '.join(missed)}" if missed else ""),
        )
    ]


def _is_well_said(run: Outcome) -> bool:
    """One line to its user where it failed, none where it did not, and no traceback."""
    lines = [line for line in run.said.splitlines() if line.startswith("p2p: ")]
    wanted = 1 if run.status else 0
    return len(lines) == wanted and "Traceback" not in run.said


def _counted(numbers: Mapping[Any, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(numbers.items())) or "none"


def examples(wrong: Sequence[Any]) -> str:
    """The first of what is wrong, to stand behind its number."""
    return f"; for example {'; '.join(map(str, wrong[:_SHOWN]))}" if wrong else ""
