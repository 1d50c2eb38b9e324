"""Explain wrong values in plain words."""

from __future__ import annotations

import re

from pydantic import ValidationError

from spikenas._util.showing import shown
from spikenas._util.words import nearest

_EXPECTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "a text",
    "string_too_short": "a text that is not empty",
    "string_unicode": "a text in UTF-8",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "an object",
    "too_long": "at most {max_length} entries",
    "invalid_key": "a text as key",
    "model_type": "a section",
    "literal_error": "{expected}",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
}


def explain(error: ValidationError) -> str:
    """Say the first problem of a value in plain words: what is right, and what was given."""
    problem = error.errors()[0]
    context, value = problem.get("ctx", {}), problem["input"]
    if problem["type"] == "value_error":
        expected = str(context["error"])
    else:
        expected = "expected " + _EXPECTED.get(problem["type"], "another value").format(**context)
    words = re.findall(r"'([^']+)'", expected)
    near = nearest(value, words) if isinstance(value, str) else None
    return f"{expected}, got {shown(value)}" + (f", did you mean {near!r}?" if near else "")
