"""Hold what we believe about IBKR against a paper account, with orders of one share.

:mod:`.facts` reads the page of beliefs, :mod:`.recording` keeps what was said, without what tells who;
:mod:`.battery` does what a trader could do, :mod:`.judges` decides from the recording alone, and
:mod:`.command` is what is typed. A live account is refused, twice.
"""
