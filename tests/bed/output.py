"""The lines of --json, judged by share/schema/output.schema.json.

Only the words of JSON Schema that the file uses; another one is an error.
"""

import json
import re

from bed.paths import TOP

SCHEMA = json.loads((TOP / "share/schema/output.schema.json").read_text())
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool,
         "integer": int, "null": type(None)}


def is_type(one, name):
    return isinstance(one, TYPES[name]) and not (
        name == "integer" and isinstance(one, bool))


def complain(one, rule, at="line"):
    """Yield what is wrong with a value, by one rule and those within it."""
    for word, arg in rule.items():
        if word == "$ref":
            yield from complain(one, SCHEMA["$defs"][arg.split("/")[-1]], at)
        elif word == "oneOf":
            if sum(not any(complain(one, r, at)) for r in arg) != 1:
                yield f"{at} is not just one of the known"
        elif word == "type":
            if not any(is_type(one, t) for t in
                       ([arg] if isinstance(arg, str) else arg)):
                yield f"{at} is not {arg}"
        elif word == "const":
            if one != arg:
                yield f"{at} is not {arg!r}"
        elif word == "enum":
            if one not in arg:
                yield f"{at} {one!r} is none of {arg}"
        elif word == "pattern":
            if isinstance(one, str) and not re.search(arg, one):
                yield f"{at} {one!r} does not match {arg}"
        elif word in ("minLength", "minItems"):
            if isinstance(one, (str, list)) and len(one) < arg:
                yield f"{at} is too short"
        elif word == "minimum":
            if is_type(one, "integer") and one < arg:
                yield f"{at} is below {arg}"
        elif word == "items":
            for i, item in enumerate(one if isinstance(one, list) else ()):
                yield from complain(item, arg, f"{at}[{i}]")
        elif word == "properties":
            for name, inner in arg.items():
                if isinstance(one, dict) and name in one:
                    yield from complain(one[name], inner, f"{at}.{name}")
        elif word == "required":
            yield from (f"{at} has no {n}" for n in arg if n not in one)
        elif word == "additionalProperties":
            for n in set(one) - set(rule.get("properties", ())):
                if arg is False:
                    yield f"{at} has {n}"
                else:
                    yield from complain(one[n], arg, f"{at}.{n}")
        elif word not in ("description", "title", "$schema", "$id", "$defs"):
            raise ValueError(f"no rule is known for {word}")


def check_lines(text):
    """Each line of a program's stdout is one that the schema knows."""
    for line in text.splitlines():
        one = json.loads(line)
        of = [r for r in SCHEMA["oneOf"] if SCHEMA["$defs"][
            r["$ref"].split("/")[-1]]["properties"]["type"]["const"]
            == one.get("type")]
        assert of, f"no such type: {line}"
        wrong = list(complain(one, {"oneOf": of})) and list(
            complain(one, of[0]))
        assert not wrong, (wrong, line)
