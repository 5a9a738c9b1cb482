"""An HTTP server that answers as a test says: what a test cannot make the real one do at will."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LIMIT = 30


@dataclass
class Heard:
    path: str
    headers: Any
    body: Any
    text: str
    at: float


@dataclass
class Answer:
    status: int = 200
    body: Any = field(default_factory=lambda: {"ok": True, "clients": 1})
    headers: dict[str, str] = field(default_factory=dict)


class StandIn:
    """Answers call after call as `answer` says; `None` cuts the line."""

    def __init__(self, answer: Callable[[Heard, int], Answer | None]) -> None:
        self.heard: list[Heard] = []
        self._came = threading.Condition()
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:  # noqa: N802
                text = self.rfile.read(int(self.headers["content-length"])).decode()
                heard = Heard(self.path, self.headers, json.loads(text), text, time.monotonic())
                with stand_in._came:
                    place = len(stand_in.heard)
                    stand_in.heard.append(heard)
                    stand_in._came.notify_all()
                said = answer(heard, place)
                if said is None:
                    self.close_connection = True
                    self.connection.close()
                    return
                body = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
                self.send_response(said.status)
                for name, value in {"content-length": str(len(body)), **said.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

            def finish(self) -> None:
                try:
                    super().finish()
                except OSError:
                    pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def until(self, count: int) -> None:
        with self._came:
            assert self._came.wait_for(lambda: len(self.heard) >= count, LIMIT), f"{len(self.heard)} of {count} calls came"

    def __enter__(self) -> "StandIn":
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def saying(*answers: Answer | None) -> StandIn:
    """One answer after the other; the last for all that follow."""
    return StandIn(lambda _, place: answers[min(place, len(answers) - 1)])
