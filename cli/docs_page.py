"""dbt's documentation as one page that asks nobody for anything and runs nothing but dbt's script.

dbt's own `--static` puts its JSON into a script as it is, where a `</script>` in a description
would end it, and lets the page load whatever it likes. Here the JSON is escaped, and a policy
admits that one script by its digest.
"""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from warehouse.files import whole_file

_SCRIPT = re.compile(r"<script\b[^>]*>(.*?)</script\s*>", re.DOTALL | re.IGNORECASE)
_LINK = re.compile(r"<link\b[^>]*>")
_PLACES = {
    "manifest.json": '"MANIFEST.JSON INLINE DATA"',
    "catalog.json": '"CATALOG.JSON INLINE DATA"',
}


_BANNER = (
    '<p role="note" style="margin: 0; padding: 6px; background: #fff3cd; color: #17202a; '
    'text-align: center; position: fixed; bottom: 0; width: 100%; z-index: 9999">'
    "Simulated data: what this warehouse holds comes from a simulated exchange.</p>"
)


def write_docs_page(target: Path, file: Path, *, is_simulated: bool = False) -> None:
    """Write the page about the manifest and the catalog that dbt left in `target`.

    `is_simulated` puts a banner on it: what the warehouse holds was not read from the market.

    Raises:
        LookupError: dbt's page is not the one that this was written for.
        OSError: the file cannot be written.
    """
    from dbt.task.docs import DOCS_INDEX_FILE_PATH

    page = Path(DOCS_INDEX_FILE_PATH).read_text(encoding="utf-8")
    if [page.count(place) for place in _PLACES.values()] != [1, 1] or not page.count("<head>") == 1:
        raise LookupError("dbt's page of documentation is built otherwise than it was")
    for name, place in _PLACES.items():
        # `<` stands in strings only, and there JSON lets it be spelled out.
        said = (target / name).read_text(encoding="utf-8").replace("<", r"\u003c")
        page = page.replace(place, said)
    # Written so, a browser fetches each picture by the name of its place before that is filled.
    page = page.replace('xlink:href="{{', 'ng-href="{{')
    head, _, rest = page.partition("<script")
    page = (
        _LINK.sub("", head) + "<script" + rest
    )  # an icon by the name of what would have filled it
    digests = " ".join(map(_digest, _SCRIPT.findall(page)))
    # dbt's script makes its styles as it goes; its pictures are in it.
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; font-src data:; "
        f"style-src 'unsafe-inline'; script-src {digests}"
    )
    # Angular would try whether it may compile text to code, and the policy be seen to refuse.
    page = page.replace("<html", '<html data-ng-csp="no-unsafe-eval"', 1)
    opening = (
        f'<head><meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<link rel="icon" href="data:,">'
    )
    page = page.replace("<head>", opening, 1)
    if is_simulated:
        page = re.sub(r"<body\b[^>]*>", lambda body: body[0] + _BANNER, page, count=1)
    with whole_file(file) as stream:
        stream.write(page.encode())


def _digest(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"
