"""What is sent, to the letter, and what an answer means."""

import json
from datetime import date, datetime, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from uuid import UUID

import pytest
from pulso import Pulso
from pulso.body import BadFieldError, encode, quotes
from pulso.retry import Answer, NoAnswer, asked, backoff, judge


def text(value) -> str:
    return encode(value, "event", 16_384).decode()


class Colour(str, Enum):
    RED = "red"


class Number(IntEnum):
    SEVEN = 7


def test_money_keeps_every_digit():
    amounts = ["45.50", "31.00", "0.10", "-0.00", "12345678901234567890.123456789", "1E+2", "1E-7"]
    assert [text(Decimal(amount)) for amount in amounts] == [
        "45.50",
        "31.00",
        "0.10",
        "-0.00",
        "12345678901234567890.123456789",
        "100",
        "0.0000001",
    ]


def test_what_back_ends_have_at_hand_is_written():
    assert text({"at": datetime(2025, 7, 20, 10, 30, tzinfo=timezone.utc)}) == '{"at":"2025-07-20T10:30:00+00:00"}'
    assert text([date(2025, 7, 20), UUID(int=1), Colour.RED, Number.SEVEN, True, None, 2**70, 1.5, ("é", "\ud83d", '"\n')]) == (
        '["2025-07-20","00000000-0000-0000-0000-000000000001","red",7,true,null,1180591620717411303424,1.5,'
        '["é","\\ud83d","\\"\\n"]]'
    )


def test_what_json_cannot_say_is_refused_by_the_name_of_its_field():
    cycle = {"items": [{}]}
    cycle["items"][0]["order"] = cycle
    deep = None
    for _ in range(100):
        deep = [deep]
    wrong = {
        "items[0].order": cycle,
        "total": {"total": float("nan")},
        "items[1].qty": {"items": [{"qty": 1}, {"qty": Decimal("Infinity")}]},
        "price": {"price": Decimal("1E+100000")},
        "number": {"number": 10**5_000},
        '["a b"].c': {"a b": {"c": object()}},
        "data": {"data": {7: "x"}},
        "rows": {"rows": {1, 2}},
        "raw": {"raw": b"x"},
        "notes": {"short": "x", "notes": "x" * 20_000},
        "[1]": [{"data": 1}, {"data": "ñ" * 10_000}],
        "event": object(),
    }
    for field, value in wrong.items():
        with pytest.raises(BadFieldError) as caught:
            text(value)
        assert caught.value.field == field
    with pytest.raises(BadFieldError, match="nested more than 64 deep"):
        text({"deep": deep})


def test_one_thing_may_stand_in_two_places():
    shared = {"a": 1}
    assert text([shared, shared]) == '[{"a":1},{"a":1}]'


def test_what_is_quoted_of_a_payload_is_noticed_wherever_it_stands():
    sent = json.dumps({"a": [{"b": "Hamburguesa"}], "n": 123456, "m": 45.50, "short": "is"}).encode()
    assert quotes("no Hamburguesa here", sent) and quotes("what is 123456?", sent)
    assert not quotes("negocio_id is missing", sent)


def test_each_answer_is_repeated_refused_or_enough():
    for is_hint in (True, False):
        for verdict, statuses in {
            "done": (200, 202),
            "repeat": (408, 429, 502, 503, 504),
            "refused": (301, 307, 400, 401, 403, 404, 405, 413, 415, 422, 431, 501),
        }.items():
            assert {judge(Answer(status, b"", None), is_hint=is_hint) for status in statuses} == {verdict}
        assert judge(NoAnswer(""), is_hint=is_hint) == "repeat"
    assert judge(Answer(500, b"", None), is_hint=True) == "done"
    assert judge(Answer(500, b"", None), is_hint=False) == "repeat"


def test_a_pause_doubles_up_to_a_bound():
    for attempts, whole in ((1, 0.2), (2, 0.4), (5, 3.2), (6, 5), (500, 5)):
        pauses = [backoff(attempts) for _ in range(100)]
        assert whole / 2 <= min(pauses) < max(pauses) <= whole


def test_retry_after_is_read_as_seconds_and_as_a_date():
    now = datetime(2026, 1, 1, tzinfo=timezone.utc)
    read = {
        "7": 7,
        "Thu, 01 Jan 2026 00:00:09 GMT": 9,
        "Thu, 01 Jan 2015 00:00:00 GMT": 0,
        "soon": None,
        "": None,
        "-1": None,
    }
    assert {said: asked(Answer(503, b"", said), now) for said in read} == read
    assert asked(Answer(503, b"", None)) is None


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("url", {"url": ""}),
        ("url", {"url": None}),
        ("url", {"url": "ftp://localhost"}),
        ("url", {"url": "http://ana:secret@localhost"}),
        ("url", {"url": "http://localhost?key=1"}),
        ("key", {"key": ""}),
        ("key", {"key": 7}),
        ("key", {"key": "a\nb"}),
        ("key", {"key": "a "}),
        ("timeout", {"timeout": 0}),
        ("retry_for", {"retry_for": float("nan")}),
        ("max_queued", {"max_queued": 1.5}),
        ("on_error", {"on_error": "console"}),
    ],
)
def test_an_option_that_cannot_be_is_refused_by_its_name(name, option):
    with pytest.raises((ValueError, TypeError)) as caught:
        Pulso(**{"url": "http://localhost:8080", "key": "k", **option})
    assert str(caught.value).startswith(f"{name} must") and "secret" not in str(caught.value)
