"""Events are carried out once and in order, or it is said why not: by `Pulso`, and by `AsyncPulso`, which share the most."""

import asyncio
import os
import subprocess
import sys
import threading
from decimal import Decimal

import pytest
from pulso import AsyncPulso, Pulso, PulsoError
from stand_in import LIMIT, Answer, StandIn, saying

KEY = "the-key-of-the-hooks"
SALE = {"negocio_id": "n-1", "saleId": 1, "tableId": None, "total": Decimal("45.50"), "timestamp": "2025-07-20T10:30:00Z"}
TABLE = {"negocio_id": "n-1", "tableId": 1, "action": "status_changed"}
NOWHERE = "http://127.0.0.1:9"


def of(stand_in: StandIn, **options) -> Pulso:
    return Pulso(**{"url": stand_in.url, "key": KEY, "on_error": lambda error: None, **options})


def refusal(told) -> PulsoError:
    with pytest.raises(PulsoError) as caught:
        told.result(LIMIT)
    return caught.value


def test_an_event_is_repeated_with_one_key_until_it_is_accepted():
    statuses = [Answer(status) for status in (408, 429, 500, 502, 503, 504)]
    with saying(None, *statuses, Answer()) as stand_in:
        assert of(stand_in).venta(SALE).result(LIMIT) == {"ok": True, "clients": 1}
        assert len(stand_in.heard) == 8
        assert len({heard.headers["idempotency-key"] for heard in stand_in.heard}) == 1
        for heard in stand_in.heard:
            assert (heard.path, heard.headers["authorization"]) == ("/notify/venta", f"Bearer {KEY}")
            assert '"total":45.50,' in heard.text


def test_a_callers_own_key_is_sent_and_two_events_have_two_keys():
    with saying(Answer()) as stand_in:
        pulso = of(stand_in)
        pulso.venta(SALE, idempotency_key="sale 1").result(LIMIT)
        pulso.venta(SALE)
        pulso.venta(SALE).result(LIMIT)
        first, second, third = (heard.headers["idempotency-key"] for heard in stand_in.heard)
        assert first == "sale 1" and second != third


@pytest.mark.parametrize("status", [400, 401, 404, 405, 413, 415, 302])
def test_what_is_wrong_with_a_call_is_told_at_once_and_not_sent_again(status):
    said = Answer(status, {"error": "bad_request", "message": "saleId is missing"}, {"location": "/notify/mesa"})
    told = []
    with saying(said) as stand_in:
        error = refusal(of(stand_in, on_error=told.append).venta(SALE))
        assert (error.code, error.status, error.word, error.attempts) == ("refused", status, "bad_request", 1)
        assert str(error) == f"venta: {status} bad_request: saleId is missing"
        assert len(stand_in.heard) == 1


def test_what_retry_after_asks_for_is_waited_and_no_more_than_there_is_time_for():
    with saying(Answer(429, {}, {"retry-after": "1"}), Answer()) as stand_in:
        of(stand_in).venta(SALE).result(LIMIT)
        first, second = stand_in.heard
        assert second.at - first.at >= 0.99
    with saying(Answer(503, {"error": "busy", "message": "too many"}, {"retry-after": "3600"})) as stand_in:
        error = refusal(of(stand_in).venta(SALE))
        assert str(error) == "venta: given up after 1 attempt: 503 busy: too many"


def test_what_is_not_accepted_for_so_long_is_given_up_and_says_why():
    error = refusal(Pulso(url=NOWHERE, key=KEY, retry_for=0.5, on_error=lambda error: None).venta(SALE))
    assert error.code == "unavailable" and error.attempts > 1
    assert str(error) == f"venta: given up after {error.attempts} attempts: no answer (ConnectError)"
    opened = threading.Event()
    with StandIn(lambda *_: opened.wait(LIMIT) and Answer()) as silent:
        late = refusal(of(silent, timeout=0.05, retry_for=0).venta(SALE))
        assert str(late) == "venta: given up after 1 attempt: no answer within 0.05 s"
        opened.set()


def test_events_of_one_business_stay_in_order_and_another_does_not_wait_for_them():
    opened, sales = threading.Event(), []

    def answer(heard, _):
        if heard.path != "/notify/venta":
            return Answer()
        sales.append(heard)
        if len(sales) < 3:
            return Answer(503)
        opened.wait(LIMIT)
        return Answer()

    with StandIn(answer) as stand_in:
        pulso, order = of(stand_in), []
        told = [
            pulso.venta(SALE),
            # The same business by another spelling, and by a message of its own.
            pulso.mesa({**TABLE, "negocio_id": "N-1"}),
            pulso.publish([{"channel": "canal:n-1:caja", "type": "x", "data": None}]),
        ]
        for number, one in enumerate(told):
            one.add_done_callback(lambda _, number=number: order.append(number))
        pulso.mesa({**TABLE, "negocio_id": "n-2"}).result(LIMIT)
        assert order == []
        opened.set()
        for one in told:
            one.result(LIMIT)
        paths = [heard.path for heard in stand_in.heard if "n-2" not in heard.text]
        assert paths == [*["/notify/venta"] * 3, "/notify/mesa", "/api/publish"]


def test_a_full_queue_refuses_and_what_is_refused_holds_nothing_up():
    opened = threading.Event()
    with StandIn(lambda *_: opened.wait(LIMIT) and Answer(400)) as stand_in:
        pulso = of(stand_in, max_queued=2)
        kept = [pulso.venta(SALE), pulso.venta(SALE)]
        error = refusal(pulso.mesa(TABLE))
        assert (error.code, str(error), error.attempts) == ("queue_full", "mesa: 2 calls wait already", 0)
        opened.set()
        assert [refusal(one).code for one in kept] == ["refused", "refused"]


def test_flush_tries_at_once_what_waits_and_says_what_is_left():
    pulso = Pulso(url=NOWHERE, key=KEY, retry_for=2, on_error=lambda error: None)
    assert pulso.flush() == 0
    lost = [pulso.venta(SALE), pulso.mesa(TABLE)]
    assert pulso.flush(0.1) == 2
    assert [refusal(one).code for one in lost] == ["unavailable", "unavailable"]
    with saying(None, Answer()) as stand_in:
        back = of(stand_in)
        told = back.venta(SALE)
        stand_in.until(1)
        assert back.flush(LIMIT) == 0
        assert told.done()


@pytest.mark.parametrize("quoted", [KEY, "Ana Pérez", "45.50"])
@pytest.mark.parametrize("status", [400, 503])
def test_neither_key_nor_payload_stands_in_an_error(quoted, status, caplog):
    with saying(Answer(status, {"error": "bad_request", "message": f"what is {quoted}?"})) as stand_in:
        pulso = Pulso(url=stand_in.url, key=KEY, retry_for=0)
        error = refusal(pulso.venta({**SALE, "customer": "Ana Pérez"}))
        text = f"{error} {error!r} {error.__dict__} {error.__cause__} {caplog.text} {pulso._settings}"
        assert error.word == "bad_request"
        assert not any(kept in text for kept in (KEY, "Ana", "45.50")), text


def test_a_key_that_no_header_can_carry_is_refused_before_anything_is_sent_by_its_name():
    with saying(Answer()) as stand_in:
        for key in ("", "a\nb", "a\n", "a\r\nx-api-key: b", " a", "ñ", "x" * 256, 7):
            error = refusal(of(stand_in).venta(SALE, idempotency_key=key))
            assert (error.code, error.field) == ("bad_payload", "idempotency_key"), key
        assert stand_in.heard == []


def test_what_answers_and_is_not_pulso_has_not_taken_an_event():
    with saying(Answer(200, b"<h1>Welcome</h1>")) as stand_in:
        assert str(refusal(of(stand_in).venta(SALE))) == "venta: what answered is not Pulso"


def test_with_an_event_loop_all_is_the_same():
    async def run(stand_in: StandIn) -> None:
        told = []
        async with AsyncPulso(url=stand_in.url, key=KEY, on_error=told.append) as pulso:
            pulso.cita("n-1")
            not_awaited = pulso.mesa(TABLE)
            assert await pulso.venta(SALE) == {"ok": True, "clients": 1}
            assert not_awaited.done()
            with pytest.raises(PulsoError, match="^mesa: action is of the type object, which JSON cannot say$"):
                await pulso.mesa({"action": object()})
            pulso.mesa({"tableId": 2})
        assert [error.code for error in told] == ["bad_payload"]
        assert len(stand_in.heard) == 5

    with saying(None, Answer()) as stand_in:
        asyncio.run(run(stand_in))


SCRIPT = """
import os, sys
from pulso import Pulso
def fail(error): raise RuntimeError("secret")
pulso = Pulso(url=sys.argv[1], key="k", retry_for=20)
pulso.mesa({"tableId": "before", "action": "x"}).result(20)
if os.fork() == 0:
    pulso.mesa({"tableId": "child", "action": "x"})
    sys.exit(0)
os.wait()
pulso.mesa({"tableId": "parent", "action": "x"})
Pulso(url="http://127.0.0.1:9", key="k", retry_for=0, on_error=fail).cita("n-1")
"""


def test_a_process_that_ends_tells_first_and_one_that_was_forked_too():
    with saying(Answer()) as stand_in:
        # By name: it is still found when nothing new can be begun.
        url = stand_in.url.replace("127.0.0.1", "localhost")
        ended = subprocess.run(
            [sys.executable, "-c", SCRIPT, url], capture_output=True, text=True, timeout=60, env=os.environ, check=False
        )
        assert ended.returncode == 0, ended.stderr
        assert [heard.body["tableId"] for heard in stand_in.heard] == ["before", "child", "parent"], ended.stderr
        assert "on_error raised RuntimeError" in ended.stderr and "secret" not in ended.stderr
