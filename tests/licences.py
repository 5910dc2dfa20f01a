"""Hold the licences of all that is installed with the package against the ones that we take.

Run it with ``python -m tests.licences PYTHON``, where PYTHON is that of an environment with the package and all
of its extras, and nothing else. A licence is read from the metadata that came with a package: its
SPDX expression, else its short name, else its classifiers. What says none of these, or one that is
not in the list, fails, and a person looks at it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

import attrs
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

OURS = "ibkr-adapter"

# All may be used with and shipped beside a program under the MIT licence, in business too. MPL-2.0 binds
# whoever changes files that are under it; we change none.
ALLOWED = frozenset(
    {
        "0BSD",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "CC0-1.0",
        "HPND",
        "ISC",
        "MIT",
        "MIT-0",
        "MIT-CMU",
        "MPL-2.0",
        "PSF-2.0",
        "Python-2.0",
        "Unlicense",
        "Zlib",
    }
)

# What the older field says, in words that are no SPDX expression.
WORDS = {"Apache 2.0": "Apache-2.0", "ISC license": "ISC", "ISC License": "ISC"}
CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    # Of the BSD licences only those with three clauses or fewer are approved.
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}
_APPROVED = "License :: OSI Approved :: "


@attrs.frozen(kw_only=True)
class Found:
    """What one installed package says of its licence; ``licence`` is ``None`` if that cannot be read."""

    name: str
    version: str
    licence: str | None

    @property
    def taken(self) -> bool:
        """Whether it is one that we take: all parts of one of the choices that it offers."""
        if self.licence is None or "(" in self.licence:
            return False
        choices = self.licence.split(" OR ")
        return any(all(part in ALLOWED for part in choice.split(" AND ")) for choice in choices)


def read(package: Distribution) -> Found:
    """Read what a package says."""
    about = package.metadata
    texts = [about["License-Expression"], about["License"]]
    for text in filter(None, texts):
        licence = _expression(WORDS.get(text.strip(), text.strip()))
        if licence is not None:
            return Found(name=about["Name"], version=about["Version"], licence=licence)
    kinds = [
        CLASSIFIERS.get(each.removeprefix(_APPROVED), each)
        for each in about.get_all("Classifier", [])
        if each.startswith("License :: ")
    ]
    return Found(name=about["Name"], version=about["Version"], licence=" AND ".join(kinds) or None)


def _expression(text: str) -> str | None:
    try:
        return str(canonicalize_license_expression(text))
    except InvalidLicenseExpression:
        return None


def in_environment(python: Path) -> Iterator[Found]:
    """Read what every package says that this Python finds, ours left out."""
    asked = subprocess.run(  # noqa: S603  (an environment of ours)
        [python, "-I", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    packages = distributions(path=[asked.stdout.strip()])
    for found in sorted(map(read, packages), key=lambda found: found.name.lower()):
        if found.name != OURS:
            yield found


def complaints(found: Iterable[Found]) -> list[str]:
    """What a person must look at, and why."""
    return [
        f"{each.name} {each.version}: "
        + (f"{each.licence} is not one that we take" if each.licence else "it does not say its licence")
        for each in found
        if not each.taken
    ]


def main() -> int:
    """Print each package with its licence; fail if one is not to be taken."""
    found = list(in_environment(Path(sys.argv[1])))
    for each in found:
        sys.stdout.write(f"{each.name} {each.version}\t{each.licence or 'unknown'}\n")
    wrong = complaints(found)
    for line in wrong:
        sys.stderr.write(f"{line}\n")
    return 1 if wrong or not found else 0


if __name__ == "__main__":
    sys.exit(main())
