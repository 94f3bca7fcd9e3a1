-- What the soak adds to the ticket marketplace: a count in each document that grows with every change of its row, keys that can
-- be changed, and documents in several locales (see harness/locales.py).
CREATE SEQUENCE count_seq;

ALTER TABLE event ADD count bigint NOT NULL DEFAULT 0;
ALTER TABLE ticket ADD count bigint NOT NULL DEFAULT 0;
ALTER TABLE ticket DROP CONSTRAINT ticket_event_id_fkey,
    ADD FOREIGN KEY (event_id) REFERENCES event ON DELETE CASCADE ON UPDATE CASCADE;

-- Taken after the row is locked, so what is seen of one id never goes back, not even when it was deleted in between.
CREATE FUNCTION count_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.count := nextval('count_seq');
    RETURN NEW;
END$$;
CREATE TRIGGER count_up BEFORE INSERT OR UPDATE ON event FOR EACH ROW EXECUTE FUNCTION count_up();
CREATE TRIGGER count_up BEFORE INSERT OR UPDATE ON ticket FOR EACH ROW EXECUTE FUNCTION count_up();

CREATE OR REPLACE VIEW event_card AS
SELECT e.id, e.name, e.starts_at, v.name AS venue, v.city, t.open, t.cheapest, e.count
FROM event e
JOIN venue v ON v.id = e.venue_id
CROSS JOIN LATERAL (
    SELECT count(*) AS open, min(price) AS cheapest
    FROM ticket
    WHERE event_id = e.id AND NOT sold
) t;

CREATE OR REPLACE VIEW ticket_card AS
SELECT t.id, t.event_id, t.price, t.sold, e.name AS event, e.starts_at, t.count
FROM ticket t
JOIN event e ON e.id = t.event_id;
