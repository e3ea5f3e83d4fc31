"""An exchange that fails in every known way, in 1%, 10% and half of its answers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from chaos.faults import (
    FORBIDDEN,
    KINDS,
    PASSING,
    THROTTLED,
    Ordeal,
    audited,
    those_that_pass_together,
    undergo,
)
from warehouse.postgres import Warehouse

pytestmark = pytest.mark.timeout(900)  # all of it is the set-up of the first test

SNAPSHOTS = "every snapshot is whole"
READ = "what could be read was read"
CLAIMS = "the facts claim what was shown"

# What would be wrong, and the question whose answer has to tell.
WRONGS = {
    "an outage ends the versions of what it did not show": (
        """
        update marts.fact_offers as offers set valid_to = outages.started_at
        from marts.fact_snapshots as outages
        where
            not outages.is_complete
            and (outages.fiat_code, outages.asset_code, outages.side)
            = (offers.fiat_code, offers.asset_code, offers.side)
            and outages.started_at > offers.valid_from and offers.valid_to is null
        """,
        CLAIMS,
    ),
    "a version is lost": (
        "delete from marts.fact_offers where offer_version_key ="
        " (select min(offer_version_key) from marts.fact_offers)",
        CLAIMS,
    ),
    "a book that broke off is called whole": (
        "update staging.snapshots set is_complete = true, incomplete_reason = null"
        " where not is_complete",
        SNAPSHOTS,
    ),
    "a page is lost": (
        "delete from staging.pages where snapshot_id ="
        " (select min(snapshot_id) from staging.pages where page = 2)",
        SNAPSHOTS,
    ),
    "a book that could be read is left incomplete": (
        "update staging.snapshots set is_complete = false, incomplete_reason = 'http_503'"
        " where is_complete and run_id = 'run000'",
        READ,
    ),
    "another reason is given than the true one": (
        "update staging.snapshots set incomplete_reason = 'too_deep' where not is_complete",
        READ,
    ),
}


@dataclass(frozen=True)
class Undergone:
    warehouse: Warehouse
    ordeal: Ordeal


@pytest.fixture(scope="module")
def undergone(server: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Undergone:
    with server.connect(autocommit=True) as connection:
        connection.execute("create database under_faults")
    warehouse = replace(server, database="under_faults")
    folder: Path = tmp_path_factory.mktemp("faults")
    ordeal = undergo(warehouse, folder, those_that_pass_together(), seed=1, core_only=True)
    return Undergone(warehouse, ordeal)


def test_what_can_be_read_is_read_and_the_facts_claim_no_more_than_was_shown(
    undergone: Undergone,
) -> None:
    told = [*map(str, undergone.ordeal.trials), *map(str, undergone.ordeal.findings)]
    assert undergone.ordeal.is_held, "\n".join(told)


def test_every_kind_of_fault_was_met(undergone: Undergone) -> None:
    met = sum((trial.faults.committed for trial in undergone.ordeal.trials), start=Counter())
    # Which of those that forbid come first, and end the cycle, is a matter of its threads.
    assert {*THROTTLED, *PASSING} <= set(met) <= set(KINDS)
    assert set(met) & set(FORBIDDEN)
    hit = [trial for trial in undergone.ordeal.trials if trial.faults.committed]
    assert {round(sum(trial.faults.rates.values()), 2) for trial in hit} == {0.01, 0.1, 0.5}


@pytest.mark.parametrize("wrong", WRONGS)
def test_the_audit_sees_what_is_wrong(undergone: Undergone, wrong: str) -> None:
    statement, question = WRONGS[wrong]
    with undergone.warehouse.connect() as connection:
        assert connection.execute(statement.encode()).rowcount > 0
        findings = audited(connection, undergone.ordeal)
        connection.rollback()
    broken = [finding.question for finding in findings if not finding.is_so]
    assert any(one.startswith(question) for one in broken), broken
