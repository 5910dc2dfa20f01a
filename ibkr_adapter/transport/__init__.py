"""Carry requests to IBKR and answers back: the only room that knows requests and urllib3.

One call is one request on a kept-alive line: never repeated, never redirected, over in time, and
where it fails the error says whether IBKR can have acted. Signing is for
:mod:`ibkr_adapter.auth`, meaning for :mod:`ibkr_adapter.wire.response`, repeating reads for
:mod:`ibkr_adapter.client`, trust in a certificate for :mod:`ibkr_adapter.tls`.

Inside: :mod:`.over_requests` makes the call, :mod:`.adapter`, :mod:`.lines` and :mod:`.answer` are
the line it goes by, :mod:`.call` the record of what left, :mod:`.failures` what that means,
:mod:`.cookies` the jar and :mod:`.unpacking` gzip.
"""

from ibkr_adapter.transport.contract import Answer, Transport
from ibkr_adapter.transport.over_requests import RequestsTransport

__all__ = ["Answer", "RequestsTransport", "Transport"]
