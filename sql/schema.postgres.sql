-- The part of the business's database that Pulso reads. Shipped for compose.yaml and the tests; in production these
-- tables belong to the REST API, and Pulso needs no more than
--     CREATE ROLE pulso LOGIN PASSWORD '…'; GRANT SELECT ON citas, negocios TO pulso;
CREATE TYPE estado_cita AS ENUM ('pendiente', 'atendida', 'cancelada');

CREATE TABLE negocios (
    id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    admin_negocio_id uuid,
    nombre           text    NOT NULL,
    estado           boolean NOT NULL DEFAULT true
);

CREATE TABLE citas (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    cliente_id  uuid        NOT NULL,
    negocio_id  uuid        NOT NULL REFERENCES negocios (id),
    estacion_id uuid,
    servicio_id uuid        NOT NULL,
    fecha       date        NOT NULL,
    hora_inicio time        NOT NULL,
    hora_fin    time        NOT NULL,
    estado      estado_cita NOT NULL DEFAULT 'pendiente',
    creado_en   timestamp   NOT NULL DEFAULT now()
);

-- As in index.postgres.sql, where the reasons are.
CREATE INDEX citas_estadisticas ON citas (negocio_id, fecha, estado);
