"""Bad configurations: exit 78, and a message that names the file, the JSON path and the mend."""
import json

import pytest



def broken(tickets, change):
    """Writes the marketplace's configuration after one change to it."""
    change(tickets.config)
    tickets.write(json.dumps(tickets.config))


def put(path, value):
    """A change that sets what is at the path of names."""
    *parents, last = path

    def change(config):
        for name in parents:
            config = config[name]
        config[last] = value
    return change


def event(*path):
    return ("projections", "event", *path)


# what is put, where, and words of the message
FORM = [
    (event("qeues"), [], ["projections.event", "qeues"]),
    (("projectionz",), {}, ["projectionz"]),
    (event("watch", "venue", "look"), "x", ["projections.event.watch.venue", "look"]),
    (("queues",), {"{search}": {"max_failuers": 8}}, ["max_failuers"]),
    (event("key"), 7, ["projections.event.key", "string"]),
    (event("queues"), 5, ["projections.event.queues"]),
    (event("queues"), [1], ["projections.event.queues", "string"]),
    (event("watch"), [], ["projections.event.watch", "object"]),
    (event("watch", "ticket"), 5, ["projections.event.watch.ticket"]),
    (event("watch", "venue", "lookup"), 5, ["projections.event.watch.venue.lookup", "string"]),
    (event("id"), {}, ["projections.event.id"]),
    (event("source"), None, ["projections.event.source", "string"]),
    (event("expire_grace"), "ten dayz", ["projections.event.expire_grace", "ten dayz"]),
    (("projections",), [], ["projections"]),
    (("fleet",), 3, ["fleet", "string"]),
    (("postgres",), 3, ["postgres"]),
    (("redis",), "http://x", ["redis:", "unix://"]),
    (event("key"), "card", ["projections.event.key", "column"]),
    (event("key"), "event:{name}", ["projections.event.key", "name"]),
    (event("key"), "event:{id}:{name}", ["projections.event.key", "name"]),
    (event("key"), "event:{id", ["projections.event.key"]),
    (event("rows"), "many", ["projections.event.key", "no column beside"]),
    (event("rows"), "some", ["projections.event.rows", "some"]),
]


@pytest.mark.parametrize("path, value, words", FORM, ids=[f"{'.'.join(p)}={v}" for p, v, _ in FORM])
def test_form(tickets, path, value, words):
    """What needs no database is found without one."""
    tickets.config["postgres"] = "host=/nonexistent"
    tickets.config["redis"] = "unix:///nonexistent"
    broken(tickets, put(path, value))
    tickets.pgusher("check", "--offline").must(78, tickets.path, *words)
    tickets.pgusher("check").must(78, *words)


@pytest.mark.parametrize("missing", ["source", "id", "key", "watch"])
def test_missing_setting(tickets, missing):
    del tickets.config["projections"]["event"][missing]
    tickets.write(json.dumps(tickets.config))
    tickets.pgusher("check", "--offline").must(78, "projections.event", missing)


def test_template_that_cannot_be_inverted(tickets):
    broken(tickets, lambda config: config["projections"]["event"].update(id=["id", "name"], key="event:{id}{name}"))
    tickets.pgusher("check", "--offline").must(78, "projections.event.key", "{id}", "{name}")


def test_watch_names_as_many_columns_as_the_id(tickets):
    broken(tickets, lambda config: config["projections"]["event"].update(id=["id", "name"], key="event:{id}:{name}"))
    tickets.pgusher("check").must(78, "projections.event.watch")


def test_same_key_of_two_projections(tickets):
    broken(tickets, put(("projections", "ticket", "key"), "event:{id}"))
    tickets.pgusher("check", "--offline").must(78, "projections.ticket.key", "event")


def test_syntax_error(tickets):
    tickets.write('{\n  "fleet": "default",\n  "postgres" "x"\n}\n')
    tickets.pgusher("check", "--offline").must(78, tickets.path, "3")


@pytest.mark.parametrize("text", ["", "[]", "nonsense", '{"projections": {}}', '{"fleet": "\xe9\xff'])
def test_not_a_configuration(tickets, text):
    with open(tickets.path, "w", encoding="latin-1") as file:
        file.write(text)
    tickets.pgusher("check", "--offline").must(78, tickets.path)


def test_a_long_name_of_many_bytes_is_told_as_json_too(tickets):
    tickets.write(json.dumps({"projections": {"x" * 69 + "é": {"source": 1}}}))
    told = json.loads(tickets.pgusher("check", "--offline", "--json").must(78).out)
    assert [problem for problem in told["problems"] if "a string" in problem["text"]]


def test_no_file(tickets):
    tickets.path += ".missing"
    tickets.pgusher("check").must(78, tickets.path, "no such file")
    tickets.start().exits(78)


CATALOG = [
    (event("source"), "event_crad", ["projections.event.source", "event_crad", "event_card"]),
    (event("source"), "shop.event_card", ["projections.event.source", "shop"]),
    (event("watch", "tikcet"), "event_id", ["projections.event.watch.tikcet", "tikcet", '"ticket"']),
    (event("watch", "Event"), "id", ["projections.event.watch.Event", "Event", '"event"']),
    (event("watch", "ticket"), "event_idd", ["projections.event.watch.ticket", "table public.ticket has no column",
                                             "event_idd", 'did you mean "event_id"']),
    (event("watch", "venue", "column"), "idd", ["projections.event.watch.venue", "venue", "idd", 'did you mean "id"']),
    (event("watch", "event_card"), "id", ["projections.event.watch.event_card", "not a table"]),
    (event("expire_at"), "start_at", ["projections.event.expire_at", "start_at", 'did you mean "starts_at"']),
    (event("expire_at"), "name", ["projections.event.expire_at", "name", "text"]),
]


@pytest.mark.parametrize("path, value, words", CATALOG, ids=[f"{'.'.join(p)}={v}" for p, v, _ in CATALOG])
def test_catalog(tickets, path, value, words):
    broken(tickets, put(path, value))
    tickets.pgusher("check").must(78, *words)
    tickets.pgusher("install").must(78, *words)
    assert not tickets.db.sql("SELECT FROM pg_namespace WHERE nspname = 'pgusher'")


LOOKUPS = [
    ("SELECT id FROM evnt WHERE venue_id = ANY($1)", "evnt"),
    ("SELEKT $1", "syntax error"),
    ("SELECT id FROM event", "$1"),
    ("SELECT id, venue_id FROM event WHERE venue_id = ANY($1)", "column"),
    ("SELECT id FROM event WHERE venue_id = ANY($2)", "$"),
]


@pytest.mark.parametrize("lookup, word", LOOKUPS)
def test_lookup(tickets, lookup, word):
    broken(tickets, put(event("watch", "venue", "lookup"), lookup))
    tickets.pgusher("check").must(78, "projections.event.watch.venue.lookup", word)


def test_view_without_the_id_column(tickets):
    tickets.db.sql("CREATE VIEW no_id AS SELECT name, starts_at FROM event")
    broken(tickets, put(event("source"), "no_id"))
    tickets.pgusher("check").must(78, "projections.event.id", "no_id", '"id"')


def test_id_that_is_not_unique(tickets):
    tickets.db.sql("CREATE VIEW twice AS SELECT e.*, n FROM event_card e CROSS JOIN generate_series(1, 2) n")
    broken(tickets, put(event("source"), "twice"))
    tickets.pgusher("check").must(78, "projections.event", "twice", "rows")


def test_date_without_time_zone_is_a_warning(tickets):
    tickets.db.sql("CREATE VIEW day_card AS SELECT id, name, starts_at::date AS starts_at FROM event")
    broken(tickets, put(event("source"), "day_card"))
    tickets.pgusher("check").must(0, "projections.event.expire_at", "UTC")


def test_table_that_no_watch_covers_is_a_warning(tickets):
    broken(tickets, lambda config: config["projections"]["event"]["watch"].pop("venue"))
    tickets.pgusher("check").must(0, "projections.event", "venue")


def test_sequential_scan_is_a_warning(tickets):
    tickets.db.sql("DROP INDEX event_venue_id_idx; CALL grow(10, 20000); ANALYZE")
    tickets.pgusher("check").must(0, "projections.event.watch.venue", "scan", "index")


def test_good_configuration(tickets):
    tickets.pgusher("check", "--offline").must(0)
    tickets.install()
    tickets.pgusher("check").must(0)


def test_check_as_json(tickets):
    broken(tickets, put(event("watch", "ticket"), "event_idd"))
    result = tickets.pgusher("check", "--json").must(78)
    assert "projections.event.watch.ticket" in json.dumps(json.loads(result.out))


def test_worker_refuses_a_bad_configuration(tickets):
    broken(tickets, put(event("qeues"), []))
    worker = tickets.start()
    worker.exits(78)
    assert "qeues" in worker.log


@pytest.mark.parametrize("arguments, code, words", [
    (["frobnicate"], 64, ["frobnicate"]),
    ([], 64, []),
    (["--frobnicate"], 64, ["frobnicate"]),
    (["check", "surplus"], 64, ["surplus"]),
    (["--help"], 0, ["check", "install", "uninstall", "backfill", "verify", "status"]),
    (["--version"], 0, ["pgusher"]),
    (["check", "--offline"], 0, []),
    (["--offline", "check"], 0, []),
])
def test_command_line(tickets, arguments, code, words):
    tickets.pgusher(*arguments).must(code, *words)


def test_command_line_of_the_worker(tickets):
    tickets.start("--frobnicate").exits(64)
    tickets.start("--help").exits(0)
    tickets.start("--version").exits(0)
