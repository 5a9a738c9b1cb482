"""For FastAPI: an application's `AsyncPulso`, which has told all when the application ends.

Must not know what is said.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI
from fastapi.requests import HTTPConnection

from pulso.aio import AsyncPulso


def lifespan(pulso: AsyncPulso, *, timeout: float = 3) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """`FastAPI(lifespan=lifespan(AsyncPulso(...)))`. At its end what waits is told, for `timeout` seconds at most."""

    @asynccontextmanager
    async def alive(app: FastAPI) -> AsyncIterator[None]:
        app.state.pulso = pulso
        try:
            yield
        finally:
            await pulso.aclose(timeout)

    return alive


def of_app(connection: HTTPConnection) -> AsyncPulso:
    pulso = getattr(connection.app.state, "pulso", None)
    if not isinstance(pulso, AsyncPulso):
        raise RuntimeError("the application has no Pulso: FastAPI(lifespan=lifespan(AsyncPulso(...)))")
    return pulso


PulsoDependency = Annotated[AsyncPulso, Depends(of_app)]
"""`async def sell(pulso: PulsoDependency)`"""
