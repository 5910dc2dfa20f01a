"""Nothing listens: said at once, in few lines, with what to do."""

from __future__ import annotations

import socket
import time

import pytest

from ibkr_adapter.errors import ConfigurationError, NotSent
from ibkr_adapter.exchange import IBKRExchange
from ibkr_adapter.simulator.gateway import Gateway
from ibkr_adapter.simulator.server import SimulatorServer


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("call", ["get_available_margin", "get_open_orders", "open"])
def test_nobody_at_the_address_is_told_within_a_second(tmp_path, call):
    """A newcomer's first error: cause and remedy, at most three lines."""
    ibkr = IBKRExchange({"base_url": f"http://127.0.0.1:{free_port()}/v1/api", "state_dir": str(tmp_path)})
    started = time.monotonic()

    with pytest.raises(NotSent, match="Nothing listens") as told:
        getattr(ibkr, call)()

    assert time.monotonic() - started < 1.0
    assert len(str(told.value).splitlines()) <= 3
    assert "gateway" in str(told.value)
    ibkr.close()


def test_a_gateway_with_a_certificate_of_its_own_is_trusted_by_its_pin_only(tmp_path):
    """Refused with the fingerprint to pin; with it, everything works."""
    from ibkr_adapter.clock import SystemClock

    with SimulatorServer(Gateway(SystemClock(), options={"pacing": False}), tls=True) as server:
        stranger = IBKRExchange({"base_url": server.url, "state_dir": str(tmp_path)})
        with pytest.raises(ConfigurationError, match="tls_fingerprint") as refused:
            stranger.get_available_margin()
        stranger.close()
        assert server.tls_fingerprint in str(refused.value).replace(":", "").lower()

        pinned = IBKRExchange(
            {"base_url": server.url, "state_dir": str(tmp_path), "tls_fingerprint": server.tls_fingerprint}
        )
        assert pinned.get_available_margin() == 4000000.0
        pinned.close()

        by_file = IBKRExchange(
            {"base_url": server.url, "state_dir": str(tmp_path), "ca_file": str(server.ca_file)}
        )
        assert by_file.get_available_margin() == 4000000.0
        by_file.close()


def test_a_simulated_exchange_speaks_tls_too():
    with IBKRExchange.simulated(tls=True) as ibkr:
        assert ibkr.settings.base_url.startswith("https://")
        assert ibkr.get_available_margin() == 4000000.0
