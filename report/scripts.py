"""The scripts of a page: Vega, which draws the charts, and ours, which a reader's hands are on."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent
VEGA_LITE = "6.4"
"""The version of Vega-Lite that Altair writes."""


@cache
def style() -> str:
    """The style sheet."""
    return (_HERE / "page.css").read_text(encoding="utf-8")


@cache
def script() -> str:
    """Vega with its interpreter, which needs no `eval`, and then ours."""
    import vl_convert

    vega = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE)
    ours = "".join(
        (_HERE / name).read_text(encoding="utf-8") for name in ("charts.js", "tables.js")
    )
    # In HTML these would end the script, or hide its end; in its strings they can be spelled out.
    whole = f'"use strict";(() => {{{vega}}})();\n{ours}'
    return whole.replace("</script", r"<\/script").replace("<!--", r"<\!--")


def digest(source: str) -> str:
    """How a content policy names a script or style that it admits."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"
