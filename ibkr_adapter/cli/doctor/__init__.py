"""Look at everything that stands between this machine and an order, and say what to do about it.

One step for each stage, in the order in which one rests on the other (:mod:`.steps`). What is on this
machine is for :mod:`.local`, the way to the server for :mod:`.network`, what the server says for
:mod:`.logins`; :mod:`.examination` puts them in a row and :mod:`.command` prints them. Nothing is
changed: no session is opened and no token asked for, unless ``--login`` says so.
"""
