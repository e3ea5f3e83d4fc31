"""Run a suite over the warehouse, judge it by severity and write its data docs."""

import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from expectations.library import import_library
from expectations.profiles import OPTIONAL_RELATIONS, Parameters
from expectations.suites import PROFILES, Check, SuiteName, checks_of
from expectations.verdict import Verdict, judge
from warehouse.connection import Warehouse

if TYPE_CHECKING:
    from great_expectations.core import ExpectationValidationResult
    from great_expectations.data_context.data_context.abstract_data_context import (
        AbstractDataContext,
    )
    from great_expectations.datasource.fluent.postgres_datasource import PostgresDatasource

log = logging.getLogger(__name__)


def run_suite(
    suite: SuiteName, warehouse: Warehouse, parameters: Parameters, docs_dir: Path | None
) -> Verdict:
    """Run every check of `suite` and write its page below `docs_dir`, if one is given.

    Nothing that a check meets is raised: one that cannot run, up to a database that does not
    answer, is a failed check whose `observed` names the exception's class. Takes some 4 s for
    the import of Great Expectations in a fresh process, and about a second thereafter.
    """
    import_library()
    checks = checks_of(suite)
    evaluations: dict[str, ExpectationValidationResult] = {}
    failures: dict[str, str] = {}
    try:
        existing = _existing(warehouse, OPTIONAL_RELATIONS)
        with _datasource(warehouse) as (context, datasource):
            for profile in dict.fromkeys(check.profile for check in checks):
                judged = [check for check in checks if check.profile == profile]
                try:
                    evaluations |= _evaluate(context, datasource, judged, parameters, existing)
                except Exception as error:
                    log.warning("profile %s could not be measured: %s", profile, _kind(error))
                    failures |= {check.name: _kind(error) for check in judged}
    except Exception as error:
        log.warning("suite %s could not be run: %s", suite, _kind(error))
        failures = {check.name: _kind(error) for check in checks} | failures
    results = tuple(
        judge(check, evaluations.get(check.name), failures.get(check.name)) for check in checks
    )
    verdict = Verdict(suite, results)
    if docs_dir is None:
        return verdict
    return Verdict(suite, results, _document(verdict, parameters, docs_dir))


def _existing(warehouse: Warehouse, relations: Collection[str]) -> frozenset[str]:
    """Those of `relations` that exist: before the first transform there are no marts."""
    with warehouse.connect() as connection:
        rows = connection.execute(
            "select name from unnest(%s::text[]) as name where to_regclass(name) is not null",
            [list(relations)],
        ).fetchall()
    return frozenset(str(name) for (name,) in rows)


@contextmanager
def _datasource(
    warehouse: Warehouse,
) -> "Iterator[tuple[AbstractDataContext, PostgresDatasource]]":
    """An ephemeral context of Great Expectations with the warehouse as its only source."""
    import great_expectations
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = great_expectations.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    datasource = context.data_sources.add_postgres(
        "warehouse",
        # All of the login goes through `connect_args`: an address turns up in error messages, and
        # a `$` in it is taken for a variable of Great Expectations' configuration.
        connection_string="postgresql+psycopg://user@localhost/warehouse",
        # A profile is measured once, into a temporary table, which lives in one connection. Behind
        # a pooler there is no such thing, and it is measured for each of its checks.
        create_temp_table=warehouse.pooler_of is None,
        kwargs={  # type: ignore[call-arg]  # a field that their stub of the method leaves out
            "pool_size": 1,
            "max_overflow": 0,
            "connect_args": {
                "prepare_threshold": None,
                **warehouse.parameters,
                "application_name": "p2p expectations",
            },
        },
    )
    try:
        yield context, datasource
    finally:
        datasource.get_execution_engine().engine.dispose()
        datasource.get_engine().dispose()


def _evaluate(
    context: "AbstractDataContext",
    datasource: "PostgresDatasource",
    checks: Sequence[Check],
    parameters: Parameters,
    existing: Collection[str],
) -> "dict[str, ExpectationValidationResult]":
    """What Great Expectations finds for `checks`, all of one profile, by name of the check."""
    import great_expectations
    from great_expectations import expectations

    name = checks[0].profile
    profile = PROFILES[name]
    asset = datasource.add_query_asset(name, query=profile.query(parameters, existing))
    suite = great_expectations.ExpectationSuite(
        name=name,
        expectations=[
            getattr(expectations, check.expectation)(
                **check.arguments,
                severity=check.severity,
                description=check.description,
                meta={"check": check.name},
            )
            for check in checks
        ],
    )
    validation = great_expectations.ValidationDefinition(
        name=name,
        data=asset.add_batch_definition_whole_table(name),
        suite=context.suites.add(suite),
    )
    checkpoint = great_expectations.Checkpoint(
        name=name,
        validation_definitions=[context.validation_definitions.add(validation)],
        # The rows of a profile are numbers and codes: to name the books gives nothing away.
        result_format={
            "result_format": "COMPLETE",
            "unexpected_index_column_names": [profile.label],
            "return_unexpected_index_query": False,
        },
    )
    outcome = context.checkpoints.add(checkpoint).run()
    return {
        result.expectation_config.meta["check"]: result
        for validated in outcome.run_results.values()
        for result in validated.results
        if result.expectation_config is not None
    }


def _kind(error: BaseException) -> str:
    """The class of what is at the bottom of `error`: the driver's rather than a wrapper's."""
    while True:
        below = getattr(error, "orig", None) or error.__cause__
        if not isinstance(below, BaseException):
            return type(error).__name__
        error = below


def _document(verdict: Verdict, parameters: Parameters, docs_dir: Path) -> Path | None:
    """Write the page of this run; a full disk must not change a verdict."""
    from expectations.data_docs import write_page

    try:
        return write_page(
            verdict, parameters.run_id, docs_dir, is_simulated=parameters.is_simulated
        )
    except Exception as error:
        log.warning("the data docs could not be written to %s: %s", docs_dir, _kind(error))
        return None
