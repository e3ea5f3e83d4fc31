"""`make chaos` in short: a few blows of each kind upon the full pipeline, and the same audit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from chaos import audit
from chaos.audit import Finding
from chaos.blows import DISK, KILL, WHOLE_SERVER, Blow
from chaos.campaign import Siege, besiege
from chaos.facts import Rounds
from chaos.places import EXTRACT, LOAD, MARKER
from chaos.prefect import prefect_server
from chaos.truth import Truth
from chaos.victim import Forge
from warehouse.postgres import Warehouse

# All of it is the set-up of the first test: a minute of two quiet cores, more beside other tests.
pytestmark = pytest.mark.timeout(900)

BLOWS = [
    [
        Blow(KILL, "between the commit and dlt's marker"),
        Blow(DISK),
        Blow(KILL, "inside fact_offers", skip=4, delay_seconds=0.005),
    ],
    [
        Blow(WHOLE_SERVER, "before the pages are committed"),
        Blow(KILL, "in extract", loses_folder=True, clock_back=timedelta(minutes=21)),
    ],
]

FACTS = "the facts are what the market's states imply"
OVERLAPS = "no version is doubled or overlaps"
CHANGES = "every numbered change of the market is accounted for"

# What would be wrong, and the question whose answer has to tell.
WRONGS = {
    "a version is lost": (
        "delete from marts.fact_offers where offer_version_key ="
        " (select min(offer_version_key) from marts.fact_offers where valid_to is not null)",
        FACTS,
    ),
    "a change is lost": (
        "delete from marts.fact_offers where valid_from > (select min(valid_from) + interval '15"
        " minutes' from marts.fact_offers)",
        CHANGES,
    ),
    "a version goes on when the next one has begun": (
        "update marts.fact_offers set valid_to = null where valid_to is not null",
        OVERLAPS,
    ),
    "an offer has another price": (
        "update marts.fact_offers set price = price + 1 where offer_version_key ="
        " (select min(offer_version_key) from marts.fact_offers)",
        FACTS,
    ),
    "a page is lost": (
        "delete from staging.pages where snapshot_id ="
        " (select min(snapshot_id) from staging.pages where page = 2)",
        "every snapshot is whole",
    ),
    "a load is taken in by all models but one": (
        "delete from ops.transformed_loads where (model, load_id) ="
        " (select model, load_id from ops.transformed_loads limit 1)",
        "every finished load is taken in once",
    ),
    "a run is left running": (
        "update ops.runs set state = 'running' where run_id = (select min(run_id) from ops.runs)",
        "no run is left running",
    ),
    "statistics of an advertiser are lost": (
        "delete from marts.fact_advertiser_statistics where advertiser_statistics_key ="
        " (select min(advertiser_statistics_key) from marts.fact_advertiser_statistics)",
        "advertisers' statistics are what the landed pages imply",
    ),
}


@pytest.fixture(scope="module")
def seen() -> dict[str, list[Finding]]:
    """By what would be wrong, what the audit found of it."""
    return {}


@pytest.fixture(scope="module")
def siege(
    tmp_path_factory: pytest.TempPathFactory, seen: dict[str, list[Finding]]
) -> Iterator[Siege]:
    def spoil(warehouse: Warehouse, truth: Truth, rounds: Rounds) -> None:
        with warehouse.connect() as connection:
            for wrong, (statement, _) in WRONGS.items():
                assert connection.execute(statement.encode()).rowcount > 0, wrong
                seen[wrong] = audit.of_warehouse(connection, truth, rounds, None)
                connection.rollback()

    folder: Path = tmp_path_factory.mktemp("siege")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONWARNINGS", "ignore:resource_tracker")
        with prefect_server(folder / "prefect"), Forge() as forge:
            yield besiege(
                folder,
                forge,
                BLOWS,
                seed=2,
                tell=lambda _: None,
                wanted=(EXTRACT, LOAD, MARKER, "inside fact_offers"),
                thorough=False,
                look=spoil,
            )


def test_killed_cut_off_and_robbed_it_loses_nothing_and_needs_no_hand(siege: Siege) -> None:
    said = [
        *(f"{run.blow}: {run.status} {run.said[-500:]}" for run in siege.struck),
        *map(str, siege.findings),
    ]
    assert siege.is_held, "\n".join(said)
    assert siege.missed == []
    assert siege.kills().total() == sum(blow.is_kill for some in BLOWS for blow in some)
    assert set(siege.others()) == {DISK, "dlt's folder is lost", "the clock is set back"}


@pytest.mark.parametrize("wrong", WRONGS)
def test_the_audit_sees_what_is_wrong(
    siege: Siege, seen: dict[str, list[Finding]], wrong: str
) -> None:
    _, question = WRONGS[wrong]
    broken = [finding.question for finding in seen[wrong] if not finding.is_so]
    assert any(one.startswith(question) for one in broken), broken
