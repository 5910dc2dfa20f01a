"""What faults do to the frames of a stream on their way out.

A stream's fault waits for a topic, or for any frame, and strikes when one is about to leave: the
line ends, falls silent, or carries something else. Faults of requests are :mod:`.inflict`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ibkr_adapter.simulator.door import Frame
    from ibkr_adapter.simulator.faults import FaultBox
    from ibkr_adapter.simulator.stream_socket import Socket
    from ibkr_adapter.simulator.world import World


class Spoiler:
    """Do to the frames of one world what faults want."""

    def __init__(self, world: World, faults: FaultBox) -> None:
        self._world = world
        self._faults = faults

    def spoil(self, socket: Socket, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The frames as they leave."""
        del socket
        yield from frames
