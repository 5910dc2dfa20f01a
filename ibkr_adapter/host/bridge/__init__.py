"""The host's methods for programs in other languages: one dispatcher, over a pipe or over loopback HTTP."""
