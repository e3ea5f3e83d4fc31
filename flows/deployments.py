"""What `p2p serve` runs, and when; prefect.yaml has the same for a work pool.

The names differ: on one server, deployments of one name would overwrite each other, and `p2p serve`
pauses its own when it ends.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

from prefect.deployments.runner import RunnerDeployment
from prefect.flows import Flow
from prefect.schedules import Cron, Interval, Schedule
from prefect.types.entrypoint import EntrypointType

from flows.catalogue import catalogue
from flows.elt import elt
from flows.forecast import forecast
from flows.maintenance import maintenance

_SERVED = "{} (p2p serve)"
CYCLE, FORECAST = (_SERVED.format(name) for name in ("crawl-and-transform", "forecast"))
# The same beat whenever it was set up, and over restarts.
_ANCHOR = datetime(2020, 1, 1, tzinfo=UTC)


def deployments(interval: timedelta) -> list[RunnerDeployment]:
    """The cycle every `interval`, forecasts each hour, the rest once a day at a quiet hour."""
    planned: list[tuple[Flow[..., Any], str, Schedule]] = [
        (elt, CYCLE, Interval(interval, anchor_date=_ANCHOR)),
        (forecast, FORECAST, Cron("25 * * * *", timezone="UTC")),
        (catalogue, _SERVED.format("catalogue"), Cron("10 3 * * *", timezone="UTC")),
        (maintenance, _SERVED.format("maintenance"), Cron("30 3 * * *", timezone="UTC")),
    ]
    return [
        cast(  # outside of a loop it is no coroutine
            RunnerDeployment,
            flow.to_deployment(
                name,
                schedule=schedule,
                paused=False,
                tags=["p2p", flow.name],
                entrypoint_type=EntrypointType.MODULE_PATH,
            ),
        )
        for flow, name, schedule in planned
    ]
