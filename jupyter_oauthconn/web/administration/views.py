"""What templates show: tables, facts, fields. Texts only; the templates escape them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """`what` completes the text for those who hear links out of their place."""

    text: str
    href: str
    what: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A value in a table or a list of facts.

    Attributes:
        note: a second, quiet line.
        mood: ok, failed, unknown or waiting: a badge; the text says the state in words.
        codes: values that are copied, one a line.
        links: what can be done.
    """

    text: str = ""
    href: str | None = None
    note: str = ""
    mood: str = ""
    codes: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()


def texts(*values: str) -> list[Cell]:
    return [Cell(text=one) for one in values]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The first column names the row.

    Attributes:
        empty: what stands in place of a table without rows.
    """

    caption: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[Cell]]
    empty: str


Facts = Sequence[tuple[str, Cell]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    value: str
    text: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of a form, with what was typed and what is wrong with it.

    Attributes:
        kind: text, url, password, date, area, select, radio or check.
    """

    name: str
    label: str
    value: str = ""
    kind: str = "text"
    help: str = ""
    error: str = ""
    required: bool = False
    options: tuple[Option, ...] = ()
    example: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Fields that belong together.

    Attributes:
        folded: shown on demand; never while something is wrong in it.
    """

    title: str
    fields: tuple[Field, ...]
    intro: str = ""
    folded: bool = False

    @property
    def closed(self) -> bool:
        return self.folded and not any(one.error for one in self.fields)


def summary(groups: Sequence[Group], errors: Mapping[str, str]) -> list[tuple[str, str]]:
    """The errors in the order of the fields, each with the field's name; "" for one of none."""
    shown = {one.name: one.label for group in groups for one in group.fields}
    placed = [(name, f"{shown[name]}: {errors[name]}") for name in shown if name in errors]
    return placed + [("", text) for name, text in errors.items() if name not in shown]
