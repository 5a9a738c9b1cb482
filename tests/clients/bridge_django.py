"""Sends to the groups of Django's channels_redis, and writes to Redis whatever it is told, until its input ends.

    python bridge_django.py --url redis://127.0.0.1:6379 --layer core|pubsub [--prefix asgi] [--serializer msgpack|json]

Input, one JSON object a line: {"group":"staff_orders","messages":[{"type":…}, …]}, or {"redis":["5a41…", …]}, a command in
hexadecimal digits; each is answered with {"event":"done"}.
"""

import argparse
import asyncio
import json
import sys

import redis
from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--layer", choices=["core", "pubsub"], required=True)
    parser.add_argument("--prefix", default="asgi")
    parser.add_argument("--serializer", default="msgpack")
    return parser.parse_args()


async def main(options):
    layer = {"core": RedisChannelLayer, "pubsub": RedisPubSubChannelLayer}[options.layer]
    channel_layer = layer(hosts=[options.url], prefix=options.prefix, serializer_format=options.serializer)
    plain = redis.Redis.from_url(options.url)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        told = json.loads(line)
        if "redis" in told:
            plain.execute_command(*[bytes.fromhex(part) for part in told["redis"]])
        for message in told.get("messages", []):
            await channel_layer.group_send(told["group"], message)
        print(json.dumps({"event": "done"}), flush=True)


asyncio.run(main(arguments()))
