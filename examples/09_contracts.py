"""Find what to trade by its name, and see what a name that fits several things brings.

Only reads are made. Every method that takes a symbol takes these names.
"""

from ibkr_adapter import IBKRExchange
from ibkr_adapter.errors import AmbiguousContract, ContractNotFound

NAMES = ["AAPL", "AAPL 2026-12-18 165 C", "ESZ6", "@ES", "EUR.USD", "BTC.USD@PAXOS"]


def main(ibkr: IBKRExchange) -> None:
    for name in NAMES:
        contract = ibkr.contracts.resolve(name)
        print(f"{name:22} is {contract.conid}, for hosts {ibkr.contracts.name_of(contract)}")

    # Nothing is guessed: what fits several is refused with the list, each with what to write.
    try:
        ibkr.get_ticker("GOLD")
    except AmbiguousContract as several:
        print("GOLD is one of", [candidate.write for candidate in several.candidates])
    try:
        ibkr.get_ticker("ES")
    except ContractNotFound as nothing:
        print(nothing)

    print(ibkr.contracts.find("GOLD"))
    print(ibkr.contracts.futures_chain("ES"))


if __name__ == "__main__":
    with IBKRExchange.simulated() as exchange:
        main(exchange)
