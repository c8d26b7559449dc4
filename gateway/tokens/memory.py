"""The honest fake of the token store: a dictionary of digests."""

from gateway.exchange import Principal
from gateway.tokens.base import TokensUnavailable, digest


class MemoryTokenStore:
    """`is_down` makes it answer as a database that is away."""

    def __init__(self) -> None:
        self._principals: dict[bytes, Principal] = {}
        self.is_down = False
        self.lookups = 0

    def add(self, token: str, principal: Principal) -> None:
        self._principals[digest(token)] = principal

    def revoke(self, token: str) -> None:
        self._principals.pop(digest(token), None)

    async def find(self, token_hash: bytes) -> Principal | None:
        self.lookups += 1
        if self.is_down:
            raise TokensUnavailable("switched off")
        return self._principals.get(token_hash)
