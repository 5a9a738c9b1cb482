"""Hints are sent at once, merged where they say the same, and never harm who sends them."""

import threading

import pytest
from pulso import Pulso
from stand_in import LIMIT, Answer, StandIn, saying


def of(stand_in: StandIn, **options) -> Pulso:
    return Pulso(**{"url": stand_in.url, "key": None, "on_error": lambda error: pytest.fail(str(error)), **options})


def held() -> tuple[StandIn, threading.Event]:
    """Answers nothing until it is opened."""
    opened = threading.Event()
    return StandIn(lambda *_: opened.wait(LIMIT) and Answer()), opened


def test_of_the_hints_of_a_business_that_wait_the_latest_is_sent():
    stand_in, opened = held()
    with stand_in:
        pulso = of(stand_in)
        pulso.cita("n-1", action="created")
        stand_in.until(1)
        pulso.cita("n-1", action="updated")
        pulso.cita("n-2")
        pulso.cita("N-1", action="deleted")
        opened.set()
        assert pulso.flush(LIMIT) == 0
        said = [heard.body for heard in stand_in.heard]
        assert said[0] == {"negocio_id": "n-1", "action": "created"}
        assert len(said) == 3 and {"negocio_id": "N-1", "action": "deleted"} in said
        assert stand_in.heard[0].headers["authorization"] is None
        assert stand_in.heard[0].headers["idempotency-key"] is None


def test_no_hint_with_a_transaction_is_merged_and_none_waits_for_another():
    stand_in, opened = held()
    with stand_in:
        pulso = of(stand_in)
        for xid in ("700", 701, 18446744073709551615):
            pulso.cita("n-1", xid=xid)
        pulso.cita("n-1")
        pulso.consulta("cocina", "r-1", xid="702")
        # All are under way though none is answered.
        stand_in.until(5)
        opened.set()
        pulso.flush(LIMIT)
        assert {heard.body.get("xid") for heard in stand_in.heard} == {"700", 701, 18446744073709551615, None, "702"}


def test_hints_of_live_queries_name_one_or_several():
    stand_in, opened = held()
    with stand_in:
        pulso = of(stand_in)
        for time in range(3):
            pulso.consulta("cocina", "r-1")
            pulso.consulta(["cocina", "mesas"], ["r-1", 2])
            pulso.consulta("abiertas")
            if time == 0:
                stand_in.until(3)
        opened.set()
        pulso.flush(LIMIT)
        said = [heard.body for heard in stand_in.heard]
        assert len(said) == 6
        for one in ({"name": "cocina", "key": "r-1"}, {"names": ["cocina", "mesas"], "keys": ["r-1", 2]}, {"name": "abiertas"}):
            assert said.count(one) == 2


def test_a_hint_is_not_repeated_after_a_500_but_after_all_else_that_passes():
    with saying(Answer(500, {"error": "figures_unavailable", "message": "later"})) as broken:
        pulso = of(broken)
        pulso.cita("n-1")
        pulso.flush(LIMIT)
        assert len(broken.heard) == 1
    with saying(None, Answer(503), Answer(429), Answer()) as busy:
        pulso = of(busy)
        pulso.cita("n-1")
        pulso.flush(LIMIT)
        assert len(busy.heard) == 4


def test_a_hint_that_waits_to_be_repeated_gives_way_to_a_newer_one():
    opened = threading.Event()

    def answer(_, place):
        return Answer() if place else opened.wait(LIMIT) and Answer(503)

    with StandIn(answer) as stand_in:
        pulso = of(stand_in)
        pulso.cita("n-1", action="created")
        stand_in.until(1)
        pulso.cita("n-1", action="deleted")
        opened.set()
        pulso.flush(LIMIT)
        assert [heard.body["action"] for heard in stand_in.heard] == ["created", "deleted"]


def test_what_is_wrong_with_a_hint_goes_to_on_error_and_to_nobody_else():
    told, opened = [], threading.Event()
    said = Answer(401, {"error": "unauthorized", "message": "wrong key"})
    with StandIn(lambda *_: opened.wait(LIMIT) and said) as stand_in:
        pulso = of(stand_in, on_error=told.append, max_queued=1)
        pulso.cita(object())
        pulso.cita("x" * 20_000)
        pulso.consulta(object(), object())
        pulso.cita("n-1")
        pulso.cita("n-2")
        stand_in.until(1)
        opened.set()
        pulso.flush(LIMIT)
        assert [(error.code, error.field, error.status) for error in told] == [
            ("bad_payload", "negocio_id", None),
            ("bad_payload", "negocio_id", None),
            ("bad_payload", "names", None),
            ("queue_full", None, None),
            ("refused", None, 401),
        ]
