-- A ticket marketplace: live traffic, one thing that somebody does per run of this script.
--
--     pgbench -n -c 8 -j 2 -T 10 -M prepared -f sale.sql box_office
--
-- An event is picked through one of its tickets, so the large ones are busier. Then, of 2000 times:
--
--    1660  one or two of its cheapest tickets are sold, if any are left
--     120  one or two are given back
--      90  somebody looks at its page: a change that no document shows
--      60  four tickets get another price
--      20  eight more seats go on sale
--      20  the organizer withdraws a seat: its document goes
--      20  the event is postponed: its and all its tickets' documents expire later
--       9  the event gets another name, and so do all its tickets' documents
--       1  the venue does, and so do all its events and their tickets
--
-- Each is a single statement and so a transaction of its own, which ends before the next begins. One that
-- changes several rows takes only rows that nobody else has locked, and so nothing waits in a circle.

\set spot random(0, 2147483647)
\set what random(1, 2000)
\set many random(1, 2)

SELECT event_id AS event
  FROM ticket
 WHERE id >= (SELECT max(id) * :spot >> 31 FROM ticket)
 ORDER BY id
 LIMIT 1 \gset

\if :what <= 1660
WITH picked AS (
    SELECT id
      FROM ticket
     WHERE event_id = :event AND status = 'available'
     ORDER BY price, id
     LIMIT :many
       FOR UPDATE SKIP LOCKED
), sold AS (
    UPDATE ticket t SET status = 'sold' FROM picked WHERE t.id = picked.id RETURNING t.id, t.price
)
INSERT INTO sale (ticket_id, price, channel, buyer)
SELECT id, price, CASE :many::integer WHEN 1 THEN 'app' ELSE 'web' END, 'Zoë O''Neil'
  FROM sold;

\elif :what <= 1780
WITH picked AS (
    SELECT s.id, s.ticket_id
      FROM ticket t
      JOIN sale s ON s.ticket_id = t.id
     WHERE t.event_id = :event AND t.status = 'sold' AND s.refunded_at IS NULL
     ORDER BY s.sold_at DESC
     LIMIT :many
       FOR UPDATE SKIP LOCKED
), refunded AS (
    UPDATE sale s SET refunded_at = now() FROM picked WHERE s.id = picked.id
)
UPDATE ticket t SET status = 'available' FROM picked WHERE t.id = picked.ticket_id;

\elif :what <= 1870
UPDATE event SET page_views = page_views + 1 WHERE id = :event;

\elif :what <= 1930
WITH picked AS (
    SELECT id
      FROM ticket
     WHERE event_id = :event AND status = 'available'
     ORDER BY price DESC, id
     LIMIT 4
       FOR UPDATE SKIP LOCKED
)
UPDATE ticket t
   SET price = greatest(5, round(price * (:spot % 31 + 85) / 100))
  FROM picked
 WHERE t.id = picked.id;

\elif :what <= 1950
INSERT INTO ticket (event_id, section, seat_row, seat, price)
SELECT event_id, 'Extra "Chairs"', chr(65 + :spot % 26), seat, price
  FROM (SELECT event_id, max(price) AS price FROM ticket WHERE event_id = :event GROUP BY event_id) AS t,
       generate_series(1, 8) AS seat;

\elif :what <= 1970
DELETE FROM ticket
 WHERE id = (SELECT id
               FROM ticket
              WHERE event_id = :event AND status = 'available'
              ORDER BY id DESC
              LIMIT 1
                FOR UPDATE SKIP LOCKED);

\elif :what <= 1990
UPDATE event
   SET starts_at = starts_at + make_interval(days => :spot % 30 + 1), status = 'postponed'
 WHERE id = :event;

\elif :what <= 1999
UPDATE event
   SET name = CASE WHEN name LIKE '% (new programme)' THEN replace(name, ' (new programme)', '')
                   ELSE name || ' (new programme)' END
 WHERE id = :event;

\else
UPDATE venue
   SET name = CASE WHEN name LIKE '% (reopened)' THEN replace(name, ' (reopened)', '')
                   ELSE name || ' (reopened)' END
 WHERE id = (SELECT venue_id FROM event WHERE id = :event);

\endif
