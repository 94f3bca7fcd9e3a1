"""Every fault in every state: afterwards each hash equals its row, and each change has been queued."""
import pytest

import rows_failover  # noqa: F401 they register themselves
import rows_postgres  # noqa: F401
import rows_redis  # noqa: F401
import rows_workers  # noqa: F401
from table import ROWS, run_cell

CELLS = [pytest.param(row, column, id=f"{row.name}-{column}") for row in ROWS for column in row.columns]


@pytest.mark.parametrize("row, column", CELLS)
def test_cell(beds, row, column, report, tell):
    try:
        result = run_cell(beds.get(row.bed), row, column, tell)
        report(result)
        result.check(row.covered)
    except BaseException as failure:
        report(f"{row.name:<52} {column:<10} FAILED: {str(failure).splitlines()[0] if str(failure) else repr(failure)}")
        beds.discard(row.bed)
        raise
    if row.wears:
        beds.discard(row.bed)
