"""Make the bill of materials (SBOM) of a release: what is installed with the wheel and all of its extras.

It is CycloneDX 1.6 in JSON, without time, serial number or anything of this machine, so the same wheel with the
same packages gives the same file. It speaks of one platform and one Python: an environment on another
may have a package more or less.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests import licences

ROOT = Path(__file__).parents[1]


def name_of(wheel: Path) -> str:
    """What the bill of a wheel is called."""
    return f"{'-'.join(wheel.name.split('-')[:2])}.cdx.json"


def make(python: Path, wheel: Path) -> str:
    """Make the bill of an environment that has this wheel.

    Args:
        python: The environment's Python.
        wheel: The wheel that is installed there; its digest is written down.
    """
    version = wheel.name.split("-")[1]
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder, "pyproject.toml")
        # The tool knows no version that is taken out of the code.
        text = (ROOT / "pyproject.toml").read_text("utf-8")
        project.write_text(
            re.sub(r"^dynamic = .*$", f'version = "{version}"', text, flags=re.MULTILINE), "utf-8"
        )
        made = subprocess.run(  # noqa: S603  (a tool of ours, about an environment of ours)
            [
                *(sys.executable, "-m", "cyclonedx_py", "environment", str(python)),
                *("--pyproject", str(project), "--mc-type", "library"),
                *("--spec-version", "1.6", "--output-reproducible", "--no-validate", "-o", "-"),
            ],
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=True,
        )
    bill: dict[str, Any] = json.loads(made.stdout)
    ours = bill["metadata"]["component"]
    ours["hashes"] = [{"alg": "SHA-256", "content": hashlib.sha256(wheel.read_bytes()).hexdigest()}]
    said = {(each.name, each.version): each.licence for each in licences.in_environment(python)}
    for each in bill["components"]:
        # What the tool knows no words for; that of ours reads it.
        if not each.get("licenses") and (licence := said[each["name"], each["version"]]):
            each["licenses"] = [{"expression": licence, "acknowledgement": "declared"}]
    return json.dumps(bill, indent=2, sort_keys=True) + "\n"


def faults(bill: str) -> str | None:
    """What is wrong with a bill by the schema of its format, or ``None``."""
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill)
    return None if wrong is None else str(wrong)


def main() -> int:
    """Write the bill of the wheel in ``dist`` beside it; ``python -m tests.bill PYTHON``."""
    (wheel,) = (ROOT / "dist").glob("*.whl")
    bill = make(Path(sys.argv[1]), wheel)
    wrong = faults(bill)
    if wrong is not None:
        sys.stderr.write(f"the bill of materials is not valid: {wrong}\n")
        return 1
    place = wheel.with_name(name_of(wheel))
    place.write_text(bill, "utf-8")
    sys.stdout.write(f"{place.relative_to(ROOT)}: {len(json.loads(bill)['components'])} packages\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
