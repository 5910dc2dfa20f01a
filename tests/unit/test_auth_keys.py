"""Keys: read from text, a private file or the key ring; whatever is wrong names the setting."""

from __future__ import annotations

import base64
import os
import sys
from pathlib import Path

import keyring
import keyring.errors
import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from keyring.backend import KeyringBackend

from ibkr_adapter.auth.keymaking import make_all, make_key_pair
from ibkr_adapter.auth.keys import dh_prime, plain_secret, private_key
from ibkr_adapter.clock import SystemClock
from ibkr_adapter.errors import ConfigurationError
from ibkr_adapter.redact import redact

RFC_3526 = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF95"
    "19B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB"
    "5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F83655D23DCA3"
    "AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3BE39E772C180E8603"
    "9B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA051015728E5A8AACAA68FFFF"
    "FFFFFFFFFFFF",
    16,
)


@pytest.fixture(scope="module")
def own_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def written(key, form=PrivateFormat.PKCS8, secrecy=None):
    return key.private_bytes(Encoding.PEM, form, secrecy or NoEncryption()).decode()


def der_integer(number):
    body = number.to_bytes(number.bit_length() // 8 + 1, "big")
    size = len(body)
    return b"\x02" + (bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2, "big")) + body


def dh_der(prime, generator=2):
    body = der_integer(prime) + der_integer(generator)
    return b"\x30\x82" + len(body).to_bytes(2, "big") + body


def framed(der):
    return f"-----BEGIN DH PARAMETERS-----\n{base64.encodebytes(der).decode()}-----END DH PARAMETERS-----\n"


def dh_pem(prime, generator=2):
    return framed(dh_der(prime, generator))


def in_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "key.pem"
    path.write_text(text)
    path.chmod(mode)
    return path


def refused(value, setting="signature_key"):
    with pytest.raises(ConfigurationError) as failure:
        private_key(value, setting)
    return str(failure.value)


# RSA keys -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL, PrivateFormat.OpenSSH]
)
def test_a_key_is_read_from_its_text_in_every_usual_form(form, own_key):
    """Several ages of openssl, and ssh-keygen, write three."""
    assert private_key(written(own_key, form), "signature_key").private_numbers() == own_key.private_numbers()


def test_a_key_is_read_from_a_file_that_is_its_owners_alone(own_key, tmp_path):
    """Also from one that may only be read."""
    path = in_file(tmp_path, written(own_key), 0o400)

    assert private_key(f" {path}\n", "signature_key").key_size == 2048


def test_a_home_folder_may_be_written_short(own_key, tmp_path, monkeypatch):
    """As in every shell."""
    monkeypatch.setenv("HOME", str(tmp_path))
    in_file(tmp_path, written(own_key))

    assert private_key("~/key.pem", "signature_key").key_size == 2048


def test_a_file_without_any_mark_of_a_path_is_found_where_we_are(own_key, tmp_path, monkeypatch):
    """``signature_key=signing`` works where there is such a file."""
    in_file(tmp_path, written(own_key)).rename(tmp_path / "signing")
    monkeypatch.chdir(tmp_path)

    assert private_key("signing", "signature_key").key_size == 2048


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o610])
def test_a_file_that_others_can_open_is_refused_with_the_command_that_mends_it(mode, own_key, tmp_path):
    """What others may have read is to be noticed before it is used."""
    path = in_file(tmp_path, written(own_key), mode)

    said = refused(str(path))

    assert "others on this machine can open" in said
    assert f"chmod 600 {path}" in said


def test_the_command_that_mends_it_can_be_pasted(own_key, tmp_path):
    """Folders have blanks in their names."""
    folder = tmp_path / "my keys"
    folder.mkdir()
    path = in_file(folder, written(own_key), 0o644)

    assert f"chmod 600 '{path}'" in refused(str(path))


@pytest.mark.parametrize("value", [None, "", "  \n"])
def test_a_missing_key_is_named(value):
    """Nothing is sent without it."""
    assert "signature_key is missing" in refused(value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    """With what the system says."""
    said = refused(str(tmp_path / "nothing.pem"))

    assert "nothing.pem: No such file or directory" in said


def test_a_folder_and_a_pipe_are_no_key(tmp_path):
    """And a pipe must not make us wait for whoever writes to it."""
    os.mkfifo(tmp_path / "pipe.pem", 0o600)

    assert "is no file" in refused(str(tmp_path))
    assert "is no file" in refused(str(tmp_path / "pipe.pem"))


def test_a_file_that_is_too_large_is_no_key(tmp_path):
    """A mistaken path may lead to something endless."""
    assert "too large to be a key" in refused(str(in_file(tmp_path, "x" * 65_537)))
    assert "no PEM block" in refused(str(in_file(tmp_path, "x" * 65_536)))
    assert "too large to be a key" in refused(str(in_file(tmp_path, "x" * 70_000)))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files cannot be counted here")
def test_no_file_is_left_open(own_key, tmp_path):
    """Neither after a key nor after what is none; a host that reconnects for months would run out of them."""
    path, opened = in_file(tmp_path, written(own_key)), len(list(Path("/proc/self/fd").iterdir()))

    private_key(str(path), "signature_key")
    refused(str(tmp_path))

    assert len(list(Path("/proc/self/fd").iterdir())) == opened


def test_a_path_that_the_system_cannot_take_is_told(tmp_path):
    """A zero byte in it raises another error than a missing file."""
    assert "neither PEM text nor a path" in refused("/keys/\0.pem")


@pytest.mark.parametrize(
    "value",
    [
        "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj" * 20,
        "MIIEvQIBADANBgkq/kiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj",
        "canary-that-is-no-key",
        "first line\nsecond line",
    ],
)
def test_what_is_neither_text_nor_path_is_not_shown(value):
    """It may be the key itself, without its first and last line."""
    said = refused(value)

    assert "neither PEM text nor a path" in said
    assert value[:20] not in said


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: ec.generate_private_key(ec.SECP256R1()), "an elliptic-curve key and would sign by ES256"),
        (ed25519.Ed25519PrivateKey.generate, "an Ed25519 key and would sign by EdDSA"),
        (ed448.Ed448PrivateKey.generate, "an Ed448 key and would sign by EdDSA"),
        (lambda: dsa.generate_private_key(2048), "a DSA key and would sign by DSA"),
    ],
)
def test_another_algorithm_is_refused_by_name(make, what):
    """IBKR is known to take RS256 and nothing else."""
    said = refused(written(make()), "private_key")

    assert f"private_key is {what}" in said
    assert "RSA only (RS256)" in said


def test_a_curve_with_its_parameters_in_front_is_told_as_a_curve():
    """That is how openssl writes it, in two blocks."""
    key = written(ec.generate_private_key(ec.SECP256R1()), PrivateFormat.TraditionalOpenSSL)

    assert "ES256" in refused(
        f"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{key}"
    )


def test_a_short_key_is_refused():
    """IBKR takes 2048 bits at least."""
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505

    assert "has 1024 bits" in refused(written(short))


def test_the_public_half_is_refused(own_key):
    """It is the one that is uploaded, and easily taken for the other."""
    public = own_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    assert "Give the private half" in refused(public)


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_an_encrypted_key_is_refused_with_the_command_that_opens_it(form, own_key):
    """There is nobody to type a pass phrase."""
    locked = written(own_key, form, BestAvailableEncryption(b"secret"))

    assert "openssl rsa -in FILE" in refused(locked)


@pytest.mark.parametrize("cut", [200, 900, -60])
def test_a_damaged_key_is_told_without_a_word_of_it(cut, own_key):
    """The library's own message would quote it."""
    text = written(own_key)
    damaged = text[:cut] + "\n-----END PRIVATE KEY-----\n"

    said = refused(damaged)

    assert "is damaged" in said
    assert text[40:60] not in said


def test_a_certificate_is_no_key():
    """Or whatever else has the frame of a PEM."""
    said = refused("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----")

    assert "a PEM block called CERTIFICATE where an RSA private key is due" in said


# Diffie-Hellman -------------------------------------------------------------------------------


def test_a_prime_is_read_in_every_form_people_have(tmp_path):
    """Hex as other clients want it, with or without colons, or openssl's file."""
    digits = f"{RFC_3526:x}"
    pairs = ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))
    path = in_file(tmp_path, dh_pem(RFC_3526))

    for form in (digits, digits.upper(), f"0x{digits}", pairs, dh_pem(RFC_3526), str(path)):
        assert dh_prime(form, "dh_prime", generator=2) == RFC_3526


def test_a_file_of_hex_digits_is_a_prime_too(tmp_path):
    """Some keep it that way."""
    assert dh_prime(str(in_file(tmp_path, f"{RFC_3526:x}\n")), "dh_prime", generator=2) == RFC_3526


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "dh_prime is missing"),
        (f"{RFC_3526 >> 8:x}", "has 2040 bits"),
        (f"{RFC_3526 + 1:x}", "is even"),
        (dh_pem(RFC_3526, 5), "for the generator 5, and dh_generator is 2"),
        (dh_pem(RFC_3526)[:200] + "\n-----END DH PARAMETERS-----", "are damaged"),
        ("-----BEGIN DH PARAMETERS-----\n?\n-----END DH PARAMETERS-----", "are damaged"),
        (framed(dh_der(RFC_3526)[:100]), "are damaged"),
        (framed(b"\x31" + dh_der(RFC_3526)[1:]), "are damaged"),
        (framed(dh_der(RFC_3526).replace(b"\x02\x82", b"\x04\x82")), "are damaged"),
        (framed(b"\x30\x06\x02\x01\x17\x02\x01\x02"), "has 5 bits and is odd"),
        (framed(b"\x30\x05\x02\x00\x02\x01\x02"), "are damaged"),
        ("f" * 256, "neither PEM text nor a path"),
        ("f" * 257, "has 1028 bits"),
        ("-----BEGIN DH PARAMETERS-----\nAQAB\n-----END DH PARAMETERS-----", "are damaged"),
        (
            "-----BEGIN PUBLIC KEY-----\nAQAB\n-----END PUBLIC KEY-----",
            "where DH parameters (PEM or hex) is due",
        ),
    ],
)
def test_what_is_no_prime_for_the_handshake_is_told(value, words):
    """It must be the one that was registered, to the digit."""
    with pytest.raises(ConfigurationError) as failure:
        dh_prime(value, "dh_prime", generator=2)

    assert words in str(failure.value)


# The key ring ---------------------------------------------------------------------------------


class Ring(KeyringBackend):
    priority = 1

    def __init__(self):
        super().__init__()
        self.kept = {}
        self.locked = False

    def get_password(self, service, username):
        if self.locked:
            raise keyring.errors.KeyringLocked("canary of the backend")
        return self.kept.get((service, username))

    def set_password(self, service, username, password):
        self.kept[service, username] = password

    def delete_password(self, service, username):
        del self.kept[service, username]


@pytest.fixture
def ring():
    before = keyring.get_keyring()
    made = Ring()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


@pytest.mark.parametrize("one_line", [False, True])
def test_a_key_is_read_from_the_key_ring(one_line, ring, own_key):
    """Some rings keep one line only; the line ends are then written out."""
    text = written(own_key)
    ring.set_password("ibkr", "signing", text.replace("\n", "\\n") if one_line else text)

    assert private_key("keyring:ibkr/signing", "signature_key").key_size == 2048


def test_a_secret_may_be_in_the_key_ring_as_well(ring):
    """The access token's secret is no less one than a key; it is masked from then on."""
    ring.set_password("ibkr", "secret", "canary-7c1d\n")

    assert plain_secret("keyring:ibkr/secret", "access_token_secret") == "canary-7c1d"
    assert plain_secret("as it stands", "access_token_secret") == "as it stands"
    assert "canary" not in redact("canary-7c1d")


def test_what_is_not_in_the_ring_is_told_with_the_command_that_puts_it_there(ring):
    """Where a person would look first."""
    assert "keyring set ibkr signing" in refused("keyring:ibkr/signing")


@pytest.mark.parametrize("entry", ["keyring:", "keyring:ibkr", "keyring:/x", "keyring:ibkr/"])
def test_an_entry_without_its_two_names_is_told(entry, ring):
    """The form is said."""
    assert "keyring:SERVICE/NAME" in refused(entry)


def test_a_locked_ring_is_told_without_its_own_words(ring):
    """Backends quote what they like."""
    ring.locked = True

    said = refused("keyring:ibkr/signing")

    assert "KeyringLocked" in said
    assert "canary" not in said


def test_a_ring_without_its_extra_is_told(monkeypatch):
    """With what to install."""
    monkeypatch.setitem(sys.modules, "keyring", None)

    assert "pip install 'ibkr-adapter[keyring]'" in refused("keyring:ibkr/signing")


def test_what_the_command_makes_can_be_read_back():
    """All five files, by the very reader that logs in."""
    made = make_all(SystemClock(), on_tick=lambda _: None, dh_parameters=lambda: dh_pem(RFC_3526).encode())

    assert private_key(made["private_signature.pem"].decode(), "signature_key").key_size == 2048
    assert dh_prime(made["dhparam.pem"].decode(), "dh_prime", generator=2) == RFC_3526
    assert len(set(made.values())) == 5
    assert make_key_pair(1024)[1].startswith(b"-----BEGIN PUBLIC KEY-----")
