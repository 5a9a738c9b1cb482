"""For Django: nothing is said of what is not committed.

Must not know what is said.
"""

from collections.abc import Callable
from functools import partial
from typing import ParamSpec

from django.db import transaction

P = ParamSpec("P")


def on_commit(call: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> None:
    """Makes this call of a `Pulso` once the transaction under way is committed; at once where there is none; never where
    it is rolled back. `on_commit(pulso.venta, {...})`
    """
    transaction.on_commit(partial(call, *args, **kwargs))
