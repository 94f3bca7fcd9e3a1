"""Which changes of which table concern which documents, as the configuration's watches.

A route leads from columns of a table to ids: directly, or by a SELECT over arrays of their values, which are written @0, @1 … until
the routes of one table are put together.
"""
import re
from typing import NamedTuple


class Route(NamedTuple):
    table: object
    columns: tuple  # of Column
    lookup: str = None  # None: the columns are the id
    key: bool = True  # keyed columns only: of a type that has equality


MOST = 8  # columns of a watch


def matches(alias, columns, numbers=None):
    """SQL: these columns of alias are among the values."""
    holes = [f"@{number}::{column.kind.type}[]" for number, column in enumerate(columns)]
    if len(columns) == 1:
        return f"{alias}.{columns[0].sql} = ANY ({holes[0]})"
    own = ", ".join(f"{alias}.{column.sql}" for column in columns)
    return f"({own}) IN (SELECT {', '.join(f'unnest({hole})' for hole in holes)})"


def every(columns):
    """SQL: the values themselves."""
    return f"SELECT {', '.join(f'unnest(@{n}::{column.kind.type}[])' for n, column in enumerate(columns))}"


def merge(routes):
    """{table: watch} as in the configuration; None when a watch would need too many columns."""
    tables = {}
    for route in routes:
        tables.setdefault(route.table.raw, []).append(route)
    watches = {raw: merged(group) for raw, group in tables.items()}
    return None if None in watches.values() else watches


def merged(routes):
    first = routes[0]
    names = [column.name for column in first.columns]
    if all(route.lookup is None and route.columns == first.columns for route in routes):
        return names if len(names) > 1 else names[0]
    columns, queries = [], []
    for route in routes:
        for column in route.columns:
            if column.name not in columns:
                columns.append(column.name)
        numbers = [columns.index(column.name) + 1 for column in route.columns]
        query = route.lookup or every(route.columns)
        queries.append(re.sub(r"@(\d)", lambda found, numbers=numbers: f"${numbers[int(found[1])]}", query))
    if len(columns) > MOST:
        return None
    return {"column": columns if len(columns) > 1 else columns[0], "lookup": " UNION ALL ".join(dict.fromkeys(queries))}
