"""Whoever holds what a child must not inherit has let go of it when the fork comes."""

from __future__ import annotations

import gc
import os

import pytest

from ibkr_adapter import forks

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")


class Hand:
    """A holder that writes down what it was asked; ``then`` is done while it lets go."""

    def __init__(self, *, owed=True, then=None):
        self.asked = []
        self._owed = owed
        self._then = then

    def let_go(self):
        self.asked.append("let go")
        if self._then:
            self._then()
        return self._owed

    def resume(self):
        self.asked.append("resume")


def fork(in_child=lambda: 0):
    """Fork, end the child with what ``in_child`` answers, and return that."""
    child = os.fork()
    if child == 0:
        os._exit(in_child())
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_holder_is_asked_once_before_each_fork_and_told_after_it():
    """Told in the parent only: the child starts with empty hands."""
    hand = Hand()
    forks.watch(hand)
    forks.watch(hand)

    in_child = fork(lambda: len(hand.asked))
    fork()

    assert in_child == 1
    assert hand.asked == ["let go", "resume"] * 2


def test_who_could_not_let_go_is_not_told_to_resume():
    hand = Hand(owed=False)
    forks.watch(hand)

    fork()

    assert hand.asked == ["let go"]


def test_who_takes_hold_while_others_let_go_is_asked_as_well():
    """Otherwise the child would inherit what was opened in the last moment."""
    late = Hand()
    early = Hand(then=lambda: forks.watch(late))
    forks.watch(early)

    fork()

    assert (early.asked, late.asked) == (["let go", "resume"], ["let go", "resume"])


def test_a_child_may_fork_again():
    """What was taken for the first fork is free again in the child."""
    hand = Hand()
    forks.watch(hand)

    grandchild = fork(lambda: fork(lambda: len(hand.asked)))

    assert grandchild == 2


def test_nobody_is_kept_alive_by_being_watched():
    before = len(forks._holders)
    hand = Hand()
    forks.watch(hand)

    del hand
    gc.collect()

    assert len(forks._holders) <= before
    assert fork() == 0
