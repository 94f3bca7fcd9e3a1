"""Whose triggers are on the tables: those of one contestant at a time, so that all write to the same tables."""

PRESENT = """
    SELECT quote_ident(tgname), tgrelid::regclass::text, pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
    WHERE NOT tgisinternal AND relnamespace = 'public'::regnamespace"""


class Captures:
    def __init__(self, db):
        self.db = db
        self.definitions = {None: []}

    def add(self, who, install):
        """install() makes the contestant's triggers; they are kept aside until it is the only one."""
        self.only(None)
        install()
        self.definitions[who] = [definition for _, _, definition in self.db.sql(PRESENT)]
        assert self.definitions[who], f"{who} made no trigger"
        self.only(None)

    def only(self, who):
        for name, table, _ in self.db.sql(PRESENT):
            self.db.sql(f"DROP TRIGGER {name} ON {table}")
        for definition in self.definitions[who]:
            self.db.sql(definition)
