"""Draw what a command printed on a terminal: `command | python -m tests.docs.picture FILE.svg`.

Rich draws it; what its picture would load from an outside host is taken out, which the pages that
show it would refuse anyway.
"""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

_LOADED = re.compile(r"\s*@font-face \{\{.*?\n    \}\}|\s*<!--.*?-->", re.DOTALL)
_FONT = "Fira Code, monospace"
_FONTS = "ui-monospace, Menlo, Consolas, monospace"


def draw(printed: str, title: str) -> str:
    """An SVG of `printed`, escape sequences and all, as a terminal of 80 columns shows it."""
    console = Console(record=True, width=80, file=io.StringIO(), highlight=False)
    console.print(Text.from_ansi(printed.rstrip()))
    shape = _LOADED.sub("", CONSOLE_SVG_FORMAT).replace(_FONT, _FONTS)
    # A fixed id: the same text is the same file.
    picture = console.export_svg(title=title, code_format=shape, theme=MONOKAI, unique_id="p2p")
    return re.sub(r"[ \t]+$", "", picture, flags=re.MULTILINE)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(draw(sys.stdin.read(), title="make demo"), encoding="utf-8")
