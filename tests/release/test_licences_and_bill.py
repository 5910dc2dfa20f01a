"""What comes with the package: under which licences, and written down for those who must answer for it."""

from __future__ import annotations

import json
import tomllib

import pytest
from clean import ROOT

import bill
import licences

pytestmark = pytest.mark.xdist_group("all")
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]


def test_every_package_that_comes_along_may_be_used(environment):
    """Whoever takes this library takes all of them."""
    found = list(licences.in_environment(environment("all")))

    assert len(found) > len([each for extra in EXTRAS.values() for each in extra])
    assert licences.complaints(found) == []


def test_the_bill_names_all_that_is_installed_and_nothing_of_this_machine(environment, wheel):
    """It is written beside the wheel, is valid, and the same each time it is made."""
    python = environment("all")

    made = bill.make(python, wheel)

    told = json.loads(made)
    installed = {(each.name, each.version) for each in licences.in_environment(python)}
    assert {(each["name"], each["version"]) for each in told["components"]} == installed
    assert told["metadata"]["component"]["version"] == wheel.name.split("-")[1]
    assert all(each.get("licenses") for each in told["components"])
    assert "timestamp" not in told["metadata"]
    assert str(python.parents[1]) not in made
    assert str(ROOT) not in made
    assert bill.faults(made) is None
    assert bill.make(python, wheel) == made
    wheel.with_name(bill.name_of(wheel)).write_text(made, "utf-8")


def test_a_bill_that_is_not_valid_is_found_out(environment, wheel):
    """Otherwise the check above would be content with anything."""
    told = json.loads(bill.make(environment("all"), wheel))
    told["components"][0].pop("name")

    assert "name" in bill.faults(json.dumps(told))
