"""Every fault in every state: afterwards each hash equals its row, and each change has been queued."""
import pytest

import rows_failover  # noqa: F401 they register themselves
import rows_postgres  # noqa: F401
import rows_redis  # noqa: F401
import rows_redis_failover  # noqa: F401
import rows_workers  # noqa: F401
from table import COLUMNS, ROWS, run_cell

CELLS = [pytest.param(row, column, id=f"{row.name}-{column}", marks=[pytest.mark.quick] if column == row.quick else [])
         for row in ROWS for column in COLUMNS]


@pytest.mark.parametrize("row, column", CELLS)
def test_cell(beds, row, column, report, tell):
    try:
        result = run_cell(beds.get(row.bed), row, column, tell)
    except BaseException as failure:
        report(f"{row.name:<52} {column:<10} FAILED: {(str(failure) or repr(failure)).splitlines()[0][:200]}")
        beds.discard(row.bed)
        raise
    report(result)
    if row.wears or not result.right():
        beds.discard(row.bed)
    result.check(row.covered)
