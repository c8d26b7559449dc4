"""Where can it go? The name asked for is looked up, before anything is spent on the call."""

from gateway.catalog import Catalog, Route
from gateway.errors import ModelNotAllowed, ModelNotFound
from gateway.exchange import ModelCall, Principal


def find_route(call: ModelCall, who: Principal, catalog: Catalog) -> Route:
    """The route of the model asked for. Raises ModelNotFound, ModelNotAllowed."""
    if who.allowed_models is not None and call.model not in who.allowed_models:
        raise ModelNotAllowed(f"This key may not use the model {call.model!r}.", param="model")
    route = catalog.find(call.model)
    if route is None:
        raise ModelNotFound(f"There is no model {call.model!r}.", param="model")
    return route
