"""Listeners hear of everything in its order, and none of them can do harm."""

from __future__ import annotations

import threading

import pytest

from ibkr_adapter.listeners import Listeners


def test_each_hears_of_all_in_order_until_it_ends_that():
    listeners: Listeners[int] = Listeners()
    first: list[int] = []
    second: list[int] = []
    stop = listeners.add(first.append)
    listeners.add(second.append)

    listeners.note(1)
    listeners.note(2)
    listeners.tell()
    stop()
    stop()
    listeners.note(3)
    listeners.tell()

    assert (first, second) == ([1, 2], [1, 2, 3])


def test_one_that_raises_is_logged_and_the_others_are_told(caplog):
    """It is the host's code: a display that breaks must not end the session."""
    listeners: Listeners[int] = Listeners()
    heard: list[int] = []

    def broken(_: int) -> None:
        raise RuntimeError("the display is gone")

    listeners.add(broken)
    listeners.add(heard.append)
    listeners.note(1)
    listeners.note(2)
    listeners.tell()

    assert heard == [1, 2]
    assert caplog.text.count("RuntimeError: the display is gone") == 2


def test_news_that_a_listener_causes_come_after_its_own():
    """All hear of the cause before the effect."""
    listeners: Listeners[int] = Listeners()
    heard: list[tuple[str, int]] = []

    def causing(news: int) -> None:
        heard.append(("first", news))
        if news == 1:
            listeners.note(2)
            listeners.tell()

    listeners.add(causing)
    listeners.add(lambda news: heard.append(("second", news)))
    listeners.note(1)
    listeners.tell()

    assert heard == [("first", 1), ("second", 1), ("first", 2), ("second", 2)]


def test_no_lock_is_held_while_a_listener_is_told():
    """It may wait for another thread that adds one, or notes something."""
    listeners: Listeners[int] = Listeners()
    heard: list[int] = []

    def waiting(news: int) -> None:
        if news == 1:
            other = threading.Thread(target=lambda: (listeners.note(2), listeners.tell()))
            other.start()
            other.join(timeout=5)
            assert not other.is_alive()
        heard.append(news)

    listeners.add(waiting)
    listeners.note(1)
    listeners.tell()

    assert heard == [1, 2]


def test_an_interrupt_in_a_listener_leaves_the_rest_to_the_next():
    """Ctrl-C goes through, and does not silence the listeners for good."""
    listeners: Listeners[int] = Listeners()
    heard: list[int] = []

    def interrupted(news: int) -> None:
        if news == 1:
            raise KeyboardInterrupt
        heard.append(news)

    listeners.add(interrupted)
    listeners.note(1)
    listeners.note(2)
    with pytest.raises(KeyboardInterrupt):
        listeners.tell()
    listeners.tell()

    assert heard == [2]
