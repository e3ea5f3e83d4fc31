"""`p2p exchange`: the simulated exchange as a command."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from pathlib import Path

from simulator.answers import FIAT_LIST
from simulator.manners import REAL
from tests.conftest import PROJECT
from tests.flows.conftest import PATIENCE, command


def test_the_exchange_serves_until_it_is_asked_to_stop(tmp_path: Path) -> None:
    process = subprocess.Popen(
        command("exchange", "--fiats", "VES", "--assets", "USDT", "--still", "--at-once"),
        cwd=PROJECT,
        env={**os.environ, "P2P_HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        variable, _, url = process.stdout.readline().strip().partition("=")
        assert variable == "P2P_API_URL"
        others = [process.stdout.readline().strip() for _ in range(2)]
        assert others == [f"P2P_RATES_URL={url}", f"P2P_SPOT_URL={url}"]
        request = urllib.request.Request(  # noqa: S310
            url + FIAT_LIST, b"{}", {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
            listed = json.load(answer)["data"]
        assert [fiat["currencyCode"] for fiat in listed] == ["VES"]
        seen = set()
        for _ in range(2 * REAL.burst):
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
                assert answer.status == 200, "nobody's haste is refused"
            with urllib.request.urlopen(url + "/simulator/health", timeout=PATIENCE) as answer:  # noqa: S310
                seen.add(json.load(answer)["now"])
        assert len(seen) == 1, "and nothing moves"
        process.terminate()
        assert process.wait(PATIENCE) == 0
        assert process.communicate()[1] == ""
    finally:
        process.kill()
        process.communicate()
