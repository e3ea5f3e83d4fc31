"""The flow: load, check, transform, check. One run is one cycle, and each step is a task of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from prefect import Task, flow
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run

from flows import steps
from flows.attended import attended, bury_the_dead, named, nobody_listens
from flows.cycle import SURROUNDINGS, Cycle, Surroundings, open_cycle
from flows.steps import Step
from ops.summary import CycleOutcome, markdown
from warehouse.errors import UserError
from warehouse.log import words_of

if TYPE_CHECKING:
    from flows.transform import TransformReport

log = logging.getLogger(__name__)


def _may_pass(_task: Any, _run: Any, state: Any) -> bool:
    """Whether a failure may pass by itself: not what a user has to correct, nor a red check."""
    try:
        state.result()
    except UserError:
        return False
    except Exception:
        return True
    return False


def _close_run(cycle: Cycle, state: str, error: str | None) -> CycleOutcome:
    """Record how the cycle ended, and leave its summary where Prefect shows it."""
    outcome = steps.close_run(cycle, state, error)
    leave(
        create_markdown_artifact,
        key="cycle",
        markdown=markdown(outcome),
        description=f"Cycle {cycle.run_id}",
    )
    return outcome


def _show_built(built: TransformReport) -> None:
    """Leave dbt's nodes, with their states and seconds, where Prefect shows them."""
    leave(
        create_table_artifact,
        key="dbt-nodes",
        table=[
            {
                "node": node.name,
                "type": node.kind,
                "status": node.status,
                "seconds": round(node.seconds, 2),
            }
            for node in built.nodes
        ],
        description="What dbt built and tested, the slowest first",
    )


def leave(artifact: Callable[..., object], **content: Any) -> None:
    """Leave an artifact with this run; when Prefect's server is silent the work goes on."""
    if nobody_listens():
        return
    try:
        artifact(**content)
    except Exception as error:  # whatever its client raises
        log.warning("Prefect's server took no artifact: %s", words_of(error))


_once: Callable[..., Step] = partial(Task[..., Any], cache_policy=NO_CACHE)
_twice: Callable[..., Step] = partial(
    _once, retries=1, retry_delay_seconds=5, retry_condition_fn=_may_pass
)
_TASKS: dict[Step, Step] = {
    steps.open_run: _once(steps.open_run),
    steps.load: _twice(steps.load),
    steps.check_landing: _once(steps.check_landing),
    steps.transform: _twice(steps.transform),
    steps.check_core: _once(steps.check_core),
    steps.close_run: _once(_close_run, name="close_run"),
}


@flow(
    name="elt",
    flow_run_name=named("cycle"),
    log_prints=False,
    persist_result=False,
    validate_parameters=True,
)
@attended
def elt(fiats: list[str] | None = None, assets: list[str] | None = None) -> CycleOutcome:
    """Run one cycle: load, check, transform, check.

    Args:
        fiats: Read these fiats only, such as ["VES", "ARS"]; empty: the setting P2P_FIATS.
        assets: Read these assets only, such as ["USDT"]; empty: the setting P2P_ASSETS.

    Raises:
        UserError: a setting is wrong, or the warehouse or the whole exchange is out of reach.
        CheckFailed: a critical check or a dbt test is red.
    """
    SURROUNDINGS.set(replace(SURROUNDINGS.get() or Surroundings(), on_built=_show_built))
    with open_cycle(fiats, assets, flow_run.get_id()) as cycle:
        bury_the_dead()
        return steps.sequence(cycle, _TASKS.__getitem__)
