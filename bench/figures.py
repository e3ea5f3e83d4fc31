"""Figures: how they are collected, shown one a line, and kept."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

Show = Callable[[str], None]


def _shown(value: float) -> str:
    """Three significant digits at the least, and whole numbers as such."""
    if float(value).is_integer():
        return str(int(value))
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.3g}"


@dataclass
class Figures:
    """What was measured so far, by name."""

    show: Show = print
    values: dict[str, tuple[float, str]] = field(default_factory=dict)

    def add(self, name: str, value: float, unit: str) -> None:
        """Show one figure at once as `name value unit`, and keep it."""
        self.values[name] = (value, unit)
        self.show(f"{name} {_shown(value)} {unit}")

    def load_average(self, when: str) -> None:
        """How busy the machine is: beside others, seconds say little and ratios still do."""
        self.add(f"machine.load_average.{when}", os.getloadavg()[0], "processes")

    def value(self, name: str) -> float:
        """A figure that was measured before."""
        return self.values[name][0]

    def write(self, path: Path) -> None:
        """Keep all of them as JSON: an object of `value` and `unit` by name."""
        kept = {
            name: {"value": round(value, 4), "unit": unit}
            for name, (value, unit) in self.values.items()
        }
        path.write_text(json.dumps(kept, indent=2) + "\n")
