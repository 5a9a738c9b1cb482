"""A client on `python-socketio`: takes the options of socketio_client.mjs and prints the same lines, until its input ends.

Only what the tests need of it: it does not come back by itself.
"""

import argparse
import json
import sys
import threading
from collections import deque
from urllib.parse import urlsplit

import engineio
import socketio
from socketio.exceptions import ConnectionError as Refused

lock = threading.Lock()


def print_line(line):
    with lock:
        print(json.dumps(line, ensure_ascii=False), flush=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--transports", default="polling,websocket")
    parser.add_argument("--bearer")
    parser.add_argument("--auth", type=json.loads, default={})
    parser.add_argument("--since")
    return parser.parse_args()


class Engine(engineio.Client):
    """Handles packets in the order in which they came; by default each gets a thread of its own."""

    def _trigger_event(self, event, *args, **options):
        return super()._trigger_event(event, *args, **{**options, "run_async": False})


class Client(socketio.Client):
    """Keeps each event's packet as it came."""

    def __init__(self):
        super().__init__(reconnection=False)
        self.raws = deque()

    def _engineio_client_class(self):
        return Engine

    def _handle_eio_message(self, data):
        if isinstance(data, str) and data.startswith("2"):
            self.raws.append(data)
        super()._handle_eio_message(data)


def main():
    options = arguments()
    client = Client()
    parts = urlsplit(options.url)
    namespace = parts.path if parts.path not in ("", "/") else "/"
    auth = options.auth if options.since is None else {**options.auth, "since": options.since}
    headers = {} if options.bearer is None else {"Authorization": f"Bearer {options.bearer}"}

    client.on("connect", lambda: print_line({"event": "connect", "transport": client.transport()}), namespace=namespace)
    client.on("disconnect", lambda reason: print_line({"event": "disconnect", "reason": reason}), namespace=namespace)

    def on_refused(data):
        print_line({"event": "connect_error", "message": data.get("message") if isinstance(data, dict) else str(data)})

    def on_any(name, *args):
        print_line({"event": "message", "name": name, "args": args, "raw": client.raws.popleft()})

    client.on("connect_error", on_refused, namespace=namespace)
    client.on("*", on_any, namespace=namespace)
    try:
        client.connect(
            f"{parts.scheme}://{parts.netloc}",
            headers=headers,
            auth=auth,
            transports=options.transports.split(","),
            namespaces=[namespace],
        )
    except Refused:
        sys.stdin.read()
        return
    for line in sys.stdin:
        told = json.loads(line)
        if "emit" in told:
            for _ in range(told.get("times", 1)):
                client.emit(told["emit"], *told.get("args", []), namespace=namespace)
        print_line({"event": "done"})
    client.disconnect()


if __name__ == "__main__":
    main()
