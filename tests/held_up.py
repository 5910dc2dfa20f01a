"""What a busy machine does to a program that asks the simulated broker: it is no fault of the program."""

from __future__ import annotations

# What the broker's meter answers where requests were held up on their way, and arrived too close together.
_WORDS = ("for its pacing", "(429)", "Too Many Requests")


def was_held_up(told: str) -> bool:
    """Whether what a program that failed has told is worth a second try."""
    return any(words in told for words in _WORDS)
