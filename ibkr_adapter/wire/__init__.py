"""IBKR's JSON and protocol, pure: no clock, no randomness, no threads, no I/O."""
