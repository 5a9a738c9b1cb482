"""Checks an AsyncAPI 3 document, and frames captured on the wire against its message schemas.

    python asyncapi_check.py asyncapi.yaml [frames.jsonl] [--spec DIR] [--require CHANNEL,…]

The document itself is checked against the specification's own JSON Schema (npm `@asyncapi/specs`), and every example in
it against its message. frames.jsonl holds one {"channel": …, "direction": "in"|"out", "frame": object or text} a line; `in`
is what a client sent (operations with action `receive`), `out` what the server sent (action `send`, and replies). "event"
names an event of Socket.IO (the frame is the list of its arguments) or of a stream: those are told by their message's
`x-event`, all others by `type`. "bad": true marks a frame sent on purpose that the document must not allow. Prints one JSON
line; exit 0 when all is well, 1 otherwise.
"""

import argparse
import json
import sys
from pathlib import Path
from urllib.parse import quote

import yaml
from jsonschema import Draft7Validator
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT7

DOCUMENT = "urn:document"
DIRECTIONS = {"receive": "in", "send": "out"}


def escape(part):
    return str(part).replace("~", "~0").replace("/", "~1")


class Document:
    def __init__(self, content):
        self.content = content
        self.registry = Registry().with_resource(DOCUMENT, Resource(contents=content, specification=DRAFT7))
        self.messages = {channel: {"in": {}, "out": {}} for channel in content.get("channels") or {}}
        for name, operation in (content.get("operations") or {}).items():
            direction = DIRECTIONS[operation["action"]]
            self.add(f"#/operations/{escape(name)}", operation, direction)
            if "reply" in operation:
                other = "out" if direction == "in" else "in"
                self.add(f"#/operations/{escape(name)}/reply", operation["reply"], other)

    def add(self, where, holder, direction):
        channel = self.follow(f"{where}/channel").rsplit("/", 1)[-1]
        for pointer in self.operation_messages(where, holder):
            self.messages[channel][direction][pointer.rsplit("/", 1)[-1]] = pointer

    def at(self, pointer):
        node = self.content
        for part in pointer.lstrip("#/").split("/"):
            part = part.replace("~1", "/").replace("~0", "~")
            node = node[int(part)] if isinstance(node, list) else node[part]
        return node

    def follow(self, pointer):
        """Where a pointer ends after every $ref on the way."""
        seen = set()
        while isinstance(self.at(pointer), dict) and "$ref" in self.at(pointer):
            if pointer in seen:
                raise ValueError(f"{pointer} refers to itself")
            seen.add(pointer)
            pointer = self.at(pointer)["$ref"]
        return pointer

    def operation_messages(self, where, holder):
        """The messages of an operation or of its reply: those it names, else all of its channel."""
        if "messages" in holder:
            return [self.follow(f"{where}/messages/{index}") for index in range(len(holder["messages"]))]
        channel = self.follow(f"{where}/channel")
        return [self.follow(f"{channel}/messages/{escape(key)}") for key in self.at(channel)["messages"]]

    def payload(self, message_pointer):
        pointer = self.follow(f"{message_pointer}/payload")
        schema = self.at(pointer)
        if isinstance(schema, dict) and "schemaFormat" in schema:
            pointer = self.follow(f"{pointer}/schema")
        return pointer

    def validator(self, message_pointer):
        where = quote(self.payload(message_pointer).lstrip("#"), safe="/~")
        return Draft7Validator({"$ref": f"{DOCUMENT}#{where}"}, registry=self.registry)

    def event(self, message_pointer):
        """The event that the message is, if it is told by that."""
        return self.at(message_pointer).get("x-event")

    def types(self, message_pointer):
        """The values of `type` that the message allows; None when they are not listed."""
        schema = self.type_schema(message_pointer)
        return [schema["const"]] if "const" in schema else schema.get("enum")

    def is_open(self, message_pointer):
        """Whether its `type` is any but some."""
        return "not" in self.type_schema(message_pointer)

    def type_schema(self, message_pointer):
        try:
            return self.at(self.follow(self.payload(message_pointer) + "/properties/type"))
        except KeyError:
            return {}


def describe(error):
    where = "/".join(str(part) for part in error.absolute_path) or "frame"
    return f"{where}: {error.message[:300]}"


def check_document(document, spec_directory):
    version = str(document.content.get("asyncapi", ""))
    schema_file = spec_directory / f"{version}.json"
    if not version.startswith("3.") or not schema_file.is_file():
        return [f"no schema for AsyncAPI {version!r} in {spec_directory}"]
    validator = Draft7Validator(json.loads(schema_file.read_text(encoding="utf-8")))
    problems = [f"document: {describe(error)}" for error in validator.iter_errors(document.content)]
    pointers = {
        name: pointer for channel in document.messages.values() for way in channel.values() for name, pointer in way.items()
    }
    for name in set(document.content["components"]["messages"]) - set(pointers):
        problems.append(f"message {name}: no operation has it")
    for name, pointer in pointers.items():
        if not (document.event(pointer) or document.types(pointer) or document.is_open(pointer)):
            problems.append(f"message {name}: its payload must fix `type` by const or enum, or it must have an x-event")
        for index, example in enumerate(document.at(pointer).get("examples") or []):
            for error in document.validator(pointer).iter_errors(example.get("payload")):
                problems.append(f"message {name}, example {index}: {describe(error)}")
    return problems


def check_frame(document, entry):
    """Answers (name of the message it is, None) or (None, why it is none)."""
    frame, event = entry["frame"], entry.get("event")
    messages = document.messages[entry["channel"]][entry["direction"]]
    if isinstance(frame, str):
        try:
            frame = json.loads(frame)
        except ValueError:
            return None, "not JSON"
    if event is not None:
        candidates = [name for name, pointer in messages.items() if document.event(pointer) == event]
    elif not isinstance(frame, dict):
        return None, "not a JSON object"
    else:
        told_by_type = {name: pointer for name, pointer in messages.items() if not document.event(pointer)}
        candidates = [
            name
            for name, pointer in told_by_type.items()
            if document.is_open(pointer) or frame.get("type") in (document.types(pointer) or [])
        ]
    reasons = []
    for name in candidates:
        errors = sorted(document.validator(messages[name]).iter_errors(frame), key=lambda error: len(error.absolute_path))
        if not errors:
            return name, None
        reasons.append(f"{name}: {describe(errors[0])}")
    return None, "; ".join(reasons) or f"unknown {event or frame.get('type')!r}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("document", type=Path)
    parser.add_argument("frames", type=Path, nargs="?")
    parser.add_argument("--spec", type=Path, default=Path(__file__).parent / "node_modules/@asyncapi/specs/schemas")
    parser.add_argument("--require", default="", help="channels of which every documented message must have been seen")
    options = parser.parse_args()

    problems, seen = [], {}
    try:
        # JSON knows no dates: an unquoted timestamp in the YAML must stay what JSON would make of it.
        document = Document(json.loads(json.dumps(yaml.safe_load(options.document.read_text(encoding="utf-8")), default=str)))
        problems += check_document(document, options.spec)
        lines = options.frames.read_text(encoding="utf-8").splitlines() if options.frames else []
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            entry = json.loads(line)
            name, why = check_frame(document, entry)
            where = f"{entry['channel']} {entry['direction']}"
            if entry.get("bad"):
                if name:
                    problems.append(f"line {number}: sent as a bad frame, but the document allows it as {name}")
            elif name:
                seen[f"{where} {name}"] = seen.get(f"{where} {name}", 0) + 1
            else:
                problems.append(f"line {number} ({where}): {why}")
        if options.frames and not any(line.strip() for line in lines):
            problems.append("no frames to check")
        for channel in filter(None, options.require.split(",")):
            for direction, messages in document.messages[channel].items():
                wanted = [f"{channel} {direction} {name}" for name in messages]
                problems += [f"never seen: {name}" for name in wanted if name not in seen]
    except (OSError, ValueError, KeyError, AttributeError, TypeError, yaml.YAMLError, Unresolvable) as error:
        problems.append(f"{type(error).__name__}: {error}")
    print(json.dumps({"ok": not problems, "seen": seen, "problems": problems}, ensure_ascii=False))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
