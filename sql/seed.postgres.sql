-- Two businesses with a few hundred appointments around today, and a clinic's three kiosks, one of them switched off, for
-- compose.yaml. Not for production.
-- Dates are relative to the day the database is created; `pulso token` makes tokens for the two owners:
--   Barbería El Corte   negocio 6f1c2b3a-1b7e-4c55-9d0a-0a4b5c6d7e8f   owner 11111111-1111-4111-8111-111111111111
--   Clínica La Sonrisa  negocio a2d4e6f8-3c5b-4d7e-8f90-1a2b3c4d5e6f   owner 22222222-2222-4222-8222-222222222222
BEGIN;

-- The same rows every time the seed is loaded on the same day.
DO $$ BEGIN PERFORM setseed(0.42); END $$;

INSERT INTO negocios (id, admin_negocio_id, nombre) VALUES
    ('6f1c2b3a-1b7e-4c55-9d0a-0a4b5c6d7e8f', '11111111-1111-4111-8111-111111111111', 'Barbería El Corte'),
    ('a2d4e6f8-3c5b-4d7e-8f90-1a2b3c4d5e6f', '22222222-2222-4222-8222-222222222222', 'Clínica La Sonrisa');

INSERT INTO devices (device_uid, is_active) VALUES
    ('ipad-room-101', true), ('ipad-room-102', true), ('ipad-room-103', false);

-- Each business opens Monday to Saturday and works in slots, at several stations. A slot is taken more often in the
-- past and today than in three weeks' time.
WITH shape (negocio_id, opens, slot, slots, stations) AS (
    VALUES ('6f1c2b3a-1b7e-4c55-9d0a-0a4b5c6d7e8f'::uuid, time '09:00', interval '30 minutes', 20, 2),
           ('a2d4e6f8-3c5b-4d7e-8f90-1a2b3c4d5e6f'::uuid, time '08:00', interval '45 minutes', 12, 2)
), booked AS MATERIALIZED (
    SELECT s.negocio_id,
           md5(s.negocio_id::text || station)::uuid                               AS estacion_id,
           md5(s.negocio_id::text || 'servicio' || (random() * 4)::int)::uuid     AS servicio_id,
           md5(s.negocio_id::text || 'cliente' || (random() * 90)::int)::uuid     AS cliente_id,
           day::date                                                              AS fecha,
           s.opens + s.slot * n                                                   AS hora_inicio,
           s.opens + s.slot * (n + 1)                                             AS hora_fin,
           random()                                                               AS luck,
           random()                                                               AS outcome
      FROM shape AS s
     CROSS JOIN generate_series(CURRENT_DATE - 21, CURRENT_DATE + 14, interval '1 day') AS day
     CROSS JOIN LATERAL generate_series(0, s.slots - 1) AS n
     CROSS JOIN LATERAL generate_series(1, s.stations) AS station
     WHERE extract(isodow FROM day) < 7
        -- Today has customers on a Sunday too: a screen with zeros proves nothing.
        OR day::date = CURRENT_DATE
)
INSERT INTO citas (cliente_id, negocio_id, estacion_id, servicio_id, fecha, hora_inicio, hora_fin, estado, creado_en)
SELECT cliente_id,
       negocio_id,
       -- Some are booked without a station.
       CASE WHEN outcome < 0.9 THEN estacion_id END,
       servicio_id,
       fecha,
       hora_inicio,
       hora_fin,
       CASE WHEN outcome < 0.08                                              THEN 'cancelada'
            WHEN fecha < CURRENT_DATE                                        THEN 'atendida'
            WHEN fecha = CURRENT_DATE AND hora_fin <= localtime(0)           THEN 'atendida'
            ELSE 'pendiente'
       END::estado_cita,
       least(fecha + hora_inicio - interval '1 day' * (1 + floor(luck * 20)), localtimestamp(0))
  FROM booked
 WHERE luck < CASE WHEN fecha <= CURRENT_DATE THEN 0.35 ELSE 0.30 - 0.015 * (fecha - CURRENT_DATE) END;

COMMIT;

ANALYZE negocios, citas, devices;
