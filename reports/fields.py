"""Checks of single fields of a record: each takes a value and returns what is wrong with it, or an
empty string."""

import math

LARGEST_INTEGER = 2**64 - 1
LARGEST_NUMBER = 1e18  # of a rate, a time or a count; beyond it a file is damaged


def integer(value):
    if type(value) is not int or value < 0:
        return "is not a whole number of 0 or more"
    return "" if value <= LARGEST_INTEGER else "is too large"


def number(value):
    """What could not be had is null."""
    if value is None:
        return ""
    if type(value) not in (int, float):
        return "is neither a number nor null"
    return "" if math.isfinite(value) and abs(value) <= LARGEST_NUMBER else "is too large"


def quantity(value):
    return number(value) or ("is negative" if value is not None and value < 0 else "")


def _of(kind, words):
    return lambda value: "" if type(value) is kind else f"is not {words}"


text = _of(str, "a string")
flag = _of(bool, "true or false")
array = _of(list, "a list")
mapping = _of(dict, "an object")


def texts(value):
    fits = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return "" if fits else "is not a list of strings"


def quantities(value):
    if not isinstance(value, list):
        return "is not a list"
    return next(filter(None, map(quantity, value)), "")


def optional(check):
    return lambda value: "" if value is None else check(value)


def object_of(needed, known=None):
    """An object with the fields `needed`, and perhaps those of `known`."""
    def check(value):
        if not isinstance(value, dict):
            return "is not an object"
        for name, of_field in {**needed, **(known or {})}.items():
            if name not in value:
                if name in needed:
                    return f": {name} is missing"
            elif problem := of_field(value[name]):
                return joined(f": {name}", problem)
        return ""
    return check


def list_of(check):
    def check_all(value):
        if not isinstance(value, list):
            return "is not a list"
        for i, item in enumerate(value):
            if problem := check(item):
                return joined(f": [{i}]", problem)
        return ""
    return check_all


def joined(name, problem):
    """`name` and what is wrong with it, or with a field within it."""
    if not problem.startswith(": "):
        return f"{name} {problem}"
    inner = problem.removeprefix(": ")
    return name + (inner if inner.startswith("[") else "." + inner)
