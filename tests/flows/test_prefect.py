"""What somebody who lives in Prefect's pages sees of a cycle: its name, its log, its artifacts."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from expectations.verdict import CheckResult, Verdict
from flows.cycle import CheckFailed
from simulator.market import Market
from tests.flows.conftest import PATIENCE, START, House, moment
from warehouse.log import ROOMS

Ask = Callable[..., Any]


@pytest.fixture
def ask(house: House, prefect_server: str, caplog: pytest.LogCaptureFixture) -> Ask:
    """Ask Prefect's server for what it has of a kind."""
    for room in ROOMS:
        caplog.set_level("INFO", logger=room)  # as a command sets it

    def asked(kind: str, **wanted: Any) -> Any:
        said = requests.post(f"{prefect_server}/{kind}/filter", json=wanted, timeout=PATIENCE)
        return said.json()

    house.empty()
    house.exchange.source = Market(seed=7, fiats=["VES"], assets=["USDT"], start=START, offers=30)
    return asked


def run_of(house: House, ask: Ask) -> dict[str, Any]:
    """The flow run that the last cycle was."""
    ((number,),) = house.rows("select flow_run_id from ops.runs order by started_at desc limit 1")
    (found,) = ask("flow_runs", flow_runs={"id": {"any_": [number]}})
    return dict(found)


def log_of(run: dict[str, Any], ask: Ask, last: str) -> list[str]:
    """The lines that Prefect shows with a run, once the one with `last` has arrived."""
    wanted = {"flow_run_id": {"any_": [run["id"]]}}
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        lines = [line["message"] for line in ask("logs", logs=wanted, sort="TIMESTAMP_ASC")]
        if any(last in line for line in lines):
            return lines
        time.sleep(0.2)  # Prefect sends them in batches
    raise TimeoutError(last, lines)


def artifact_of(run: dict[str, Any], ask: Ask, key: str) -> Any:
    """What a run left under this key."""
    wanted = {"flow_run_id": {"any_": [run["id"]]}, "key": {"any_": [key]}}
    (found,) = ask("artifacts", artifacts=wanted)
    return found["data"]


def test_a_cycle_shows_its_name_its_steps_its_figures_and_what_dbt_built(
    house: House, ask: Ask
) -> None:
    assert house.reported_cycle(moment(0)).is_success
    run = run_of(house, ask)
    assert run["name"] == f"cycle {run['expected_start_time'][:16].replace('T', ' ')}"
    assert run["state"]["name"] == "Completed"

    lines = log_of(run, ask, "check core ended")
    for event in (
        "cycle planned: 2 books in about",
        "batch landed: ",
        "reading ended: 2 books, 2 of them complete",
        "load ended in ",
        "check landing ended in ",
        "models built, ",
    ):
        assert sum(line.startswith(event) or event in line for line in lines) == 1, event
    assert not [line for line in lines if "\n" in line or "run_id" in line]

    built = artifact_of(run, ask, "dbt-nodes")
    assert '"node": "fact_offers"' in built
    assert '"status": "success"' in built
    summary = artifact_of(run, ask, "cycle")
    assert "| books complete | 2 |" in summary
    assert "://" not in summary

    tasks = ask("task_runs", flow_runs={"id": {"any_": [run["id"]]}})
    by_name = {task["name"].rsplit("-", 1)[0]: task for task in tasks}
    waited_for = {
        given["id"] for given in sum(by_name["check_core"]["task_inputs"].values(), start=[])
    }
    assert by_name["transform"]["id"] in waited_for


def test_a_failed_cycle_names_the_reason_and_the_red_checks(
    house: House, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    red = CheckResult("a_check", "landing", "pages", "critical", False, "</code>`[x](http://y)")
    monkeypatch.setattr(
        "expectations.checkpoint.run_suite", lambda suite, *_: Verdict(suite, (red,))
    )
    with pytest.raises(CheckFailed):
        house.reported_cycle(moment(0))
    run = run_of(house, ask)
    assert run["state"]["name"] == "Failed"
    reason = "The landing was rejected (a_check)"
    assert [line for line in log_of(run, ask, reason) if line.startswith("cycle failed: ")]
    summary = artifact_of(run, ask, "cycle")
    assert f"```\n{reason}" in summary
    assert "Red checks: a_check." in summary
    assert "http" not in summary


def test_a_stopped_cycle_reads_as_stopped(house: House, ask: Ask) -> None:
    from flows.cycle import SURROUNDINGS
    from flows.elt import elt

    house.surround(moment(0))
    surroundings = SURROUNDINGS.get()
    assert surroundings is not None
    surroundings.stop.set()
    assert elt().state == "stopped"
    state = run_of(house, ask)["state"]
    assert (state["type"], state["name"]) == ("COMPLETED", "Stopped")


def test_a_server_that_went_away_costs_an_artifact_and_not_the_cycle(prefect_server: str) -> None:
    from flows.elt import leave

    asked = []

    def at_nobody(**content: object) -> None:
        asked.append(content)
        requests.get("http://127.0.0.1:9", timeout=PATIENCE)

    leave(at_nobody, key="cycle")
    assert asked == [{"key": "cycle"}]
