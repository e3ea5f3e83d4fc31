"""A real server with passwords, and what the service `secrets` makes at the first start."""

from pathlib import Path

import pytest

from tests.monitoring.compose import SERVICES, make_secrets
from tests.warehouse.conftest import elsewhere

__all__ = ["elsewhere"]


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the service makes at the first start."""
    folder = tmp_path_factory.mktemp("made")
    for volume in SERVICES["secrets"]["volumes"]:
        (folder / Path(volume.partition(":")[2]).name).mkdir()
    make_secrets(folder)
    return folder
