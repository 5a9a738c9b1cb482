"""Preprocessor of mdBook: what leads out of the book leads to where the repository can be read (`address` in book.toml)."""

import json
import posixpath
import re
import sys

LINK = re.compile(r"\]\((?![a-z]+:|#)([^)\s]+)\)")


def outward(content, folder, sources, address):
    """The text of a page in `folder` with its links; code is left alone."""

    def led(link):
        target = posixpath.normpath(posixpath.join(folder, link[1]))
        return link[0] if target.startswith(sources + "/") else f"]({address}{target})"

    texts = re.split(r"(^```.*?^```$)", content, flags=re.DOTALL | re.MULTILINE)
    return "".join(text if text.startswith("```") else LINK.sub(led, text) for text in texts)


def walk(items, sources, address):
    for item in items:
        if chapter := item.get("Chapter") if isinstance(item, dict) else None:
            folder = posixpath.join(sources, posixpath.dirname(chapter["path"] or ""))
            chapter["content"] = outward(chapter["content"], folder, sources, address)
            walk(chapter["sub_items"], sources, address)


if sys.argv[1:2] != ["supports"]:
    context, book = json.load(sys.stdin)
    config = context["config"]
    walk(book["items"], f"docs/book/{config['book']['language']}/src", config["preprocessor"]["outward"]["address"])
    json.dump(book, sys.stdout)
