"""That the loader takes no more memory than it needs."""

import subprocess
import sys

from load.book.reading import Page
from warehouse.settings import PROJECT_ROOT


def test_what_the_loader_imports_leaves_pandas_out() -> None:
    script = (
        "import sys, load.pipeline, pyarrow as pa;"
        "from adbc_driver_manager import dbapi;"
        "pa.Table.from_pylist([{'body': '{}'}], pa.schema({'body': pa.string()}));"
        "print('pandas' in sys.modules);"
        "import pandas"
    )
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", script],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout.split() == ["False"], "and who wants pandas later still has it"


def test_a_page_keeps_its_body_packed_and_gives_it_back() -> None:
    body = b'{"data": [' + b'{"adv": {"price": "10.00"}},' * 500 + b"{}]}"
    packed = Page.pack(body)
    assert len(packed) < len(body) / 10
    moment = None
    page = Page(1, moment, moment, 1, 1, 0, "", len(body), packed)  # type: ignore[arg-type]  # no moment matters
    assert page.body == body
