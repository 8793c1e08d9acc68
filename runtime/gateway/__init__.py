"""The gateway's server: HTTP on FastAPI and uvicorn, `/ws` on a protocol of its own, the page.

`listen` (the listening socket), `server` (the event loop's thread, what the actor holds), `fanout` and `connection`
(clients of /ws), `site` (the HTTP application) with its routes.
"""
