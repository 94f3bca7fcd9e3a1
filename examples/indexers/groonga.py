#!/usr/bin/python3 -B
"""Keeps a table of a Groonga server (https://groonga.org) equal to the documents of a queue.

    groonga -p 10041 --bind-address 127.0.0.1 --protocol http -d -n /var/lib/groonga/search
    pgusher-queue consume '{search}' --docs --batch 1000 --linger 500 \\
        --exec 'examples/indexers/groonga.py --full-text name,venue,city'
    curl -G http://127.0.0.1:10041/d/select -d table=Documents -d 'match_columns=name||city' -d query=Rosario

The table, a column for each field, and an index for each full-text field are created when they are missing; make a
column beforehand to have a better type for it than LongText. The table is the indexer's own: a column for which a
document has no field is emptied in its record. To make one more field full-text when there are many records already,
run a single indexer until the index is built.

Nothing here compares versions (the column pgusher_version is there to look at): an item is never in the hands of two
consumers at once, so what is written later has been read later. Only a consumer that slept longer than its lease, on a
suspended machine say, can be late; an engine that takes external versions refuses that, see elasticsearch.py.
"""
import argparse
import json
import os
import re
import sys
import time
import urllib.parse

from indexer import Server, TargetDown, halves, run

VERSION = "pgusher_version"
COLUMN_NAME = re.compile(r"[0-9A-Za-z#@-][0-9A-Za-z_#@-]*")
CREATION_S = 2  # how long another indexer may need to create what we found missing


class Refused(Exception):
    """Groonga refuses this command, today and tomorrow."""


class Groonga:
    def __init__(self, url):
        self.server = Server(url)

    def call(self, command, body=None, **arguments):
        path = f"/d/{command}?{urllib.parse.urlencode(arguments)}"
        headers = {"Content-Type": "application/json"} if body else {}
        status, answer = self.server.request("POST" if body else "GET", path, body, **headers)
        code, error, result = self.read(answer)
        if status == 200 and code == 0:
            return result
        reason = f"groonga {command}: {error} ({code}, HTTP {status})"
        if 400 <= status < 500 and status != 408:
            raise Refused(reason)
        raise TargetDown(reason)

    def read(self, answer):
        """Return code, what it means, and result, of [[code, started, took, meaning, …], result]."""
        try:
            (code, _, _, *error), *result = json.loads(answer)
            return code, error[0] if error else "", result[0] if result else None
        except (TypeError, ValueError) as error:
            raise TargetDown(f"{self.server.url} does not answer as Groonga does: {answer[:200]!r}") from error

    def columns(self, table):
        """{name: {"flags", "source", …}}, or None when there is no such table. (The command schema would tell of all
        tables at once, but two of these at a time can hold each other up for seconds.)"""
        try:
            names, *columns = self.call("column_list", table=table)
        except Refused:
            return None
        columns = [dict(zip((name for name, _ in names), column)) for column in columns]
        return {column["name"]: column for column in columns}


class Table:
    """The table of documents, its columns, and the table of words with one index for each full-text field."""

    def __init__(self, groonga, name, full_text):
        self.groonga = groonga
        self.name = name
        self.terms = name + "Terms"
        self.full_text = full_text

    def parts(self, fields):
        """(table, column or None, how to create it), in the order in which they need each other."""
        yield self.name, None, {"flags": "TABLE_HASH_KEY", "key_type": "ShortText"}
        yield self.name, VERSION, {"flags": "COLUMN_SCALAR", "type": "UInt64"}
        for field in sorted({*fields, *self.full_text}):
            yield self.name, field, {"flags": "COLUMN_SCALAR", "type": "LongText"}
        yield self.terms, None, {"flags": "TABLE_PAT_KEY", "key_type": "ShortText", "default_tokenizer": "TokenBigram",
                                "normalizer": "NormalizerAuto"}
        for field in self.full_text:
            yield self.terms, field, {"flags": "COLUMN_INDEX|WITH_POSITION", "type": self.name, "source": field}

    def prepare(self, fields):
        """Creates what is missing, together with whoever else is just doing so; returns the columns' names. An index
        without its source is being created: a record loaded before it is ready might never be found by it."""
        deadline, refusals = time.monotonic() + CREATION_S, []
        while missing := self.missing(fields):
            if time.monotonic() > deadline:
                raise TargetDown(f"table {self.name} cannot be prepared: {'; '.join(refusals)}")
            refusals = [refusal for part in missing if (refusal := self.create(*part))]
            time.sleep(0.02)
        columns = self.groonga.columns(self.name).items()
        return [name for name, column in columns if "COLUMN_SCALAR" in column["flags"] and name != "_key"]

    def missing(self, fields):
        found = {table: self.groonga.columns(table) for table in (self.name, self.terms)}
        return [part for part in self.parts(fields) if not there(found, *part)]

    def create(self, table, column, arguments):
        """None, or why not: most likely it exists by now."""
        try:
            if column:
                self.groonga.call("column_create", table=table, name=column, **arguments)
            else:
                self.groonga.call("table_create", name=table, **arguments)
        except Refused as refused:
            return str(refused)

    def load(self, documents, columns):
        records = [record(document, columns) for document in documents]
        loaded = self.groonga.call("load", json.dumps(records), table=self.name)
        if loaded != len(records):  # JSON that was cut off is no error to groonga
            raise Refused(f"groonga load: {loaded} of {len(records)} records were loaded")

    def delete(self, document):
        self.groonga.call("delete", table=self.name, key=document["key"])


def there(found, table, column, arguments):
    if not column or found[table] is None:
        return found[table] is not None
    entry = found[table].get(column)
    return bool(entry and (entry["source"] or "source" not in arguments))


def record(document, columns):
    return {**dict.fromkeys(columns), **document["doc"], "_key": document["key"], VERSION: document["version"]}


def without_misfits(batch):
    """The documents whose fields can be columns; of the others it is said that they cannot."""
    for document in batch.upserts:
        misfits = [field for field in document["doc"] if not COLUMN_NAME.fullmatch(field)]
        if misfits:
            batch.fail(document, f"field {misfits[0]!r} cannot be a column of groonga: call it otherwise in the view")
        else:
            yield document


def load(batch, table, documents, columns):
    """All at once; when that is refused, in halves, until it is known which one it was."""
    try:
        table.load(documents, columns)
    except Refused as refused:
        if len(documents) == 1:
            batch.fail(documents[0], str(refused))
        else:
            for half in halves(documents):
                load(batch, table, half, columns)
        return
    for document in documents:
        batch.ok(document)


def delete(batch, table, document):
    try:
        table.delete(document)
        batch.ok(document)
    except Refused as refused:
        batch.fail(document, str(refused))


def index(batch, table):
    upserts = list(without_misfits(batch))
    columns = table.prepare({field for document in upserts for field in document["doc"]})
    if upserts:
        load(batch, table, upserts, columns)
    for document in batch.deletes:
        delete(batch, table, document)


def options():
    parser = argparse.ArgumentParser(description="Indexes the documents on stdin with a Groonga server.")
    parser.add_argument("--server", default=os.environ.get("GROONGA_URL", "http://127.0.0.1:10041"),
                        help="its address (or in $GROONGA_URL; default http://127.0.0.1:10041)")
    parser.add_argument("--table", default=os.environ.get("GROONGA_TABLE", "Documents"),
                        help="name of the table (or in $GROONGA_TABLE; default Documents)")
    parser.add_argument("--full-text", default=os.environ.get("GROONGA_FULL_TEXT", ""), metavar="FIELD,…",
                        help="fields whose words are indexed (or in $GROONGA_FULL_TEXT; default none)")
    return parser.parse_args()


def main():
    given = options()
    full_text = [field for field in given.full_text.split(",") if field]
    table = Table(Groonga(given.server), given.table, full_text)
    return run(lambda batch: index(batch, table))


if __name__ == "__main__":
    sys.exit(main())
