"""The pinned context lets the right server through and no other, before a byte of a request."""

from __future__ import annotations

import gc
import select
import socket
import ssl
import struct
import subprocess
import sys
import warnings

import certifi
import pytest
from certificates import gateway, signed_for
from raw_server import RawServer, serve_well

from ibkr_adapter.errors import ConfigurationError
from ibkr_adapter.tls import Trust, context, names, refuse_blind_trust, seen_fingerprint


def shake(server, trust, *, host="127.0.0.1"):
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=5) as line,
        context(trust, host).wrap_socket(line, server_hostname=host) as shaken,
    ):
        return shaken.version()


@pytest.fixture
def server():
    with RawServer(serve_well, tls=gateway().context) as running:
        yield running


def test_the_pinned_certificate_is_believed(server):
    """A gateway's certificate is self-signed and for no host that anybody calls."""
    assert shake(server, Trust(fingerprint=gateway().fingerprint)) in {"TLSv1.2", "TLSv1.3"}


def test_another_certificate_than_the_pinned_one_is_not_believed(server):
    """Even if an authority vouches for it."""
    trust = Trust(fingerprint="ab" * 32, ca_file=gateway().ca_file)

    with pytest.raises(
        ssl.SSLCertVerificationError, match=r"^the certificate does not have the pinned fingerprint$"
    ):
        shake(server, trust)


def test_a_pin_decides_even_with_verification_off(server):
    """Switching verification off must not switch the pin off."""
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(server, Trust(fingerprint="ab" * 32, verify=False))


def test_the_gateways_own_certificate_in_the_bundle_is_believed_under_any_name(server):
    """It is the certificate itself that is trusted, so its name adds nothing."""
    assert shake(server, Trust(ca_file=gateway().ca_file), host="localhost")


def test_an_unknown_certificate_is_not_believed(server):
    """The default trusts public authorities only."""
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(server, Trust())


def test_the_bundle_is_trusted_alone(server):
    """Another authority's bundle does not vouch for the gateway."""
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(server, Trust(ca_file=signed_for("127.0.0.1").ca_file))


def test_a_certificate_that_the_bundle_signed_is_believed_for_its_name():
    """A private authority is as good as a public one, for those who name it."""
    signed = signed_for("127.0.0.1")

    with RawServer(serve_well, tls=signed.context) as server:
        assert shake(server, Trust(ca_file=signed.ca_file))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.2"])
def test_a_certificate_that_the_bundle_signed_for_another_host_is_not_believed(host):
    """An authority signs for many; a neighbour's certificate is not the gateway's."""
    signed = signed_for("127.0.0.1")

    with (
        RawServer(serve_well, tls=signed.context) as server,
        pytest.raises(ssl.SSLCertVerificationError, match="another host"),
    ):
        shake(server, Trust(ca_file=signed.ca_file), host=host)


def test_verification_can_be_off_on_this_machine(server):
    """Where nobody can stand in between."""
    assert shake(server, Trust(verify=False))


@pytest.mark.parametrize("host", ["api.ibkr.com", "192.168.0.7", "localhost.example.com"])
def test_verification_is_never_off_elsewhere(host):
    """Whoever stands in between could trade."""
    with pytest.raises(ConfigurationError, match="verify_tls is off"):
        context(Trust(verify=False), host)


@pytest.mark.parametrize(
    "trust", [Trust(), Trust(verify=False, fingerprint="ab" * 32), Trust(verify=False, ca_file="x")]
)
def test_what_is_judged_by_something_may_be_elsewhere(trust):
    """A pin or a bundle verifies, whatever the switch says."""
    refuse_blind_trust(trust, "api.ibkr.com")


def test_the_default_verifies_names_with_public_authorities():
    """As every browser does."""
    made = context(Trust(), "api.ibkr.com")

    assert made.check_hostname
    assert made.verify_mode is ssl.CERT_REQUIRED
    assert made.get_ca_certs()


@pytest.mark.parametrize(
    "trust", [Trust(), Trust(fingerprint="ab" * 32), Trust(verify=False), Trust(ca_file=gateway().ca_file)]
)
def test_old_protocols_are_refused(trust):
    """TLS 1.0 and 1.1 are broken."""
    assert context(trust, "localhost").minimum_version == ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize(
    "written", ["AB" * 32, "ab" * 32, ":".join(["Ab"] * 32), " ".join(["ab"] * 32), f" {'ab' * 32}\n"]
)
def test_a_fingerprint_may_be_written_as_tools_print_it(written):
    """Equal trust must be equal, because connections are shared by it."""
    assert Trust(fingerprint=written) == Trust(fingerprint="ab" * 32)
    assert hash(Trust(fingerprint=written)) == hash(Trust(fingerprint="ab" * 32))


@pytest.mark.parametrize("written", ["ab" * 20, "ab" * 16, "", "zz" * 32, "ab" * 33])
def test_only_sha256_pins(written):
    """SHA-1 and MD5 can be forged."""
    with pytest.raises(ConfigurationError, match="SHA-256"):
        Trust(fingerprint=written)


@pytest.mark.parametrize("content", [None, b"", b"not a certificate", b"\xff\xfe"])
def test_an_unreadable_bundle_is_told(tmp_path, content):
    """A typo in a path must not fall back on anything."""
    bundle = tmp_path / "gateway.pem"
    if content is not None:
        bundle.write_bytes(content)

    with pytest.raises(ConfigurationError, match="ca_file"):
        context(Trust(ca_file=str(bundle)), "localhost")


def test_the_fingerprint_of_a_local_server_can_be_seen(server):
    """The error that refuses it then says what to pin; no request goes over that line."""
    assert seen_fingerprint("127.0.0.1", server.port, 2) == gateway().fingerprint
    assert server.booked == []


def test_nobody_elsewhere_is_asked_for_a_fingerprint():
    """The one in between would tell his own."""
    assert seen_fingerprint("198.51.100.7", 443, 0.1) is None


def test_a_server_that_shows_nothing_has_no_fingerprint():
    """Looking is best effort."""
    with RawServer(lambda talk: None) as server:
        assert seen_fingerprint("127.0.0.1", server.port, 0.5) is None


@pytest.mark.parametrize(
    ("offered", "host", "fits"),
    [
        ("api.ibkr.com", "api.ibkr.com", True),
        ("API.ibkr.com", "api.IBKR.com.", True),
        ("*.ibkr.com", "api.ibkr.com", True),
        ("*.ibkr.com", "ibkr.com", False),
        ("*.ibkr.com", "a.api.ibkr.com", False),
        ("*.com", "ibkr.com", False),
        ("*", "localhost", False),
        ("a*.ibkr.com", "api.ibkr.com", False),
        ("localhost", "localhost", True),
        ("127.0.0.1", "127.0.0.1", False),
    ],
)
def test_a_name_fits_exactly_or_by_one_star(offered, host, fits):
    """A star stands for one whole label, the first."""
    assert names({"subjectAltName": (("DNS", offered),)}, host) is fits


@pytest.mark.parametrize(
    ("offered", "host", "fits"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("0:0:0:0:0:0:0:1", "[::1]", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("<invalid>", "127.0.0.1", False),
    ],
)
def test_an_address_fits_as_an_address(offered, host, fits):
    """It can be written in several ways."""
    assert names({"subjectAltName": (("IP Address", offered),)}, host) is fits


def test_a_certificate_without_names_fits_no_host():
    """The common name has not counted for decades."""
    assert not names({"subject": ((("commonName", "localhost"),),)}, "localhost")


def test_nothing_heavy_is_loaded_before_a_context_is_made():
    """Importing the library must stay cheap."""
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from ibkr_adapter.tls import Trust; Trust(); print('ssl' in sys.modules)",
        ],
        capture_output=True,
        text=True,
        check=True,
    )

    assert told.stdout.strip() == "False"


def test_a_line_that_its_peer_has_reset_before_the_handshake_is_closed():
    """The ssl module forgets it; open files that wait to be collected are how a busy process runs out of them."""
    judging = context(Trust(fingerprint="ab" * 32), "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as listener, warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        line = socket.create_connection(listener.getsockname(), timeout=5)
        peer, _ = listener.accept()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        assert select.select([line], [], [], 5)[0]

        with pytest.raises(ConnectionResetError):
            judging.wrap_socket(line, server_hostname="127.0.0.1")
        gc.collect()

    assert line.fileno() == -1
    assert [warning for warning in told if "JudgingSocket" in str(warning.message)] == []


@pytest.mark.parametrize("trust", [Trust(), Trust(fingerprint="ab" * 32), Trust(ca_file=certifi.where())])
def test_no_variable_has_the_secrets_of_a_line_written_down(trust, tmp_path, monkeypatch):
    """Whoever read such a file could read the session's tokens off the network."""
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))

    assert context(trust, "api.ibkr.com").keylog_filename is None
