"""Start IBKR's Client Portal Gateway, see somebody logged in, keep the session up, and stop it.

What there is of it on this machine is for :mod:`.installation`, its conf.yaml for
:mod:`.configuration`, processes and browser are the door :mod:`.machine`; :mod:`.watch` goes from the
start to the session and stays with it, :mod:`.command` is what is typed. A password is never asked for,
read or passed on: it is typed into IBKR's page.

Source: the gateway's own conf.yaml and bin/run.sh, as others have published them.
"""
