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


def test_an_id_of_several_columns_of_which_one_is_composite(box):
    box.db.sql("CREATE TYPE pair AS (n int, t text); CREATE TABLE item (site int, at pair, n int, PRIMARY KEY (site, at))")
    box.db.sql("INSERT INTO item VALUES (1, '(1,a)', 1), (1, '(2,a)', 2), (2, '(1,a)', 3)")
    box.use({"item": projection("item", {"item": ["site", "at"]}, id=["site", "at"], key="i:{site}:{at}")})
    box.pgusher("check").must(0)
    box.ready(box.projections)
    box.db.sql("UPDATE item SET n = 5 WHERE site = 1; DELETE FROM item WHERE site = 2")
    box.until_has("i:1:(2,a)", n="5")
    box.in_step()
    assert sorted(box.redis.client.scan_iter("i:*")) == [b"i:1:(1,a)", b"i:1:(2,a)"]


def test_with_many_rows_a_column_of_the_key_has_a_star_in_its_name(box):
    box.db.sql('CREATE TABLE part (id int, "n*" int, PRIMARY KEY (id, "n*")); INSERT INTO part VALUES (1, 1), (1, 2)')
    box.ready({"part": projection("part", {"part": "id"}, key="part:{id}:{n*}", rows="many")})
    box.db.sql('DELETE FROM part WHERE "n*" = 2')
    box.in_step()
    assert list(box.redis.client.scan_iter("part:*")) == [b"part:1:1"]


def test_a_composite_id_with_a_null_in_it_is_an_id(box):
    """IS NULL and IS NOT NULL would both be false of it, and the first is true of one that is empty."""
    box.db.sql("CREATE TYPE pair AS (n int, t text); CREATE TABLE item (id pair PRIMARY KEY, n int)")
    box.db.sql("INSERT INTO item VALUES ('(1,a)', 1), ('(1,)', 1), ('(,)', 1)")
    box.ready({"item": projection("item", {"item": "id"}, key="i:{id}")})
    box.in_step()
    assert len(list(box.redis.client.scan_iter("i:*"))) == 3
    box.db.sql("UPDATE item SET n = 2")
    box.in_step()
    box.db.sql("DELETE FROM item")
    box.in_step()


def test_rows_without_an_id_are_not_taken_for_several_with_one(box):
    box.db.sql("CREATE TABLE item (id int UNIQUE, n int); INSERT INTO item VALUES (NULL, 1), (NULL, 2), (3, 3)")
    box.use({"item": projection("item", {"item": "id"}, key="i:{id}")})
    box.pgusher("check").must(0)


def test_a_comment_ends_a_lookup(box):
    box.db.sql("CREATE TABLE item (id int PRIMARY KEY, tag int); CREATE TABLE tag (id int PRIMARY KEY)")
    box.use({"item": projection("item", {"item": "id", "tag": {
        "column": "id", "lookup": "SELECT id FROM item WHERE tag = ANY($1) -- by its index"}}, key="i:{id}")})
    box.pgusher("check").must(0)


def test_the_date_is_of_a_domain_over_a_domain(box):
    box.db.sql("CREATE DOMAIN moment AS timestamptz; CREATE DOMAIN start AS moment; CREATE TABLE item (id int PRIMARY KEY, at start)")
    box.db.sql("INSERT INTO item VALUES (1, now() + interval '1 day')")
    box.ready({"item": projection("item", {"item": "id"}, key="i:{id}", expire_at="at")})
    box.in_step()
    assert box.redis.client.ttl("i:1") > 80000


@pytest.mark.parametrize("type", ["int[]", "json", "point", "xml", "box", "xid"])
def test_an_id_of_a_type_that_cannot_be_one_is_refused_with_the_mend(box, type):
    box.db.sql(f"CREATE TABLE item (id {type}); CREATE VIEW item_card AS SELECT CAST(id AS text) AS id FROM item")
    by_text = {"column": "id", "lookup": "SELECT id::text FROM unnest($1::text[]) id"}
    box.use({"item": projection("item", {"item": "id"}, key="i:{id}")})
    box.pgusher("check").must(78, "projections.item.id", f'column "id" is of type {box.db.value("SELECT %s::regtype::text", type)}',
                              "let a view show it as text")
    box.use({"item": projection("item_card", {"item": by_text}, key="i:{id}")})
    box.pgusher("check").must(0)


def test_a_database_with_all_extra_checks_of_functions(box):
    box.db.sql("CREATE TABLE item (id int PRIMARY KEY, n int)")
    box.db.cluster.admin(f'ALTER DATABASE "{box.db.name}" SET plpgsql.extra_errors = \'all\'')
    box.ready({"item": projection("item", {"item": "id"}, key="i:{id}")})
    box.db.disconnect()
    box.db.sql("INSERT INTO item VALUES (1, 1)")
    box.until_has("i:1", n="1")


def test_names_with_dots_in_them(box):
    """Where the schema ends only the catalog knows; of two places the first dot's is meant, as without dots in names."""
    box.db.sql('''CREATE SCHEMA "my.shop"; CREATE TABLE "my.shop"."or.der" (id int PRIMARY KEY, n int); INSERT INTO "my.shop"."or.der" VALUES (1, 1);
                  CREATE SCHEMA my; CREATE VIEW "order card" AS SELECT * FROM "my.shop"."or.der"''')
    box.use({"item": projection("my.shop.or.der", {"my.shop.or.der": "idd"}, key="i:{id}")})
    box.pgusher("check").must(78, 'table "my.shop"."or.der" has no column "idd"; did you mean "id"?')
    box.ready({"item": projection("order card", {"my.shop.or.der": "id"}, key="i:{id}")})
    box.db.sql('UPDATE "my.shop"."or.der" SET n = 2')
    box.until_has("i:1", n="2")
    box.pgusher("init", "--postgres", box.db.conninfo(), "--print", "my.shop.or.der").must(0, '"my.shop"."or.der"')
    box.db.sql('CREATE TABLE my."shop.or.der" (key int PRIMARY KEY)')
    box.use({"item": projection("order card", {"my.shop.or.der": "id"}, key="i:{id}")})
    box.pgusher("check").must(78, 'table my."shop.or.der" has no column "id"')


def test_a_generated_column_that_no_trigger_sees(box):
    """What it is computed from is captured. A server that has no such columns takes a stored one for one, when its catalog says so."""
    has_them = box.db.value("SELECT current_setting('server_version_num')::int >= 180000")
    box.db.sql(f"""CREATE TABLE item (id int PRIMARY KEY, net int, memo text,
                       gross int GENERATED ALWAYS AS (net * 2) {'VIRTUAL' if has_them else 'STORED'});
                   INSERT INTO item VALUES (1, 10); CREATE VIEW item_card AS SELECT id, gross FROM item""")
    if not has_them:
        box.db.sql("UPDATE pg_attribute SET attgenerated = 'v' WHERE attrelid = 'item'::regclass AND attname = 'gross'")
    box.use({"item": projection("item_card", {"item": "gross"}, key="i:{id}")})
    box.pgusher("check").must(78, 'column "gross" of public.item is generated when it is read')
    box.ready({"item": projection("item_card", {"item": "id"}, key="i:{id}")})
    before = box.changes()
    box.db.sql("UPDATE item SET memo = 'of no matter'")
    assert box.changes() == before
    box.db.sql("UPDATE item SET net = 20")
    assert box.changes() == before + 1
    if has_them:
        box.until_has("i:1", gross="40")
    box.in_step()
