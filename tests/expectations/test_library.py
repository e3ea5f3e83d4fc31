"""What stands in for modules while Great Expectations is imported."""

import subprocess
import sys

from warehouse.settings import PROJECT_ROOT

PROGRAM = """
import sys
from expectations.library import import_library
import_library()
spared = {"altair", "scipy.stats"}
assert not spared & sys.modules.keys(), spared & sys.modules.keys()
from great_expectations.expectations.core import (
    expect_column_kl_divergence_to_be_less_than as distributions,
)
assert distributions.stats.entropy([0.5, 0.5]) > 0
import scipy.stats
assert scipy.stats.norm.cdf(0) == 0.5
assert distributions.alt.Chart
assert spared <= sys.modules.keys()
"""


def test_what_was_spared_of_the_import_is_there_when_it_is_used() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
