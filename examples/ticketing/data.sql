-- A ticket marketplace: made-up data, the same on every run but for the dates, which are counted
-- from today. For empty tables; one transaction, and a VACUUM ANALYZE after it.
--
--     psql -v venues=260 -v events=9600 -v tickets=220000 -f data.sql
--
-- These are the defaults. The number of tickets is met within a few per cent.
-- Every choice is a hash of what is chosen and for which row: see pick().

\set ON_ERROR_STOP on
\if :{?venues} \else \set venues 260 \endif
\if :{?events} \else \set events 9600 \endif
\if :{?tickets} \else \set tickets 220000 \endif

SET client_encoding = 'UTF8';
SET jit = off;

BEGIN;

CREATE FUNCTION pg_temp.pick(what text, n bigint, size integer) RETURNS integer
LANGUAGE sql IMMUTABLE AS $$
    SELECT ((hashtextextended(what, n) & 9223372036854775807) % size)::integer
$$;

CREATE FUNCTION pg_temp.one_of(list text[], what text, n bigint) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT list[1 + pg_temp.pick(what, n, cardinality(list))]
$$;

-- Money: units for one euro, and what prices are rounded to.
CREATE TEMPORARY TABLE exchange (currency, rate, step) ON COMMIT DROP AS VALUES
    ('EUR', 1.0, 0.5), ('GBP', 0.9, 0.5), ('CHF', 1.1, 0.5), ('USD', 1.1, 0.5), ('CAD', 1.5, 0.5),
    ('AUD', 1.6, 0.5), ('MXN', 20, 10), ('ARS', 1100, 100), ('COP', 4400, 1000), ('BRL', 5.5, 1),
    ('PLN', 4.3, 1), ('JPY', 160, 100), ('KRW', 1450, 1000), ('CZK', 25, 10), ('DKK', 7.5, 5),
    ('SEK', 11, 5), ('NOK', 11.5, 5), ('ISK', 150, 100), ('TRY', 36, 10), ('HUF', 400, 100),
    ('UAH', 43, 10);

CREATE TEMPORARY TABLE city (n, style, city, country, time_zone, currency) ON COMMIT DROP AS
SELECT row_number() OVER () - 1, c.* FROM (VALUES
    ('en', 'London', 'United Kingdom', 'Europe/London', 'GBP'),
    ('pt', 'São Paulo', 'Brasil', 'America/Sao_Paulo', 'BRL'),
    ('pl', 'Kraków', 'Polska', 'Europe/Warsaw', 'PLN'),
    ('de', 'Zürich', 'Schweiz', 'Europe/Zurich', 'CHF'),
    ('ja', '東京', '日本', 'Asia/Tokyo', 'JPY'),
    ('el', 'Αθήνα', 'Ελλάδα', 'Europe/Athens', 'EUR'),
    ('en', 'New York', 'United States', 'America/New_York', 'USD'),
    ('fr', 'Paris', 'France', 'Europe/Paris', 'EUR'),
    ('de', 'Berlin', 'Deutschland', 'Europe/Berlin', 'EUR'),
    ('es', 'Madrid', 'España', 'Europe/Madrid', 'EUR'),
    ('es', 'Ciudad de México', 'México', 'America/Mexico_City', 'MXN'),
    ('it', 'Milano', 'Italia', 'Europe/Rome', 'EUR'),
    ('no', 'København', 'Danmark', 'Europe/Copenhagen', 'DKK'),
    ('en', 'Toronto', 'Canada', 'America/Toronto', 'CAD'),
    ('ko', '서울', '대한민국', 'Asia/Seoul', 'KRW'),
    ('en', 'Sydney', 'Australia', 'Australia/Sydney', 'AUD'),
    ('cs', 'Praha', 'Česko', 'Europe/Prague', 'CZK'),
    ('tr', 'İstanbul', 'Türkiye', 'Europe/Istanbul', 'TRY'),
    ('en', 'Dublin', 'Ireland', 'Europe/Dublin', 'EUR'),
    ('de', 'Wien', 'Österreich', 'Europe/Vienna', 'EUR'),
    ('pt', 'Lisboa', 'Portugal', 'Europe/Lisbon', 'EUR'),
    ('fr', 'Montréal', 'Canada', 'America/Toronto', 'CAD'),
    ('es', 'Buenos Aires', 'Argentina', 'America/Argentina/Buenos_Aires', 'ARS'),
    ('pl', 'Łódź', 'Polska', 'Europe/Warsaw', 'PLN'),
    ('hu', 'Budapest', 'Magyarország', 'Europe/Budapest', 'HUF'),
    ('no', 'Malmö', 'Sverige', 'Europe/Stockholm', 'SEK'),
    ('en', 'Manchester', 'United Kingdom', 'Europe/London', 'GBP'),
    ('uk', 'Київ', 'Україна', 'Europe/Kyiv', 'UAH'),
    ('ja', '大阪', '日本', 'Asia/Tokyo', 'JPY'),
    ('es', 'Bogotá', 'Colombia', 'America/Bogota', 'COP'),
    ('it', 'L''Aquila', 'Italia', 'Europe/Rome', 'EUR'),
    ('en', 'St. John''s', 'Canada', 'America/St_Johns', 'CAD'),
    ('no', 'Tromsø', 'Norge', 'Europe/Oslo', 'NOK'),
    ('fr', 'Genève', 'Suisse', 'Europe/Zurich', 'CHF'),
    ('el', 'Θεσσαλονίκη', 'Ελλάδα', 'Europe/Athens', 'EUR'),
    ('no', 'Reykjavík', 'Ísland', 'Atlantic/Reykjavik', 'ISK'),
    ('de', 'Köln', 'Deutschland', 'Europe/Berlin', 'EUR'),
    ('cs', 'Brno', 'Česko', 'Europe/Prague', 'CZK'),
    ('es', 'A Coruña', 'España', 'Europe/Madrid', 'EUR'),
    ('pt', 'Rio de Janeiro', 'Brasil', 'America/Sao_Paulo', 'BRL')
    ) AS c (style, city, country, time_zone, currency);

-- What houses are called there: the largest first.
CREATE TEMPORARY TABLE house (style, names) ON COMMIT DROP AS VALUES
    ('en', ARRAY['The "Old" Vic', 'St George''s Hall', 'O''Malley''s Ballroom', 'The Queen''s Theatre',
                 'Rock & Row', 'The Cat''s Whiskers', '"The Shed"']),
    ('de', ARRAY['Stadthalle', 'Konzerthaus am Fluß', 'Schauspiel „Die Brücke“', 'Alte Färberei',
                 'Volksbühne Süd', 'Zum Schwarzen Löwen', 'Kleines Haus']),
    ('fr', ARRAY['Le Zénith', 'Théâtre de l''Étoile', 'L''Élysée-Neuf', 'La Cité de la Musique',
                 'Café-théâtre « Le Point-Virgule »', 'Salle Garçonnet', 'Le Bœuf sur le Toit']),
    ('es', ARRAY['Palacio de Deportes', 'Teatro Príncipe', 'Sala El Búho', 'Auditorio Peñalara',
                 'Corral de Comedias', 'La Ñapa', 'Café «Señor Lobo»']),
    ('pt', ARRAY['Ginásio da Fundação', 'Teatro São João', 'Casa da Canção', 'Espaço Coração',
                 'Sala Antônio Nobre', 'Estação das Artes', 'Bar do Zé']),
    ('pl', ARRAY['Hala Wisła', 'Teatr Współczesny', 'Filharmonia', 'Klub „Pod Jaszczurką”',
                 'Scena Główna', 'Kino Świt', 'Piwnica u Żaka']),
    ('it', ARRAY['Teatro dell''Aurora', 'Palasport', 'Arena della Libertà', 'Cortile d''Oro',
                 'Sala Sant''Agata', 'Piccolo Teatro', 'Circolo "La Luna"']),
    ('el', ARRAY['Στάδιο Ειρήνης', 'Μέγαρο Μουσικής', 'Θέατρο Βράχων', 'Ωδείο', 'Θέατρο «Άλφα»',
                 'Μουσική Σκηνή', 'Κήπος']),
    ('ja', ARRAY['中央アリーナ', '市民会館', '歌舞伎座', 'ライブハウス「月光」', '桜ホール', '小劇場 タイニイ',
                 'ジャズ喫茶 夜間飛行']),
    ('ko', ARRAY['올림픽홀', '예술의 집', '한강 콘서트홀', '국립극장', '소극장 "달"', '대학로 극장', '무대 7']),
    ('cs', ARRAY['Výstaviště', 'Dům umění', 'Divadlo Na Můstku', 'Národní scéna', 'Klub „Žižka“',
                 'Sál Říčky', 'Malé divadlo']),
    ('no', ARRAY['Konserthuset', 'Folkets Hus', 'Café Sjøstjernen', 'Hafnarhúsið', 'Teater Ålen',
                 'Den Gamle Skole', 'Vindmøllen']),
    ('tr', ARRAY['Gösteri Merkezi', 'Şehir Tiyatrosu', 'Kültür Sarayı', 'Açıkhava Sahnesi', 'İskele',
                 'Çınaraltı', 'Küçük Sahne']),
    ('hu', ARRAY['Nagycsarnok', 'Vígadó', 'Ősz utcai Színház', 'Művészetek Háza', 'Fővárosi Kör',
                 'Tűzfal Klub', 'Kis Színpad']),
    ('uk', ARRAY['Палац «Вежа»', 'Театр ім. Шевченка', 'Філармонія', 'Клуб «П''ятниця»',
                 'Будинок їжака', 'Малий зал', 'Сцена 6']);

INSERT INTO category (id, name) VALUES
    (1, 'Concerts'), (2, 'Theatre'), (3, 'Opera & Ballet'), (4, 'Classical'), (5, 'Comedy'),
    (6, 'Children''s'), (7, 'Musicals'), (8, 'Jazz & Folk'), (9, 'Talks'), (10, 'Sport');

-- The houses past the last name are further stages of the same ones.
INSERT INTO venue (id, name, city, country, time_zone, currency, capacity, phone)
SELECT v.n + 1,
       names[1 + storey % cardinality(names)]
           || CASE WHEN storey < cardinality(names) THEN '' ELSE ', ' || 1 + storey / cardinality(names) END,
       city, country, time_zone, currency,
       CASE WHEN pg_temp.pick('told', v.n, 12) > 0
            THEN 10 * (8 + pg_temp.pick('capacity', v.n, 2000) / (1 + storey)) END,
       CASE WHEN pg_temp.pick('phone', v.n, 4) > 0
            THEN format('+%s 555 %s', 20 + pg_temp.pick('country', v.n, 70),
                        lpad(pg_temp.pick('number', v.n, 10000)::text, 4, '0')) END
  FROM (SELECT n, n % cities AS city_n, (n / cities)::integer AS storey
          FROM generate_series(0, :venues - 1) AS n, (SELECT count(*) AS cities FROM city) AS c) AS v
  JOIN city ON city.n = v.city_n
  JOIN house USING (style);

-- What is on: category, share in all that is on, price, minutes, and the shows with who is in them.
CREATE TEMPORARY TABLE bill (category_id, share, euros, minutes, shows, stars) ON COMMIT DROP AS VALUES
    (1, 26, 48, 150, ARRAY['The Lanterns: "Low Tide" Tour', 'Rosa Ibáñez – Noches', 'Kestrel & Crow',
        'The Sunday Drivers: Farewell Tour (again)', 'Møøn', 'DJ Pérola', 'Ash & the Ovens', '夜更かし楽団 全国ツアー'],
        ARRAY['The Lanterns', 'Rosa Ibáñez', 'Kestrel & Crow', 'The Sunday Drivers', 'Møøn', 'DJ Pérola',
              'Ash & the Ovens', '夜更かし楽団']),
    (2, 18, 36, 165, ARRAY['Hamlet', 'A Midsummer Night''s Dream', 'The Importance of Being Earnest', 'Αντιγόνη',
        'Cyrano de Bergerac', 'Вишневий сад', 'La vida es sueño', '忠臣蔵'],
        ARRAY['Siân O''Dowd', 'Tomás Ferreira', NULL, 'Ελένη Μάνου', 'Benoît Lefèvre', NULL, NULL, '中村 春樹']),
    (3, 9, 82, 180, ARRAY['Die Zauberflöte', 'La traviata', 'Carmen', 'Rusalka', 'L''elisir d''amore', 'Swan Lake'],
        ARRAY['Katarína Šimková', 'Giulia D''Amico', 'Inés Etxeberria', 'Dvořákův soubor', NULL, NULL]),
    (4, 10, 44, 120, ARRAY['Beethoven: Symphony No. 9', 'Chopin by Candlelight', 'Bach: h-Moll-Messe', 'Grieg & Sibelius',
        'Satie at Midnight', 'Dvořák: "From the New World"'],
        ARRAY['Orkiestra „Nowa”', 'Michał Zieliński', NULL, NULL, 'Chloé Bénard', NULL]),
    (5, 10, 22, 80, ARRAY['Nora Quill: I''ll Explain Later', '"Sorry, What?"', 'Stand-up Sunday', 'Jürgen allein zu Haus',
        'The Improv Five (minus One)'],
        ARRAY['Nora Quill', 'Dele Okafor', NULL, 'Jürgen Weiß', 'The Improv Five']),
    (6, 7, 14, 60, ARRAY['Peter and the Wolf', 'The Owl Who Couldn''t Sleep', 'Der Räuber Hoppla', 'Le Petit Éléphant'],
        ARRAY[NULL, 'Puppets & Co.', NULL, 'Compagnie « Pas à Pas »']),
    (7, 6, 68, 155, ARRAY['Ferry Lane', 'The Clockmaker''s Daughter', 'Ciudad de Sal'], ARRAY[NULL, 'Zoë Adeyemi', NULL]),
    (8, 8, 28, 110, ARRAY['Blue Hour Quartet', 'Saudade', 'The Peat Bog Session', 'Ólafur & Börn', '"Round About Ten"'],
        ARRAY['Blue Hour Quartet', 'Conceição Brandão', NULL, 'Ólafur Þórsson', 'Ike Marlow Trio']),
    (9, 3, 12, 75, ARRAY['How to Read a Map', 'Black Holes in Plain Words', 'L''Art de ne rien faire'],
        ARRAY['Prof. Ann-Marie Søndergaard', 'Dr. Kwame Mensah', 'Édith Vasseur']),
    (10, 3, 31, 105, ARRAY['Cup Quarter-final', 'Boxing Night', 'Roller Derby: All Stars'], ARRAY[NULL, NULL, NULL]);

-- A card for each event number: share 26 of 100 means 26 of the 100 cards are concerts.
CREATE TEMPORARY TABLE card ON COMMIT DROP AS
SELECT row_number() OVER (ORDER BY category_id, copy) - 1 AS n, bill.*
  FROM bill, generate_series(1, share) AS copy;

-- Low venue numbers are the busy ones; near dates are more frequent than far ones; one in sixteen
-- is over, some of these still within the grace of their document.
CREATE TEMPORARY TABLE plan ON COMMIT DROP AS
SELECT e.n AS id,
       venue.id AS venue_id, time_zone, rate, step,
       card.category_id, euros, minutes, shows, stars,
       pg_temp.pick('show', e.n, cardinality(shows)) + 1 AS show,
       days,
       CASE WHEN days > 30 AND pg_temp.pick('announced', e.n, 25) = 0 THEN 0
            ELSE least((:tickets::numeric / :events * (25 + pg_temp.pick('size', e.n, 155)) / 100), 2000)::integer
       END AS tickets,
       CASE WHEN days < 0 THEN 80 ELSE 60 * 60 / (60 + days) END
           * (40 + pg_temp.pick('demand', e.n, 61)) / 100 AS sold
  FROM (SELECT n,
               1 + floor(:venues * power(pg_temp.pick('venue', n, 1000000) / 1e6, 1.5))::integer AS venue_id,
               pg_temp.pick('card', n, 100) AS card_n,
               CASE WHEN pg_temp.pick('over', n, 16) = 0 THEN -1 - pg_temp.pick('ago', n, 60)
                    ELSE 1 + floor(400 * power(pg_temp.pick('days', n, 100000) / 1e5, 1.6))::integer END AS days
          FROM generate_series(1, :events) AS n) AS e
  JOIN venue ON venue.id = e.venue_id
  JOIN exchange USING (currency)
  JOIN card ON card.n = e.card_n
 ORDER BY e.n;

INSERT INTO event (id, venue_id, category_id, name, headliner, notice, starts_at, duration, status, page_views)
SELECT id, venue_id, category_id,
       shows[show] || CASE pg_temp.pick('extra', id, 14)
                           WHEN 0 THEN ' (extra show)' WHEN 1 THEN ' – matinée' WHEN 2 THEN ' – first night'
                           ELSE '' END,
       stars[show],
       CASE pg_temp.pick('notice', id, 20)
            WHEN 0 THEN '' WHEN 1 THEN 'Doors open one hour before' WHEN 2 THEN 'No late entry; there''s one interval'
            WHEN 3 THEN 'With "live" captions' END,
       ((now() AT TIME ZONE 'UTC')::date + days
           + (ARRAY['14:30', '18:00', '19:00', '19:30', '20:00', '20:15', '21:00']::time[])[1 + pg_temp.pick('time', id, 7)]
       ) AT TIME ZONE time_zone,
       CASE WHEN pg_temp.pick('timed', id, 6) > 0
            THEN make_interval(mins => minutes + 5 * pg_temp.pick('encore', id, 7)) END,
       CASE WHEN tickets = 0 THEN 'announced'
            ELSE coalesce((ARRAY['cancelled', 'postponed', 'postponed'])[1 + pg_temp.pick('status', id, 100)],
                          'scheduled') END,
       pg_temp.pick('views', id, 5000)
  FROM plan;

-- Fans who offer what they cannot use: now and then a block of four seats.
CREATE TEMPORARY TABLE offer ON COMMIT DROP AS
SELECT row_number() OVER (ORDER BY id, block) AS listing_id, id AS event_id, block
  FROM plan, generate_series(0, (tickets - 1) / 4) AS block
 WHERE tickets > 0 AND pg_temp.pick('fan', id * 1000 + block, 9) = 0;

CREATE TEMPORARY TABLE person (names) ON COMMIT DROP AS VALUES (ARRAY[
    'Zoë O''Neil', 'Ana Conceição', 'Łukasz Żak', 'Βασίλης Νικολάου', '佐藤 花子', 'Jürgen Groß', 'Søren Ødegård',
    'Renée d''Arcy', 'Олена Коваль', 'Peter "Pete" Smith', 'Núria Puig', '김민준', 'Ivana Dvořáčková', 'Ayşe Yıldız',
    'Margaret O''Hara-Jones', 'José Muñoz', 'Eszter Kőszegi', 'Tim Ng']);

INSERT INTO listing (id, event_id, seller, note, listed_at)
SELECT listing_id, event_id, pg_temp.one_of(names, 'seller', listing_id),
       (ARRAY['Can''t make it', 'Bought too many', 'Aisle seats, "great" view', ''])[1 + pg_temp.pick('note', listing_id, 9)],
       now() - make_interval(hours => 1 + pg_temp.pick('listed', listing_id, 700))
  FROM offer, person;

INSERT INTO ticket (id, event_id, listing_id, section, seat_row, seat, price, status)
SELECT t.id, event_id, listing_id, section,
       CASE WHEN section <> 'Standing' THEN chr(65 + k % 48 / 8) END,
       CASE WHEN section <> 'Standing' THEN 1 + k % 8 END,
       greatest(step, round(t.price * CASE WHEN listing_id IS NULL THEN 100
                                           ELSE 90 + pg_temp.pick('asked', listing_id, 70) END / 100 / step) * step),
       CASE WHEN luck < sold THEN 'sold' WHEN luck < sold + 3 AND days > 0 THEN 'held' ELSE 'available' END
  FROM (SELECT before + k + 1 AS id, plan.id AS event_id, k, k / 4 AS block, step, sold, days,
               (ARRAY['Stalls', CASE WHEN category_id IN (1, 10) THEN 'Standing' ELSE 'Circle' END, 'Balcony',
                      'Box "Royal"', 'Gallery'])[1 + k / 8 % 5] AS section,
               euros * rate * (60 + pg_temp.pick('dear', plan.id, 90)) / 100
                   * (ARRAY[1.0, 0.8, 0.65, 1.9, 0.45])[1 + k / 8 % 5] AS price,
               pg_temp.pick('luck', before + k, 100) AS luck
          FROM (SELECT *, sum(tickets) OVER (ORDER BY id) - tickets AS before FROM plan) AS plan,
               generate_series(0, tickets - 1) AS k) AS t
  LEFT JOIN offer USING (event_id, block);

-- Beside the sales that hold, some that were given back, whose tickets are on sale again.
INSERT INTO sale (ticket_id, price, channel, buyer, sold_at, refunded_at)
SELECT t.id, price, channel, CASE WHEN channel <> 'box office' THEN pg_temp.one_of(names, 'buyer', t.id) END,
       least(now(), starts_at) - make_interval(hours => ago),
       CASE WHEN t.status <> 'sold' THEN least(now(), starts_at) - make_interval(hours => ago / 2) END
  FROM (SELECT *, pg_temp.one_of('{web,web,web,app,app,box office}', 'channel', id) AS channel,
               2 + pg_temp.pick('sold', id, 1500) AS ago
          FROM ticket
         WHERE status = 'sold' OR pg_temp.pick('given back', id, 60) = 0) AS t
  JOIN event e ON e.id = t.event_id, person
 ORDER BY ago DESC, t.id;

SELECT count(setval(pg_get_serial_sequence(name, 'id'), last)) AS counters
  FROM (VALUES ('category', (SELECT max(id) FROM category)), ('venue', (SELECT max(id) FROM venue)),
               ('event', (SELECT max(id) FROM event)), ('listing', (SELECT max(id) FROM listing)),
               ('ticket', (SELECT max(id) FROM ticket))) AS t (name, last) \gset

COMMIT;

VACUUM (ANALYZE) category, venue, event, listing, ticket, sale;
