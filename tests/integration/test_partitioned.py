"""Declaratively partitioned tables."""
import pytest

from harness.box import projection
from harness.waiting import until

SCHEMA = """
    CREATE TABLE sale (id int, region text, amount int, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
    CREATE TABLE sale_north PARTITION OF sale FOR VALUES IN ('north');
    CREATE TABLE sale_rest PARTITION OF sale DEFAULT;
    CREATE VIEW sale_card AS SELECT id, region, amount FROM sale;
    INSERT INTO sale SELECT n, CASE WHEN n < 5 THEN 'north' ELSE 'south' END, n FROM generate_series(1, 9) n"""


@pytest.fixture
def sales(box):
    box.db.sql(SCHEMA)
    box.ready({"sale": projection("sale_card", {"sale": "id"}, key="sale:{id}", queues=["{search}"])})
    box.drain()
    return box


def test_insert_update_delete(sales):
    sales.db.sql("INSERT INTO sale VALUES (20, 'north', 1); UPDATE sale SET amount = 100 WHERE id = 6;"
                 "DELETE FROM sale WHERE id = 1")
    sales.until_gone("sale:1")
    sales.in_step()
    assert sorted(sales.queued()) == ["sale:1", "sale:20", "sale:6"]


def test_row_moves_between_partitions(sales):
    sales.db.sql("UPDATE sale SET region = 'south' WHERE id = 2")
    sales.until_has("sale:2", region="south")
    sales.in_step()
    sales.db.sql("UPDATE sale SET region = 'north', id = 40 WHERE id = 7")
    sales.until_has("sale:40", region="north")
    sales.in_step()


def test_write_to_a_partition_directly(sales):
    sales.db.sql("UPDATE sale_rest SET amount = 55 WHERE id = 8; INSERT INTO sale_north VALUES (30, 'north', 3)")
    sales.until_has("sale:30", amount="3")
    sales.in_step()


def test_partition_created_after_install(sales):
    sales.db.sql("CREATE TABLE sale_west PARTITION OF sale FOR VALUES IN ('west'); INSERT INTO sale VALUES (50, 'west', 5)")
    sales.until_has("sale:50", amount="5")
    sales.db.sql("UPDATE sale SET region = 'west' WHERE id = 3")
    sales.until_has("sale:3", region="west")
    sales.in_step()


@pytest.mark.parametrize("table, left", [("sale", 0), ("sale_north", 5), ("sale_rest", 4)])
def test_truncate(sales, table, left):
    sales.db.sql(f"TRUNCATE {table}")
    until(lambda: len(sales.redis.client.keys("sale:*")) == left, what=lambda: sales.redis.client.keys("sale:*"))
    sales.in_step()


def test_the_watch_goes_from_the_whole_to_a_partition_and_back(sales):
    """A partition has triggers of its whole, beside which PostgreSQL takes none of its own."""
    projections = sales.projections
    sales.use({"north": projection("sale_north", {"sale_north": "id"}, key="north:{id}")})
    assert "warning: triggers" in sales.pgusher("check").text
    sales.install()
    sales.db.sql("UPDATE sale SET amount = 50")
    assert sales.changes() == 4
    sales.use(projections)
    sales.install()
    sales.db.sql("UPDATE sale SET amount = 60")
    assert sales.changes() == 4 + 9
    assert "warning: triggers" not in sales.pgusher("check").text
