"""A first login that fails says why, what is true, and what to do; doing that is all that it takes."""

from __future__ import annotations

import sys

import pytest

from newcomer import FAILURES, Explanation, Ground, StumbleError, explained, first_programs
from newcomer import ROOT as CHECKOUT


@pytest.mark.parametrize("fail", FAILURES, ids=lambda fail: fail.__name__)
def test_a_usual_failure_of_a_first_login_explains_itself(fail, tmp_path):
    """As people meet it, by command, over real sockets; then the remedy is tried."""
    ground = Ground(folder=CHECKOUT, home=tmp_path)

    told = fail(ground, [sys.executable, "-m", "ibkr_adapter"])

    assert told.gaps() == [], told.said


def test_a_message_that_leaves_something_out_is_found_out():
    """Otherwise the test above would be content with any."""
    bare = Explanation(title="bare", said="Traceback: no", cause="nobody there", remedy="start it")

    with pytest.raises(StumbleError, match="cause, truth, remedy, brevity"):
        explained([bare])


@pytest.mark.skipif(not (CHECKOUT / "docs").is_dir(), reason="the documentation is not here")
def test_the_first_pages_have_programs_to_copy():
    """The walk takes them from there, so what is shown is what was tried."""
    assert all("IBKRExchange.simulated()" in each for each in first_programs(CHECKOUT))
