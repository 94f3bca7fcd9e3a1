-- A ticket marketplace: the documents. One row of a view is one Redis hash, one column one field.
--
-- pgusher reads them as `WHERE id = ANY($1)` and, to backfill, `WHERE id > $1 ORDER BY id LIMIT n`.
-- So whatever is computed must be computed per row asked for: a LATERAL subquery along an index,
-- not a GROUP BY over the whole table that is then joined.

BEGIN;

-- A column whose name begins with "_" is not stored in the hash. It is there for conditions, such
-- as all events of one venue.
CREATE VIEW event_card AS
SELECT e.id,
       e.name,
       e.headliner,
       c.name AS category,
       v.name AS venue,
       v.city,
       v.country,
       e.starts_at,
       to_char(e.starts_at AT TIME ZONE v.time_zone, 'Dy DD Mon YYYY HH24:MI') AS starts_local,
       e.duration,
       e.status,
       e.notice,
       t.tickets,
       t.tickets_left,
       t.lowest_price,
       v.currency,
       e.venue_id AS _venue_id
  FROM event e
  JOIN venue v ON v.id = e.venue_id
  JOIN category c ON c.id = e.category_id
 CROSS JOIN LATERAL (
       SELECT count(*) AS tickets,
              count(*) FILTER (WHERE status = 'available') AS tickets_left,
              min(price) FILTER (WHERE status = 'available') AS lowest_price
         FROM ticket
        WHERE event_id = e.id
       ) t;

CREATE VIEW ticket_card AS
SELECT t.id,
       t.event_id,
       e.name AS event,
       v.name AS venue,
       v.city,
       e.starts_at,
       t.section,
       t.seat_row,
       t.seat,
       t.price,
       v.currency,
       t.status,
       t.listing_id IS NOT NULL AS resale,
       e.venue_id AS _venue_id
  FROM ticket t
  JOIN event e ON e.id = t.event_id
  JOIN venue v ON v.id = e.venue_id;

COMMIT;
