"""What an answer says for itself, as far as it may be told.

Must not know what is done about it.
"""

import json
import re

from pulso.body import quotes

WORD = re.compile(r"[a-z][a-z0-9_]*")


def spoken(answer: bytes, sent: bytes, key: str | None) -> tuple[str | None, str]:
    """The answer's word for programs, and what to put behind the status: nothing that quotes `sent` or `key`."""
    try:
        said = json.loads(answer)
    except ValueError:
        # A proxy's page.
        return None, ""
    word = said.get("error") if isinstance(said, dict) else None
    if not isinstance(word, str) or not WORD.fullmatch(word):
        return None, ""
    message = said.get("message")
    if not isinstance(message, str) or quotes(message, sent) or (key is not None and key in message):
        return word, f" {word}"
    return word, f" {word}: {message}"
