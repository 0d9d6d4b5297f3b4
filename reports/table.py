"""A table of the page: columns, and cells that can be sorted and, on a phone, stacked."""

from dataclasses import dataclass, field

from . import units


@dataclass
class Column:
    label: str
    kind: str = "number"  # or "text", or "wide": text of many words


@dataclass
class Cell:
    text: str
    value: object = None  # to sort by, where the text does not sort
    swatch: str = ""  # a colour
    bold: bool = False
    kind: str = ""  # "code", or "command": words that stay whole
    marks: list = field(default_factory=list)  # (letter, what it means)


@dataclass
class Table:
    name: str  # for those who hear it
    columns: list
    rows: list  # of lists of Cell
    title: str = ""
    parameters: str = ""
    note: str = ""
    folded: str = ""  # the words to unfold it by
    sortable: bool = True
    highlighted: set = field(default_factory=set)  # numbers of rows


def quantity(value, to_text, **more):
    return Cell(to_text(value), "" if value is None else value, **more)


def spread(found, to_text):
    """Median, and the least and the most where they differ from it."""
    if found is None:
        return Cell(units.NONE, "")
    text, least, most = map(to_text, (found.value, found.least, found.most))
    return Cell(text if least == most else f"{text} ({least} to {most})", found.value)
