-- A small ticket marketplace. Columns named note and memo are read by no view: a change of them costs nothing.
CREATE TABLE venue (
    id int PRIMARY KEY,
    name text NOT NULL,
    city text,
    note text
);

CREATE TABLE event (
    id int PRIMARY KEY,
    venue_id int NOT NULL REFERENCES venue,
    name text,
    starts_at timestamptz,
    memo text
);

CREATE TABLE ticket (
    id int PRIMARY KEY,
    event_id int NOT NULL REFERENCES event ON DELETE CASCADE,
    price numeric(10, 2) NOT NULL,
    sold boolean NOT NULL DEFAULT false,
    memo text
);

CREATE INDEX ON event (venue_id);
CREATE INDEX ON ticket (event_id);

CREATE VIEW event_card AS
SELECT e.id, e.name, e.starts_at, v.name AS venue, v.city, t.open, t.cheapest
FROM event e
JOIN venue v ON v.id = e.venue_id
CROSS JOIN LATERAL (
    SELECT count(*) AS open, min(price) AS cheapest
    FROM ticket
    WHERE event_id = e.id AND NOT sold
) t;

CREATE VIEW ticket_card AS
SELECT t.id, t.event_id, t.price, t.sold, e.name AS event, e.starts_at
FROM ticket t
JOIN event e ON e.id = t.event_id;

-- Three venues, n events, three tickets each; event and ticket ids are without gaps from 1.
CREATE PROCEDURE grow(first int, last int) LANGUAGE sql AS $$
    INSERT INTO venue
    SELECT id, (ARRAY['Große Halle', 'Teatro "El Círculo"', '東京ドーム'])[id], (ARRAY['Köln', 'Rosario', NULL])[id]
    FROM generate_series(1, 3) id
    ON CONFLICT DO NOTHING;

    INSERT INTO event
    SELECT id, id % 3 + 1, 'Event ' || id, date_trunc('day', now()) + id * interval '1 hour 7.25 s' + interval '30 days'
    FROM generate_series(first, last) id;

    INSERT INTO ticket
    SELECT event * 3 - n, event, 10 + event % 90 + n * 0.5
    FROM generate_series(first, last) event, generate_series(0, 2) n;
$$;

CALL grow(1, 9);
