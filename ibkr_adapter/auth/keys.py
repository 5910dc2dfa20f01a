"""Read the keys of a login: PEM text, a file that only its owner can read, or the system's key ring.

Whatever is wrong with one becomes a :class:`~ibkr_adapter.errors.ConfigurationError` that names
the setting and what to do, before anything is sent. Nothing of a key is ever shown. What keys are
used for is for :mod:`ibkr_adapter.wire.oauth1a` and :mod:`ibkr_adapter.wire.oauth2`.

IBKR takes RSA keys only (RS256, RSA-SHA256), of 2048 bits at least; its handshake wants a prime
of 2048 bits, as ``openssl dhparam 2048`` makes it.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import shlex
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from ibkr_adapter.errors import ConfigurationError
from ibkr_adapter.redact import remember
from ibkr_adapter.setting_readers import KEYRING, names_a_place

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

FEWEST_BITS = 2048
# Every key that IBKR takes is below 10 kB; a mistaken path may lead to something endless.
_LONGEST = 65_536
_ALGORITHMS = {
    "ECPrivateKey": ("an elliptic-curve key", "ES256, ES384 or ES512"),
    "Ed25519PrivateKey": ("an Ed25519 key", "EdDSA"),
    "Ed448PrivateKey": ("an Ed448 key", "EdDSA"),
    "DSAPrivateKey": ("a DSA key", "DSA"),
}


def private_key(value: str | None, setting: str) -> RSAPrivateKey:
    """Load an RSA private key.

    Args:
        value: The PEM text (PKCS#1 or PKCS#8), or the path of a file that holds it.
        setting: The setting's name, for errors.

    Raises:
        ConfigurationError: It is missing, unreadable, readable by others, encrypted, or of a kind
            that IBKR does not take; nothing was sent.
    """
    pem = _pem(value, setting)
    kind = _label(pem)
    if kind is None or "PRIVATE KEY" not in kind:
        raise _wrong_block(setting, kind)
    if kind.startswith("ENCRYPTED") or b"Proc-Type: 4,ENCRYPTED" in pem:
        raise ConfigurationError(
            f"{setting} is encrypted with a pass phrase; nothing was sent.",
            remedy="Decrypt it with openssl rsa -in FILE -out NEWFILE, and chmod 600 NEWFILE.",
        )
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415  (first use)
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415  (first use)
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415  (first use)
        load_pem_private_key,
        load_ssh_private_key,
    )

    load = load_ssh_private_key if kind.startswith("OPENSSH") else load_pem_private_key
    try:
        key = load(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The library's words may quote the text, so they go no further.
        raise ConfigurationError(
            f"{setting} looks like a private key but is damaged, or encrypted; nothing was sent.",
            remedy="Check that the whole text is there, line ends included, or make a new one.",
        ) from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise _other_algorithm(setting, key)
    if key.key_size < FEWEST_BITS:
        raise ConfigurationError(
            f"{setting} has {key.key_size} bits, and IBKR takes {FEWEST_BITS} at least; nothing was sent.",
            remedy="Make a longer key and register its public half with IBKR.",
        )
    return key


def dh_prime(value: str | None, setting: str, *, generator: int) -> int:
    """Load the prime of the handshake.

    Args:
        value: Hex digits (blanks and colons are no matter), the PEM text of DH parameters, or the
            path of a file with either.
        setting: The setting's name, for errors.
        generator: What the settings say; a PEM that says otherwise is refused.

    Raises:
        ConfigurationError: It is missing, unreadable, readable by others, or no such prime.
    """
    text = value.strip() if value else value
    prime = _hex(text) if text and len(text) > FEWEST_BITS // 8 else None
    if prime is None:
        content = _pem(text, setting)
        prime = _hex(content.decode("ascii", errors="replace"))
        if prime is None:
            prime = _parameters(content, setting, generator)
    if prime.bit_length() < FEWEST_BITS or prime % 2 == 0:
        raise ConfigurationError(
            f"{setting} has {prime.bit_length()} bits and is {'odd' if prime % 2 else 'even'}: IBKR's"
            f" handshake takes a prime of {FEWEST_BITS} bits; nothing was sent.",
            remedy="Check that no digit is missing: it must be the very prime that was registered with IBKR.",
        )
    return prime


def plain_secret(value: str, setting: str) -> str:
    """Return a secret that is no key: itself, or what the key ring holds for it.

    Raises:
        ConfigurationError: The key ring does not give it; nothing was sent.
    """
    if not value.startswith(KEYRING):
        return value
    return _from_keyring(value.removeprefix(KEYRING), setting).decode()


def _hex(text: str) -> int | None:
    digits = re.sub(r"[:\s]", "", text).removeprefix("0x")
    return int(digits, 16) if re.fullmatch(r"[0-9a-fA-F]{64,}", digits) else None


def _parameters(content: bytes, setting: str, generator: int) -> int:
    kind = _label(content)
    if kind is None or "DH PARAMETERS" not in kind:
        raise _wrong_block(setting, kind, wanted="DH parameters (PEM or hex)")
    lines = re.sub(rb"-----[^-]*-----", b"", content)
    try:
        prime, found = _two_numbers(base64.b64decode(b"".join(lines.split()), validate=True))
    except (binascii.Error, ValueError, IndexError):
        raise ConfigurationError(
            f"{setting} holds DH parameters that are damaged; nothing was sent.",
            remedy="Check that the whole text is there: it must be the very file that was registered with IBKR.",
        ) from None
    if found != generator:
        raise ConfigurationError(
            f"{setting} is for the generator {found}, and dh_generator is {generator}; nothing was sent.",
            remedy="Give both the same; IBKR's is always 2.",
        )
    return prime


def _two_numbers(der: bytes) -> tuple[int, int]:
    # Read by hand: the library also checks the group's strength and refuses what IBKR has taken.
    body, _ = _element(der, 0x30)
    first, rest = _element(body, 0x02)
    second, _ = _element(rest, 0x02)
    return int.from_bytes(first, "big"), int.from_bytes(second, "big")


def _element(der: bytes, tag: int) -> tuple[bytes, bytes]:
    if der[0] != tag:
        raise ValueError("another kind of element was due")
    start, length = 2, der[1]
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[2:start], "big")
    if not 0 < length <= len(der) - start:
        raise ValueError("it is cut")
    return der[start : start + length], der[start + length :]


# Files ------------------------------------------------------------------------------------------


def _pem(value: str | None, setting: str) -> bytes:
    if value is None or not value.strip():
        raise ConfigurationError(
            f"{setting} is missing; nothing was sent.", remedy=f"Set {setting} to the key's text or its path."
        )
    if "-----BEGIN" in value:
        return value.strip().encode()
    if value.startswith(KEYRING):
        return _from_keyring(value.removeprefix(KEYRING), setting)
    path = Path(value.strip())
    # A name without any mark of a path may be a file in this folder, or a key without its frame.
    # ``os.path`` answers no where ``Path`` raises, for what no file system takes.
    if not names_a_place(value.strip()) and not os.path.isfile(value.strip()):  # noqa: PTH113
        raise ConfigurationError(
            f"{setting} is neither PEM text nor a path; nothing was sent.",
            remedy="A PEM begins with -----BEGIN; check how it was copied.",
        )
    return _file(path.expanduser(), setting)


def _from_keyring(entry: str, setting: str) -> bytes:
    service, slash, name = entry.partition("/")
    if not (service and slash and name):
        raise ConfigurationError(
            f"{setting} names no entry of a key ring; nothing was sent.",
            remedy=f"Write it as {KEYRING}SERVICE/NAME.",
        )
    try:
        import keyring  # noqa: PLC0415  (needs the extra ``keyring``)
        from keyring.errors import KeyringError  # noqa: PLC0415  (needs the extra ``keyring``)
    except ImportError as missing:
        raise ConfigurationError(
            f"{setting} is in a key ring, and {missing.name} is not installed; nothing was sent.",
            remedy="Run: pip install 'ibkr-adapter[keyring]'",
        ) from missing
    try:
        content = keyring.get_password(service, name)
    except KeyringError as locked:
        raise ConfigurationError(
            f"{setting} cannot be read from this machine's key ring ({type(locked).__name__}); nothing was sent.",
            remedy="Unlock it, or see that this user's session has one.",
        ) from None
    if not content:
        raise ConfigurationError(
            f"{setting} is not in this machine's key ring under {service}/{name}; nothing was sent.",
            remedy=f"Put it there: keyring set {shlex.quote(service)} {shlex.quote(name)}",
        )
    remember(content)
    return content.strip().replace("\\n", "\n").encode()


def _file(path: Path, setting: str) -> bytes:
    try:
        # Not to hang on a pipe that nobody writes to.
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except (OSError, ValueError) as failure:
        why = failure.strerror if isinstance(failure, OSError) else "it is no path"
        raise ConfigurationError(
            f"{setting} cannot be read from {path}: {why}; nothing was sent.",
            remedy="Check the path, and that this user may read the file.",
        ) from None
    try:
        # Asked of the open file, so that nobody can exchange it in between.
        state = os.fstat(number)
        if not stat.S_ISREG(state.st_mode):
            raise ConfigurationError(
                f"{setting} is {path}, which is no file; nothing was sent.", remedy="Name the key's own file."
            )
        if os.name == "posix" and state.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ConfigurationError(
                f"{setting} is in {path}, which others on this machine can open; it was not used.",
                remedy=f"Run: chmod 600 {shlex.quote(str(path))}",
            )
        with os.fdopen(number, "rb", closefd=False) as file:
            content = file.read(_LONGEST + 1)
    finally:
        os.close(number)
    if len(content) > _LONGEST:
        raise ConfigurationError(
            f"{setting} is in {path}, which is too large to be a key; it was not used.",
            remedy="Name the key's own file.",
        )
    return content


def _label(content: bytes) -> str | None:
    # openssl writes the curve's parameters in front of the key itself.
    found = re.findall(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----", content)
    for label in found:
        if b"PRIVATE KEY" in label or b"DH PARAMETERS" in label:
            return str(label, "ascii")
    return str(found[0], "ascii") if found else None


def _wrong_block(setting: str, kind: str | None, wanted: str = "an RSA private key") -> ConfigurationError:
    found = f"a PEM block called {kind}" if kind else "no PEM block"
    return ConfigurationError(
        f"{setting} holds {found} where {wanted} is due; nothing was sent.",
        remedy="Give the private half, not the one that was uploaded to IBKR."
        if kind and "PUBLIC" in kind
        else f"Set {setting} to {wanted}, as PEM text or the path of its file.",
    )


def _other_algorithm(setting: str, key: object) -> ConfigurationError:
    name = type(key).__name__
    what, algorithm = _ALGORITHMS.get(name, (f"a key of another kind ({name})", "another algorithm"))
    return ConfigurationError(
        f"{setting} is {what} and would sign by {algorithm}: IBKR takes RSA only (RS256); nothing was sent.",
        remedy="Make an RSA key of 3072 bits and register its public half with IBKR.",
    )
