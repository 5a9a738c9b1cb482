"""Sends a call once.

Must not know whether it is sent again.
"""

import asyncio

import httpx

from pulso.job import Job
from pulso.options import Settings
from pulso.queue import AT_ONCE
from pulso.retry import Answer, NoAnswer, Outcome


class Sender:
    """Of one event loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # A redirection would carry the key to wherever it leads.
        self._client = httpx.AsyncClient(
            follow_redirects=False,
            timeout=settings.timeout,
            limits=httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE),
        )

    async def send(self, job: Job) -> Outcome:
        headers = {"content-type": "application/json", "accept": "application/json"}
        if self._settings.key is not None:
            headers["authorization"] = f"Bearer {self._settings.key}"
        if job.idempotency_key is not None:
            headers["idempotency-key"] = job.idempotency_key
        timeout = self._settings.timeout
        try:
            call = self._client.post(self._settings.url + job.path, content=job.body, headers=headers)
            # Those of httpx begin anew with each part of an answer.
            response = await asyncio.wait_for(call, timeout)
        except (TimeoutError, asyncio.TimeoutError, httpx.TimeoutException):
            return NoAnswer(f"no answer within {timeout:g} s")
        except (httpx.HTTPError, OSError) as failure:
            return NoAnswer(f"no answer ({type(failure).__name__})")
        return Answer(response.status_code, response.content, response.headers.get("retry-after"))

    async def close(self) -> None:
        await self._client.aclose()
