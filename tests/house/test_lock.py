"""The lock agrees with pyproject.toml: told from what is installed, so without a network."""

import re
import tomllib
from functools import cache
from importlib.metadata import distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house import tree

LOCK = tree.text(tree.ROOT / "requirements.lock")
PROJECT = tomllib.loads(tree.text(tree.ROOT / "pyproject.toml"))["project"]
DECLARED = [
    Requirement(line)
    for lines in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for line in lines
]


def entries() -> list[str]:
    """The lock's entries, one a package, without its comments."""
    return re.findall(r"(?m)^[^\s#](?:.*\\\n)*.*$", LOCK)


def pins() -> dict[str, str]:
    """The versions that the lock names for this machine."""
    locked = [Requirement(entry.split(" \\")[0].split(" --hash")[0]) for entry in entries()]
    return {
        canonicalize_name(pin.name): str(pin.specifier).removeprefix("==")
        for pin in locked
        if pin.marker is None or pin.marker.evaluate()
    }


@cache
def closure() -> dict[str, list[Requirement]]:
    """What the declared requirements ask for here, directly or not: by name, all that is asked."""
    asked: dict[str, list[Requirement]] = {}
    met: set[tuple[str, str]] = set()
    waiting = list(DECLARED)
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        asked.setdefault(name, []).append(requirement)
        for extra in {"", *requirement.extras}:
            if (name, extra) in met:
                continue
            met.add((name, extra))
            for line in distribution(name).requires or []:
                needed = Requirement(line)
                if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                    waiting.append(needed)
    return asked


def test_every_package_of_the_lock_has_hashes() -> None:
    assert [entry for entry in entries() if "--hash=sha256:" not in entry] == []


def test_the_lock_names_versions_only_and_no_address() -> None:
    heads = [entry.split(" \\")[0] for entry in entries()]
    assert [
        head for head in heads if not re.match(r"[a-z0-9-]+(\[[a-z0-9, -]+\])?==[^ ]+", head)
    ] == []
    assert re.findall(r"\w+://\S+|^-\S.*", LOCK) == []


def test_the_lock_holds_a_fitting_version_of_everything_that_is_declared_or_needed_by_that() -> (
    None
):
    locked = pins()
    unmet = [
        str(requirement)
        for name, requirements in closure().items()
        for requirement in requirements
        if not requirement.specifier.contains(locked.get(name, "no"), prereleases=True)
    ]
    assert unmet == []


def test_the_lock_holds_nothing_that_nobody_asks_for() -> None:
    assert sorted(set(pins()) - set(closure())) == []


def test_what_is_installed_is_what_the_lock_says() -> None:
    installed = {name: distribution(name).version for name in pins()}
    assert installed == pins()


def test_whatever_an_installer_fetches_is_held_to_the_lock_s_hashes() -> None:
    for name in ("Makefile", "Dockerfile"):
        text = tree.text(tree.ROOT / name).replace("\\\n", " ")
        installs = [line.strip() for line in re.findall(r"pip (?:install|sync)[^\n&;]*", text)]
        assert len(installs) == 3, name
        assert [
            line
            for line in installs
            # But our own package, from this tree, alone and with what is there to build it.
            if "--require-hashes" not in line
            and not {"--no-deps", "--no-build-isolation", "--editable"} <= set(line.split())
        ] == []
