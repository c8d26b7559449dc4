"""Where can it go? The name asked for becomes an ordered list of targets that speak the endpoint's dialect."""

import random

from gateway.catalog import Catalog, Route
from gateway.errors import InvalidRequest, ModelNotAllowed, ModelNotFound
from gateway.exchange import Endpoint, ModelCall, Principal, Target
from gateway.services import Connection


def find_route(call: ModelCall, who: Principal, catalog: Catalog) -> Route:
    """The route of the model asked for. Raises ModelNotFound, ModelNotAllowed."""
    if who.allowed_models is not None and call.model not in who.allowed_models:
        raise ModelNotAllowed(f"This key may not use the model {call.model!r}.", param="model")
    route = catalog.find(call.model)
    if route is None:
        raise ModelNotFound(f"There is no model {call.model!r}.", param="model")
    return route


def candidates(
    call: ModelCall, route: Route, catalog: Catalog, connections: dict[str, Connection], rng: random.Random
) -> list[Target]:
    """The targets to try, best first: the route's own by weight, then each fallback's. Raises InvalidRequest when no
    one behind the name speaks this endpoint."""
    found = _that_speak(call.endpoint, route.in_order(rng), connections)
    for name in route.fallbacks:
        fallback = catalog.find(name)
        if fallback is not None:
            found += _that_speak(call.endpoint, fallback.in_order(rng), connections)
    if not found:
        raise InvalidRequest(f"The model {call.model!r} can't be reached by /v1/{call.endpoint}.", param="model")
    return found


def _that_speak(endpoint: Endpoint, targets: list[Target], connections: dict[str, Connection]) -> list[Target]:
    speaking = []
    for target in targets:
        connection = connections.get(target.provider)
        if connection is not None and connection.serves(endpoint):
            speaking.append(target)
    return speaking
