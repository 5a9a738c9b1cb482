"""A client on Python `websockets`: subscribes, prints every frame as a JSON line, ends well when its condition is met.

Takes the same options as ws_client.mjs and prints the same lines. Exit 0 when the condition was met, 1 otherwise.
"""

import argparse
import asyncio
import json
import os
import random
import sys
from urllib.parse import quote

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus


class Failed(Exception):
    """The run can't meet its condition any more."""


def print_line(line):
    print(json.dumps(line, ensure_ascii=False), flush=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--token", default=os.environ.get("TOKEN", ""))
    parser.add_argument("--auth", choices=["query", "header", "message", "none"], default="query")
    parser.add_argument("--channel", action="append", default=[])
    parser.add_argument("--send", action="append", default=[])
    parser.add_argument("--count", type=int)
    parser.add_argument("--until", type=json.loads)
    parser.add_argument("--until-close", action="store_true")
    parser.add_argument("--timeout-ms", type=int, default=10_000)
    parser.add_argument("--reconnect", action="store_true")
    parser.add_argument("--origin")
    return parser.parse_args()


class Client:
    def __init__(self, options):
        self.options = options
        self.frames = 0
        self.stats = 0
        self.connections = 0

    def done(self):
        return {"event": "done", "frames": self.frames, "stats": self.stats, "connections": self.connections}

    def met(self, frame):
        wanted, expected = self.options.count, self.options.until
        if wanted is not None and self.frames >= wanted:
            return True
        data = frame.get("data") if isinstance(frame.get("data"), dict) else {}
        return expected is not None and all(data.get(k, frame.get(k)) == v for k, v in expected.items())

    async def run(self):
        while True:
            try:
                if await self.one_connection():
                    return
            except ConnectionClosed:
                if self.options.until_close:
                    return
            except InvalidStatus:
                raise
            except (OSError, InvalidHandshake) as error:
                if not self.options.reconnect:
                    raise Failed(f"{type(error).__name__}: {error}") from error
            if not self.options.reconnect:
                raise Failed("closed before the condition was met")
            await asyncio.sleep(random.random() * min(3.0, 0.1 * 2 ** min(self.connections, 5)))

    async def one_connection(self):
        options = self.options
        self.connections += 1
        url, headers = options.url, {}
        if options.auth == "query":
            url += ("&" if "?" in url else "?") + "token=" + quote(options.token, safe="")
        elif options.auth == "header":
            headers["Authorization"] = f"Bearer {options.token}"
        # No proxy from the environment: the server under test is on this machine.
        async with connect(url, additional_headers=headers, origin=options.origin, proxy=None) as socket:
            print_line({"event": "open", "connection": self.connections})
            if options.auth == "message":
                await socket.send(json.dumps({"type": "auth", "token": options.token}))
            for channel in options.channel:
                await socket.send(json.dumps({"type": "subscribe", "data": {"channel": channel}}))
            for raw in options.send:
                await socket.send(raw)
            try:
                async for message in socket:
                    if self.on_message(message):
                        return True
            finally:
                if socket.close_code is not None:
                    print_line({"event": "close", "code": socket.close_code, "reason": socket.close_reason})
            return options.until_close

    def on_message(self, message):
        if not isinstance(message, str):
            raise Failed("a frame is binary")
        try:
            frame = json.loads(message)
        except ValueError as error:
            raise Failed(f"a frame is not JSON: {message[:200]}") from error
        if not isinstance(frame, dict):
            raise Failed(f"a frame is not one JSON object: {message[:200]}")
        print_line({"event": "frame", "connection": self.connections, "frame": frame})
        self.frames += 1
        self.stats += frame.get("type") == "stats"
        return self.met(frame)


async def main():
    options = arguments()
    client = Client(options)
    try:
        await asyncio.wait_for(client.run(), options.timeout_ms / 1000)
    except TimeoutError:
        print_line({"event": "failed", "reason": f"condition not met in {options.timeout_ms} ms; frames {client.frames}, stats {client.stats}"})
        return 1
    except InvalidStatus as error:
        body = (error.response.body or b"").decode("utf-8", "replace")
        print_line({"event": "refused", "status": error.response.status_code, "body": body})
        return 1
    except Failed as error:
        print_line({"event": "failed", "reason": str(error)})
        return 1
    print_line(client.done())
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
