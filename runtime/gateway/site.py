"""The HTTP application: the page, the routes, errors, and the edge around them."""

from collections.abc import Callable

from fastapi import FastAPI
from starlette.types import ASGIApp

from tickwire.runtime.gateway.admission import Policy
from tickwire.runtime.gateway.directory import Directory
from tickwire.runtime.gateway.edge import SOCKET_IO, Edge
from tickwire.runtime.gateway.page import add_page, load_page
from tickwire.runtime.gateway.past import Past
from tickwire.runtime.gateway.problems import handle_problems
from tickwire.runtime.gateway.redaction import Redaction
from tickwire.runtime.gateway.routes_export import export_routes
from tickwire.runtime.gateway.routes_holes import hole_routes
from tickwire.runtime.gateway.routes_market import market_routes
from tickwire.runtime.gateway.routes_system import system_routes
from tickwire.runtime.gateway.services import Services


def make_site(
    services: Services,
    directory: Directory,
    policy: Policy,
    refused: Callable[[], None],
    redaction: Redaction,
    quflx: ASGIApp,
) -> Edge:
    """`refused` is called for each request that the policy turns away; `quflx` serves `/socket.io/`."""
    app = FastAPI(
        title="tickwire",
        version=services.version,
        summary="Live ticks, candles and the state of the relay.",
        docs_url=None,  # these load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    handle_problems(app)
    past = Past(services, directory)
    app.include_router(system_routes(services))
    app.include_router(market_routes(services, past))
    app.include_router(export_routes(services, past))
    app.include_router(hole_routes(services, past))
    app.mount(SOCKET_IO, quflx)
    add_page(app, load_page())
    return Edge(app, policy, refused, redaction)
