"""Tables, columns and types that nobody would choose, and that are allowed."""
import pytest

from harness.box import projection


@pytest.mark.parametrize("name", ["$function$", "$function$; DROP TABLE item CASCADE; --"])
def test_a_column_is_called_like_the_quote_of_our_functions(box, name):
    box.db.sql(f'CREATE TABLE item (id int PRIMARY KEY, "{name}" text, "$function_1$" text, unread int)')
    box.db.sql(f'CREATE VIEW item_card AS SELECT id, "{name}" AS word, "$function_1$" AS other FROM item')
    box.ready({"item": projection("item_card", {"item": "id"}, key="i:{id}")})
    box.db.sql("INSERT INTO item VALUES (1, 'one', 'x')")
    box.until_has("i:1", word="one", other="x")
