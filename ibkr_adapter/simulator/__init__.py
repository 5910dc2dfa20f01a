"""A local Interactive Brokers to run programs and tests against.

The broker itself (sessions, market, orders, portfolio, faults) is a pure function from a request to
an answer and lives in :mod:`.gateway`. Sockets, TLS and broken connections are in :mod:`.server`,
which needs the extra ``simulator``. The two meet in :mod:`.door` and nowhere else.

Nothing is imported here, so that a program that only wants the broker does not pay for a web server.
"""
