"""Rows worth looking at: half a year of sales of a small shop, the same on every machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict, cast

from jupyter_oauthconn.errors import InvalidParameterError

_MONTHS = ("2026-01", "2026-02", "2026-03", "2026-04", "2026-05", "2026-06")
_SEASON = (0.82, 0.88, 1.0, 1.07, 1.16, 1.21)
_REGIONS = {"North": ("Oslo", 0.9), "South": ("Seville", 1.25), "West": ("Galway", 0.7)}
_PRODUCTS = {"Bicycle bell": (310, 12.5), "Saddle": (120, 49.0), "Touring bike": (18, 1190.0)}


class Sale(TypedDict):
    """One row of `data/sales`; `revenue` in euros."""

    month: str
    region: str
    product: str
    units: int
    revenue: float


class Region(TypedDict):
    """One row of `data/regions`."""

    region: str
    office: str


def regions() -> list[Region]:
    return [Region(region=name, office=office) for name, (office, _) in _REGIONS.items()]


class Sales:
    """The table behind `data/sales`."""

    def __init__(self) -> None:
        self.rows = [
            _sale(month, region, product)
            for month in _MONTHS
            for region in _REGIONS
            for product in _PRODUCTS
        ]

    def add(self, row: Mapping[str, object]) -> Sale:
        """Appends a row.

        Raises:
            InvalidParameterError: a field is missing, unknown or of another kind.
        """
        kinds: dict[str, tuple[type, ...]] = {
            "month": (str,),
            "region": (str,),
            "product": (str,),
            "units": (int,),
            "revenue": (int, float),
        }
        for name in kinds.keys() | row.keys():
            value = row.get(name)
            if not isinstance(value, kinds.get(name, ())) or isinstance(value, bool):
                raise InvalidParameterError(
                    f"A sale has no such {name!r}.",
                    hint="It has the texts month, region and product, a whole number of units, "
                    "and a revenue.",
                    parameter=name,
                )
        sale = cast(Sale, dict(row))
        self.rows.append(sale)
        return sale


def _sale(month: str, region: str, product: str) -> Sale:
    usual, price = _PRODUCTS[product]
    at = _MONTHS.index(month)
    # a fixed wobble in place of chance, so that no two series run in parallel
    wobble = 1 + ((at * 7 + len(region) * 5 + len(product) * 3) % 11 - 5) / 50
    units = round(usual * _REGIONS[region][1] * _SEASON[at] * wobble)
    return Sale(
        month=month, region=region, product=product, units=units, revenue=round(units * price, 2)
    )
