"""OAuth 1.0a as IBKR speaks it, held to its published examples byte by byte.

The first three examples and the fourth are IBKR's own ("How to implement OAuth" and the Client
Portal API page, its public test consumer TESTCONS); five, six and eight are from a .NET client's
fixtures and seven from a Deno client's, all recomputed.
"""

from __future__ import annotations

import base64
import hashlib
import os
import random
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key
from hypothesis import given
from hypothesis import strategies as st

from ibkr_adapter.wire import oauth1a as wire
from ibkr_adapter.wire.response import decipher

PUBLIC_KEY = (
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAvIuAKAfjiEM8+hJGL12S5iivH+lwA94s3Pz80T9bdOXE6IHDWWBRGEn4"
    "9j8gjmEoz4cPn1j8W8CaTNFgb+4vS4fdM7hSCSWaMG9B0ripUKxiqitG66YxFGfvo8BcdI76A84hw7M6Ehm0p3pFhM5XTUDpTzIu"
    "lDpUgm/UXM5D3Se4Sct32NajQ2l/xZ1nFRspRddRQpfclPsnp5Vxv6kIjD4BuTck6xu49rGb8zKcjJnlv6LBbV48taBi930WHfFD"
    "l3hBZ3FHnT2JuD0n96poTCCuMEF+GAZTuIH28jFwiJkWRSfvjtkpKI4BE1QNaj29v6eLXPr53KyUAnTuyWh8qQIDAQAB"
)
TEST_PRIME = (
    "f51d7ab737a452668fd8b5eec12fcdc3c01a0744d93db2e9b1dc335bd2551ec67e11becc60c33a73497a0f7c086d87e45781"
    "ada35b7af72708f31ae221347a1c6517575a347df83a321d05450547ee13a8182280ed81423002aa6337b48a251d840bfdab"
    "e8d41b8109284933a6c33bc6652ea9c7a5fd6b4945b7b39f1d951ae19b9192061e2f9de84768b67c425258724cdb96975917"
    "cabdea87e7e0bc72b01a331d06f2f34229a5ec742b399fcffa510bf6b8f9b5bf9858f058371a49aa4f950f7fbfb3f47710af"
    "34baa83fff1b467d38d0e6b1b0a2d117f178cf930d7dfdcc8f6755a2229d48492a967f493041121e382b9e87ca1368c09f54"
    "e6352d909f2b"
)
V1_BASE = (
    "POST&https%3A%2F%2Fapi.ibkr.com%2Fv1%2Fapi%2Foauth%2Frequest_token&oauth_callback%3Doob%26oauth_cons"
    "umer_key%3DTESTCONS%26oauth_nonce%3D3Xa0XhqFEoXbifYZUeflx6svQUDQsgB4%26oauth_signature_method%3DRSA-"
    "SHA256%26oauth_timestamp%3D1605211001"
)
V1_SIGNATURE = (
    "KZohSaZYvwAKZr/KxlhYc145hV+Nwok93+Slbza47RdycKPSOCxL9J2zH8AuG69MCasG0qWy1fCS2BB1vRwt+xThOsQmECk+8UGj"
    "PJU9JEwy9PHMEfT/Jg7ieVIj8OrsAYhkGFDUlUfwn6Voh98MWqmZdcAFgv1RrfBFxGVvqBPKcC3sWw1SC7yEm9zNi/NpUgUmpX4W"
    "0z74NBoBIKYZw33z5sCMDSE8Zkitw4GBtVh3IR43bO6vyWDXc0d7u/dcNEM2pI519kRPHmq/psqgwUq6mt+VN5QxncWvTXUwB0wM"
    "/kRvXqfrHUl6jcCmDic4e2c2awndoOLAK/Jl6II3dA=="
)
V2_BASE = (
    "POST&https%3A%2F%2Fapi.ibkr.com%2Fv1%2Fapi%2Foauth%2Faccess_token&oauth_consumer_key%3DTESTCONS%26oa"
    "uth_nonce%3DB65wGkbQspBFN0lQjFZyIlr6ZA4T7iuw%26oauth_signature_method%3DRSA-SHA256%26oauth_timestamp"
    "%3D1605211316%26oauth_token%3D98cb431e61ae03817f6a%26oauth_verifier%3D4e253ee389df74010b6b"
)
V2_SIGNATURE = (
    "LhSvlaMU943AT2MO660T4f7SnbchCQkfJJTJ4S6PVsG/MtWp3o5kAksxxgIF6MA9ZPEZ34vMac52P5Yg0dMBgnZKYeJKWM1Cfo3G"
    "/zJTWQ4vo/OOeS3Zvvpt057YbT6NdRSRbylxW7s0aEMWo518BaFUwUzhLT/UjyJVXwdu9q6sNc0gcEbEUPgRVKi3YLd/Bn/ySG7c"
    "MWeEnuHVgzoBKaeVKO6MiiUl8e6WOlWPB5eiOQ0ny+oTGIhVPoQhfdCW91GqP6ZxwEJTp4hwFy8skpv9D3KLB7nHEDYZDzNsxReB"
    "BHH339JPtEvQgCV9qW2TZ1FRb/EeBeGd1uW1gpdXkg=="
)
V3_PREPEND = "6882f47f7937851c4ffe5a95754b2ee80c60cf64c22f86a410be0f8b469e468f"
V3_CHALLENGE = (
    "5356ee6f78fc204b22e2012636d23116e4158ee84aa4451c4a8d3f595ec83434497073e25697ab23cc912799dadeef39fe24"
    "3d317f193659e488535a31dbcb814600ffad3fd76b076e7f1c54cf045395c1f01d982a358f3202dd6b546271498040f46879"
    "59b7b240bc6222902d24e1bf5de42ae0a46cc60f41f62a58d428932a92e5954e7980384a9e1e0b918a35f0a838e0c4c3d0cb"
    "32db759b5cbda371e035740d9c0030b1619b61e928b8d12ca141bd3fe74ac10a835382125a57837c84b5bd1873bd118f9265"
    "7b8dd45e48652093e5c0c3a5dacfb4d140e5672ddc05eb1d90bc29c433e744ae8950e96590668a9b8503e596780b14852be6"
    "39ce3b5ba2c0"
)
V3_SIGNATURE = (
    "czbA1dRKJSBdwn5GYxAJQCmCAqfZ6dyOa/gmuY/5Lhub64cSeQUzKp8vGrF6afnXhCiIXnHsCTONK7uNbRu2V/E/ziQ57BWfbAEz"
    "H98kQdWAlWqqmaxXBzbg/r1AZDRP/YWrEggNvJaHjbkWaotcrAWpsfxVLcdc3Sl7kXmbFYN0u20MjLUD7q5yDrJT5TXw9JC2xvFi"
    "mJj65WxqyICZizQUUrg35KRQKaxytQFdwqf5RS6B65gmoi7gHXZcDu2zDWGhe67bZKV8myd0isIJZBs8a5alGd33n7Y1V7pv5Ux9"
    "hFOEHEBzSaE3kn9dqw/p5w/l/0xiOQGpXWvPRVA2uA=="
)
GROUP_14 = (
    "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404ddef95"
    "19b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7edee386bfb"
    "5a899fa5ae9f24117c4b1fe649286651ece45b3dc2007cb8a163bf0598da48361c55d39a69163fa8fd24cf5f83655d23dca3"
    "ad961c62f356208552bb9ed529077096966d670c354e4abc9804f1746c08ca18217c32905e462e36ce3be39e772c180e8603"
    "9b2783a2ec07a28fb5c55df06f4c52c9de2bcbf6955817183995497cea956ae515d2261898fa051015728e5a8aacaa68ffff"
    "ffffffffffff"
)
V5_HALF = (
    "8e8ce765e0b553dcb1aa19a6732759cc071deeed9a8d43e2e4478019bd511bebcab113b05049a24f9cfe48b160b211a65397"
    "d93b3b758e6f9f16026b9e1e6f9f1ef01e3dffbb647a07395d75d19d893c5420672d913886374eb91b70fca1e0c82e2ca33c"
    "7e00823a4280809127c955aa6520c53480ed62c36b4df2107480f15caf88247a4d8b1250654b3cd94d639dbce8c1f9fe230d"
    "f4a42ac98f5950837a1de32ffbb15ebc1a5cf0f2de8f13bf955422933a102f86680eb2a5a9004483744be5738b3d3dcd1049"
    "fed462e44b5b9cc161234f8f992721beba2bded180b223bc4de21e877084f73c4f69db3f51179daba7c1a014e9fd84201ca6"
    "33fda8854b7"
)
V6_HALF = (
    "a1ad7bfa495688eb1ef1f43b680db2330afc57842dee89d5856d12b9792c63f06601d0126340e154eb795550b9f3c55b6e03"
    "8529175d29dea9998321d30c1b943ab1efad0d5a7a0d828c2456ae1d8ffff0e210a0e56e46705fb67641d4c51261b9ad88a8"
    "11851bc343afb3e3f03dae23ae75836f1f438c1c38ff72ebd4054bb81e1ba7a987d00ce230b2d04b34cba539f7a11a6d6ffb"
    "aa6ce4c93d9c87972d46d9e8409328ba3f16528ba0b1c06b8e28a119700846769100409c65867c8ce51be77af32b5efd5d3c"
    "63c14ee2305d02aac5db4c6d7e768b33d2c7efae92f181e00a87f0a9f40ae4dde7ffcce4c654e9bb7ab9a765b0d0732360ee"
    "be8f6fa0d4f6"
)
V8_BASE = (
    "GET&https%3A%2F%2Fapi.ibkr.com%2Fv1%2Fapi%2Fportfolio%2Faccounts&oauth_consumer_key%3DTESTCONS%26oau"
    "th_nonce%3Db2490f57a3b0%26oauth_signature_method%3DHMAC-SHA256%26oauth_timestamp%3D1714489440%26oaut"
    "h_token%3Da1b2c3d4e5f60718293a"
)
API = "https://api.ibkr.com/v1/api"
NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
# A tenth of what a release is checked with.
HANDSHAKES = int(os.environ.get("IBKR_TESTS_HANDSHAKES", "200"))


@pytest.fixture(scope="module")
def own_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def published():
    return load_der_public_key(base64.b64decode(PUBLIC_KEY))


def first_example():
    return wire.base_string(
        "POST",
        f"{API}/oauth/request_token",
        wire.parameters(
            consumer_key="TESTCONS",
            nonce="3Xa0XhqFEoXbifYZUeflx6svQUDQsgB4",
            timestamp=1605211001,
            method=wire.RSA,
            more={"oauth_callback": "oob"},
        ),
    )


def second_example():
    return wire.base_string(
        "POST",
        f"{API}/oauth/access_token",
        wire.parameters(
            consumer_key="TESTCONS",
            nonce="B65wGkbQspBFN0lQjFZyIlr6ZA4T7iuw",
            timestamp=1605211316,
            method=wire.RSA,
            token="98cb431e61ae03817f6a",
            more={"oauth_verifier": "4e253ee389df74010b6b"},
        ),
    )


def third_example():
    return wire.base_string(
        "POST",
        f"{API}/oauth/live_session_token",
        wire.parameters(
            consumer_key="TESTCONS",
            nonce="e8181dd345bcc1a7237df79cd1b59219",
            timestamp=1722886871,
            method=wire.RSA,
            token="e84c11dc149cb96ee5bb",
            more={"diffie_hellman_challenge": V3_CHALLENGE},
        ),
        prepend=V3_PREPEND,
    )


def test_the_base_strings_of_the_published_examples_are_exact():
    """One wrong byte is a bare 401."""
    assert first_example() == V1_BASE
    assert second_example() == V2_BASE
    assert (
        hashlib.sha256(third_example().encode()).hexdigest()
        == "2973cbd1e22bb740263baf47e9ea95607c49eaf010d006b40b269e1352eb2834"
    )


@pytest.mark.parametrize(
    ("example", "signature"),
    [(first_example, V1_SIGNATURE), (second_example, V2_SIGNATURE), (third_example, V3_SIGNATURE)],
)
def test_the_published_signatures_are_of_our_base_strings(example, signature, published):
    """These were accepted by the live service."""
    assert wire.verify_with_rsa(example(), signature, published)
    assert not wire.verify_with_rsa(example() + "x", signature, published)
    assert not wire.verify_with_rsa(example(), "no base64", published)


def test_the_published_token_proves_itself():
    """The fourth example."""
    token = base64.b64decode("YBWbLw+9RYP2nWrPQHxHZkBb1aM=")
    signature = "543c55477d6cbb0e792d1e4f8111cec7305ba3f4"

    assert wire.is_proven(token, "TESTCONS", signature)
    assert wire.is_proven(token, "TESTCONS", f" {signature.upper()}\n")
    assert not wire.is_proven(token, "TESTCONT", signature)
    assert not wire.is_proven(token, "TESTCONS", "")
    assert not wire.is_proven(token, "TESTCONS", "é")


SMALL_PRIME = int("ed016e7a503ade7c29060cc6c374296984cced37004e12b6fd104111c4a0712b", 16)


@pytest.mark.parametrize(
    ("prime", "ours", "challenge", "theirs", "consumer", "secret", "bits", "token", "signature"),
    [
        pytest.param(
            int(GROUP_14, 16),
            "6861072c1e753a938661abe05b1b90b46762b34f4e26ea8e603235a1e58e1b1c",
            "a33b36074092a0c9",
            V5_HALF,
            "TESTCONS",
            "518c3b7a385f43d205b8157b8cd2fc0f3e036150",
            2046,
            "UhOSgye8ZpucdR3UVXWb22rnU2I=",
            "e79afa8a3e0d7a0879bf34ace2ee13052dbc858e",
            id="the fifth, without a sign byte",
        ),
        pytest.param(
            int(GROUP_14, 16),
            "7f780056b2cde10df1adedbc5c915e933e108dd1d5424a1ff33b82db7842ae8c",
            "1dc7787cb842928a",
            V6_HALF,
            "TESTCONS",
            "2973a1b862d4d2b3a4472c91e6ca46a34182a93f",
            2048,
            "qO96d62ORE4Qa/IM9PNAbSyRXlI=",
            "2bd8d17d2e5e2002ad4fa14b85eb637d26c9e8d7",
            id="the sixth, with one",
        ),
        pytest.param(
            SMALL_PRIME,
            "2c093bfcaf858b676e8b81070e1f9b9e55f2000fe1e730dc0fe4bfcecc76f2b9",
            "7d04de39dec12123f206ba594052de12115dc493fa70b1b7497f640d6f6574f",
            "b0d05da3a25be9de6aec64fa10adb199a3df941aabed737e43d89d0a1a8e0111",
            "ZCSGTLJAN",
            "be35c67ffb0452d0547c0d929565f7d1404cef05a63b582c496e3c401fd92603",
            256,
            "vF0KfK5239p+7JfUbJmqFJFGkCE=",
            "a2007306e162a8e9c69c217a4cd3c157e7a35803",
            id="the seventh, a challenge with an odd number of digits",
        ),
        pytest.param(
            int(TEST_PRIME, 16),
            "01" * 32,
            "",
            f"{pow(2, int('0b' * 32, 16), int(TEST_PRIME, 16)):x}",
            "TESTCONS",
            V3_PREPEND,
            2048,
            "imnldzIJVmoC+nV8e7F6jttv8ZA=",
            "152f99bce7e322072baabb7a951faadf2f9cf26b",
            id="the test consumer's prime, with a sign byte",
        ),
        pytest.param(
            int(TEST_PRIME, 16),
            "03" * 32,
            "",
            f"{pow(2, int('0b' * 32, 16), int(TEST_PRIME, 16)):x}",
            "TESTCONS",
            V3_PREPEND,
            2043,
            "TbPXCivOk1wgq1dLaEsAEN0Jf8A=",
            "daa0cef47ecbbe2608ddd03f218eef27fec375a7",
            id="the same without",
        ),
    ],
)
def test_the_published_handshakes_give_their_tokens(
    prime, ours, challenge, theirs, consumer, secret, bits, token, signature
):
    """Challenge, common key with its sign byte, token and proof."""
    exponent = int(ours, 16)

    sent = wire.challenge(exponent, prime=prime, generator=2)
    shared = wire.shared_key(theirs, exponent, prime=prime)
    made = wire.live_session_token(shared, bytes.fromhex(secret))

    assert sent.startswith(challenge)
    assert int.from_bytes(shared, "big").bit_length() == bits
    assert (shared[0] == 0) == (bits % 8 == 0)
    assert base64.b64encode(made).decode() == token
    assert wire.is_proven(made, consumer, signature)


@pytest.mark.parametrize(
    ("token", "signature"),
    [
        ("UhOSgye8ZpucdR3UVXWb22rnU2I=", "zXxt8hukWjuN/vMjtm1W1uPsTizOY1gw68FTmr62Xkg="),
        ("qO96d62ORE4Qa/IM9PNAbSyRXlI=", "A+Gz3LNW52ZYnnYak54ZrZtzztYCiFtpJyr5PICe5e4="),
    ],
)
def test_a_request_is_signed_as_in_the_eighth_example(token, signature):
    """Base string, HMAC and the header that carries it."""
    oauth = wire.parameters(
        consumer_key="TESTCONS",
        nonce="b2490f57a3b0",
        timestamp=1714489440,
        method=wire.HMAC,
        token="a1b2c3d4e5f60718293a",
    )

    base = wire.base_string("get", f"{API}/portfolio/accounts", oauth)
    signed = wire.sign_with_token(base, base64.b64decode(token))

    assert base == V8_BASE
    assert signed == signature
    assert wire.header("limited_poa", oauth, signed) == (
        'OAuth realm="limited_poa", oauth_consumer_key="TESTCONS", oauth_nonce="b2490f57a3b0", '
        f'oauth_signature="{wire.encode(signature)}", oauth_signature_method="HMAC-SHA256", '
        'oauth_timestamp="1714489440", oauth_token="a1b2c3d4e5f60718293a"'
    )


# Encoding and base strings ----------------------------------------------------------------------


def test_only_unreserved_characters_stay_as_they_are():
    """A slash and a blank are where other encoders differ."""
    assert wire.encode("abc+/=&123") == "abc%2B%2F%3D%26123"
    assert wire.encode("a-b_c.d~e") == "a-b_c.d~e"
    assert wire.encode("BRK B") == "BRK%20B"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_encoded_can_be_read_back(text):
    """And holds nothing but unreserved characters, per cent signs and capitals' hex."""
    encoded = wire.encode(text)

    assert unquote(encoded) == text
    assert encoded.isascii()


def test_query_parameters_are_sorted_in_and_encoded_once():
    """A comma becomes %2C and not %252C."""
    oauth = wire.parameters(consumer_key="C", nonce="n", timestamp=1, method=wire.HMAC, token="t")

    base = wire.base_string(
        "GET", f"{API}/iserver/marketdata/snapshot", oauth, {"fields": "84,86", "conids": "15016128,39453424"}
    )

    assert base.startswith(
        "GET&https%3A%2F%2Fapi.ibkr.com%2Fv1%2Fapi%2Fiserver%2Fmarketdata%2Fsnapshot&"
        "conids%3D15016128%2C39453424%26fields%3D84%2C86%26oauth_consumer_key%3DC%26"
    )


@pytest.mark.parametrize(
    ("url", "signed"),
    [
        ("HTTPS://API.ibkr.com:443/v1/api/A", "https://api.ibkr.com/v1/api/A"),
        ("http://127.0.0.1:5000/v1/api", "http://127.0.0.1:5000/v1/api"),
        ("http://127.0.0.1:80/v1/api?a=b", "http://127.0.0.1/v1/api"),
        ("http://[::1]:5000/v1/api", "http://[::1]:5000/v1/api"),
    ],
)
def test_the_address_is_signed_without_query_and_usual_port(url, signed):
    """RFC 5849, section 3.4.1.2."""
    assert wire.base_string("GET", url, {}) == f"GET&{wire.encode(signed)}&"


# The secret and the handshake -------------------------------------------------------------------


@given(secret=st.binary(min_size=1, max_size=64))
def test_a_sealed_secret_is_opened_whatever_its_length(secret, own_key):
    """20 and 32 bytes were both seen."""
    sealed = base64.b64encode(own_key.public_key().encrypt(secret, padding.PKCS1v15())).decode()

    assert wire.unseal(f" {sealed[:100]}\n{sealed[100:]}", own_key) == secret


@pytest.mark.parametrize(
    ("sealed", "words"),
    [
        ("abc", "no base64"),
        ("é" * 8, "no base64"),
        (base64.b64encode(bytes(200)).decode(), "200 bytes and not 256"),
        (base64.b64encode(b"\xff" * 256).decode(), "cannot be decrypted"),
    ],
)
def test_a_secret_that_cannot_be_opened_says_why(sealed, words, own_key):
    """A missing character is the usual cause; none of it is quoted."""
    with pytest.raises(ValueError, match=words) as refused:
        wire.unseal(sealed, own_key)

    assert sealed not in str(refused.value)


def test_what_is_signed_can_be_verified(own_key):
    """With the public half, and only for that text."""
    signature = wire.sign_with_rsa("POST&a&b", own_key)

    assert wire.verify_with_rsa("POST&a&b", signature, own_key.public_key())
    assert not wire.verify_with_rsa("POST&a&c", signature, own_key.public_key())


def java_bytes(number):
    """Two's complement in as few bytes as it takes: the other side's way, written differently."""
    size = 1
    while True:
        try:
            return number.to_bytes(size, "big", signed=True)
        except OverflowError:
            size += 1


@given(st.integers(min_value=0, max_value=2**80))
def test_numbers_are_written_as_java_does(number):
    """255 takes two bytes and 127 one."""
    assert wire.number_bytes(number) == java_bytes(number)


def test_random_handshakes_agree_with_the_other_side():
    """Half of them need the sign byte; none may fail."""
    chance = random.Random(20261124)
    prime = int(TEST_PRIME, 16)
    signed = 0

    for _ in range(HANDSHAKES):
        ours, theirs = chance.getrandbits(256), chance.getrandbits(256)
        secret = chance.randbytes(32)
        challenge = int(wire.challenge(ours, prime=prime, generator=2), 16)
        common = java_bytes(pow(challenge, theirs, prime))
        signed += common[0] == 0
        shared = wire.shared_key(f"{pow(2, theirs, prime):x}", ours, prime=prime)

        assert shared == common
        assert wire.is_proven(
            wire.live_session_token(shared, secret),
            "TESTCONS",
            # The other side has its own way to the proof.
            _proof(common, secret),
        )

    assert 0 < signed < HANDSHAKES


def _proof(common, secret):
    from cryptography.hazmat.primitives import hashes, hmac

    def sha1(key, text):
        made = hmac.HMAC(key, hashes.SHA1())  # noqa: S303  (the protocol's own)
        made.update(text)
        return made.finalize()

    return sha1(sha1(common, secret), b"TESTCONS").hex()


@pytest.mark.parametrize(
    "half",
    [
        "",
        "0",
        "1",
        "-1",
        "0x2",
        "1_0",
        "zz",
        f"{SMALL_PRIME - 1:x}",
        f"{SMALL_PRIME:x}",
        f"{SMALL_PRIME * 2:x}",
    ],
)
def test_a_worthless_half_gives_no_key(half):
    """An empty one comes with a 200; the others would make the key known to anybody."""
    assert wire.shared_key(half, 12345, prime=SMALL_PRIME) is None


def test_leading_zeros_and_odd_lengths_of_a_half_do_not_matter():
    """IBKR leaves zeros out or sends them."""
    assert wire.shared_key("0005a3", 3, prime=SMALL_PRIME) == wire.shared_key(" 5A3 ", 3, prime=SMALL_PRIME)


# Answers ----------------------------------------------------------------------------------------


def test_a_handshake_is_read():
    """The documented answer."""
    found = wire.read_handshake(
        {
            "diffie_hellman_response": "ab",
            "live_session_token_signature": "cd",
            "live_session_token_expiration": 1714669716258,
        }
    )

    assert found == wire.Handshake(response="ab", signature="cd", expiration=1714669716258)
    assert "ab" not in repr(found)
    assert "cd" not in repr(found)


def test_an_empty_half_is_a_handshake_to_make_again():
    """Its signature may be missing then."""
    found = wire.read_handshake({"diffie_hellman_response": "", "live_session_token_expiration": True})

    assert found == wire.Handshake(response="", signature="")


@pytest.mark.parametrize(
    "content", [None, [], "text", {}, {"diffie_hellman_response": 5}, {"diffie_hellman_response": "ab"}]
)
def test_another_shape_is_no_handshake(content):
    """Nothing is guessed."""
    assert wire.read_handshake(content) is None


def test_the_tokens_of_a_third_party_are_read():
    """The flag is misspelt in one document."""
    assert wire.read_request_token({"oauth_token": "b9082d68cfef06b030de"}) == "b9082d68cfef06b030de"
    assert wire.read_access_token(
        {"is_paper": True, "oauth_token": "t", "oauth_token_secret": "s"}
    ) == wire.AccessToken(token="t", secret="s", is_paper=True)
    assert (
        wire.read_access_token({"is_true": False, "oauth_token": "t", "oauth_token_secret": "s"}).is_paper
        is False
    )
    assert wire.read_access_token({"oauth_token": "t", "oauth_token_secret": "s"}).is_paper is None
    assert repr(wire.AccessToken(token="t", secret="s")) == "AccessToken(is_paper=None)"


@pytest.mark.parametrize(
    "content",
    [None, {}, {"oauth_token": ""}, {"oauth_token": "t"}, {"oauth_token": "t", "oauth_token_secret": ""}],
)
def test_another_shape_is_no_access_token(content):
    """Nothing is guessed."""
    assert wire.read_access_token(content) is None


def test_the_page_for_the_user_is_named():
    """The request token goes along, encoded."""
    assert wire.authorize_address("a/b") == "https://www.interactivebrokers.com/authorize?oauth_token=a%2Fb"


def milliseconds(moment):
    return int(moment.timestamp() * 1000)


@pytest.mark.parametrize(
    ("expiration", "ends"),
    [
        pytest.param(milliseconds(NOW + timedelta(hours=20)), NOW + timedelta(hours=20), id="as documented"),
        pytest.param(None, NOW + timedelta(hours=24), id="missing"),
        pytest.param(milliseconds(NOW), NOW + timedelta(hours=24), id="the moment of issue"),
        pytest.param(milliseconds(NOW + timedelta(seconds=60)), NOW + timedelta(hours=24), id="all but past"),
        pytest.param(milliseconds(NOW + timedelta(seconds=61)), NOW + timedelta(seconds=61), id="soon"),
        pytest.param(int(NOW.timestamp()) + 3600, NOW + timedelta(hours=24), id="seconds"),
        pytest.param(-5, NOW + timedelta(hours=24), id="negative"),
        pytest.param(10**30, NOW + timedelta(hours=24), id="beyond every calendar"),
    ],
)
def test_the_end_of_a_token_is_believed_within_reason(expiration, ends):
    """One reading of the figure makes it the moment of issue."""
    assert wire.ends_at(expiration, NOW) == ends


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (401, '{"error":"id: 3931, error: invalid consumer","statusCode":401}', wire.Refusal.CONSUMER),
        (
            401,
            '{"error":"id: 118871, error: LST failed, error: No access secret key found for x","statusCode":401}',
            wire.Refusal.NO_SECRET,
        ),
        (401, "", wire.Refusal.SIGNATURE),
        (401, '{"error":"Invalid signature"}', wire.Refusal.SIGNATURE),
        (401, '{"error":"token expired"}', wire.Refusal.EXPIRED),
        (403, "<html><title>Access Denied</title></html>", wire.Refusal.FORBIDDEN),
        (401, '{"error":"something else"}', wire.Refusal.OTHER),
        (400, '{"error":"missing oauth_nonce"}', wire.Refusal.OTHER),
    ],
)
def test_a_refusal_is_told_by_its_words(status, body, reason):
    """Each has another remedy."""
    assert wire.refusal(decipher(status, None, body.encode())) is reason
