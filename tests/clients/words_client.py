"""A client on Python `websockets` that says what it is told to and prints what it hears: a JSON object a line.

    python words_client.py ws://127.0.0.1:8080/ws?v=2

Reads lines: {"say": text} is sent as it stands, {"bytes": text} as a binary message, {"close": code}. Prints {"event":"open"},
{"event":"frame","text":…}, {"event":"close","code":…,"reason":…} or {"event":"refused","status":…}, and ends with its line.
"""

import asyncio
import json
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus


def print_line(line):
    print(json.dumps(line, ensure_ascii=False), flush=True)


async def say(socket):
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async for line in reader:
        told = json.loads(line)
        try:
            if "say" in told:
                await socket.send(told["say"])
            elif "bytes" in told:
                await socket.send(told["bytes"].encode())
            else:
                await socket.close(told["close"])
        except ConnectionClosed:
            return


async def main():
    try:
        # No proxy from the environment: the server under test is on this machine.
        async with connect(sys.argv[1], proxy=None, max_size=None) as socket:
            print_line({"event": "open"})
            saying = asyncio.create_task(say(socket))
            try:
                async for text in socket:
                    print_line({"event": "frame", "text": text})
            except ConnectionClosed:
                pass
            saying.cancel()
            print_line({"event": "close", "code": socket.close_code, "reason": socket.close_reason})
    except InvalidStatus as error:
        print_line({"event": "refused", "status": error.response.status_code})


asyncio.run(main())
