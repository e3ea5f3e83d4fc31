"""A run that a schedule started, with nobody at the terminal: once for all that were missed, alone.

Nothing in Prefect keeps two runs apart: a limit there is held by a run that was killed, and would
keep every later one out. What does is the warehouse's own lock, which goes with the process; a run
that finds another at work ends at once, as skipped.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

import requests
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.context import FlowRunContext
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL
from prefect.states import Cancelled, Completed, Crashed
from prefect.types import DateTime

from flows.run_log import shown_with
from flows.starting import start
from ops.summary import CycleOutcome
from warehouse.errors import AlreadyRunning, UserError, hide
from warehouse.log import words_of
from warehouse.settings import load_settings

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun, State

log = logging.getLogger(__name__)

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

SKIPPED, MISSED, STOPPED = "Skipped", "Missed", "Stopped"
_PARENT: ContextVar[int | None] = ContextVar("parent", default=None)
_SET_PARENT_DEATH_SIGNAL = 1  # of sys/prctl.h
_SECONDS_TO_STOP = 30.0
_GLANCE_SECONDS = 0.5


def named(what: str) -> Callable[[], str]:
    """What Prefect is to call a run: what it is, and the time for which it was planned, in UTC."""
    return lambda: f"{what} {flow_run.scheduled_start_time:%Y-%m-%d %H:%M}"


def attended(body: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Make a flow's body one that a schedule can start, and whose log Prefect shows."""

    @wraps(body)
    def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        if _scheduled_run() is not None:
            start(load_settings())
            _end_with_parent()
            _settle(
                [StateType.SCHEDULED], Cancelled(name=MISSED, message="A later run did its work.")
            )
        try:
            with shown_with(str(flow_run.get_id())):
                return _run(body, *args, **kwargs)
        finally:
            if nobody_listens():
                log.info("run ended, and its parent process is gone")
                os._exit(0)  # Prefect would go on asking for its server

    return run


def _run(
    body: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Result:
    """Run the body; a state of our own for what neither succeeded nor failed."""
    is_scheduled = _scheduled_run() is not None
    try:
        result = body(*args, **kwargs)
    except AlreadyRunning as busy:
        if not is_scheduled:
            raise
        log.info("run skipped: %s", busy)
        return cast(Result, Completed(name=SKIPPED, message=str(busy)))
    except Exception as failure:
        hide(failure)  # Prefect keeps what it says
        if is_scheduled:  # else the command says it, in our own words
            level = logging.WARNING if isinstance(failure, UserError) else logging.ERROR
            log.log(level, "run failed: %s", words_of(failure), exc_info=failure)
        raise
    if isinstance(result, CycleOutcome) and result.state == "stopped":
        message = "Stopped when asked to; what was read has landed."
        return cast(Result, Completed(name=STOPPED, message=message, data=result))
    return result


def bury_the_dead() -> None:
    """Mark as crashed what Prefect believes to run, though the caller holds the lock.

    Nobody else would: a killed process cannot say that it ended.
    """
    if _scheduled_run() is not None:
        _settle(
            [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING],
            Crashed(message="The process ended without a word."),
        )


def nobody_listens() -> bool:
    """Whether whoever started this run is gone, and Prefect's server with it."""
    parent = _PARENT.get()
    if parent is None or os.getppid() == parent:
        return False
    try:
        return not requests.get(f"{PREFECT_API_URL.value()}/health", timeout=2).ok
    except requests.RequestException:
        return True


def is_scheduled() -> bool:
    """Whether a schedule started the run that this process is in."""
    return _scheduled_run() is not None


def _scheduled_run() -> FlowRun | None:
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    return run if run is not None and run.deployment_id is not None else None


def _settle(kinds: list[StateType], state: State[Any]) -> None:
    """Put a final state to this deployment's other runs that were to begin by now.

    Prefect's records only: when its server is silent the work goes on.
    """
    ours = _scheduled_run()
    if ours is None or ours.deployment_id is None:
        return
    try:
        with get_client(sync_client=True) as client:
            others = client.read_flow_runs(
                flow_run_filter=FlowRunFilter(
                    deployment_id=FlowRunFilterDeploymentId(any_=[ours.deployment_id]),
                    state=FlowRunFilterState(type=FlowRunFilterStateType(any_=kinds)),
                    expected_start_time=FlowRunFilterExpectedStartTime(before_=DateTime.now(UTC)),
                )
            )
            for other in others:
                if other.id != ours.id:
                    client.set_flow_run_state(other.id, state, force=True)
                    log.info(
                        "state of an earlier run corrected",
                        extra={"run": other.name, "as": state.name},
                    )
    except Exception as error:
        log.warning(
            "the states of earlier runs were not corrected", extra={"why": type(error).__name__}
        )


def _end_with_parent() -> None:
    """Be asked to stop when whoever started us is gone: nobody else would hear how it went."""
    parent = os.getppid()
    _PARENT.set(parent)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)
        if os.getppid() != parent:
            signal.raise_signal(signal.SIGTERM)
    threading.Thread(target=_outlive_shortly, args=[parent], daemon=True, name="orphan").start()


def _outlive_shortly(parent: int) -> None:
    """End this process a while after its parent, stopped or not.

    The server went with the parent as a rule, and Prefect goes on asking for it for minutes, with
    the warehouse's lock in hand. What is cut off here is as any run that was killed: the next one
    goes on from there.
    """
    while os.getppid() == parent:
        time.sleep(_GLANCE_SECONDS)
    time.sleep(_SECONDS_TO_STOP)
    log.warning("run ended by force: its parent process is gone")
    os._exit(1)
