-- The part of the business's database that Pulso reads, as `pulso demo` creates it.
CREATE TABLE negocios (
    id               TEXT PRIMARY KEY,
    admin_negocio_id TEXT,
    nombre           TEXT    NOT NULL,
    estado           INTEGER NOT NULL DEFAULT 1
);

CREATE TABLE citas (
    id          TEXT PRIMARY KEY,
    cliente_id  TEXT NOT NULL,
    negocio_id  TEXT NOT NULL REFERENCES negocios (id),
    estacion_id TEXT,
    servicio_id TEXT NOT NULL,
    fecha       TEXT NOT NULL,
    hora_inicio TEXT NOT NULL,
    hora_fin    TEXT NOT NULL,
    estado      TEXT NOT NULL DEFAULT 'pendiente' CHECK (estado IN ('pendiente', 'atendida', 'cancelada')),
    creado_en   TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE INDEX citas_estadisticas ON citas (negocio_id, fecha, estado);

-- The clinic's kiosks.
CREATE TABLE devices (
    id         INTEGER PRIMARY KEY,
    device_uid TEXT    NOT NULL UNIQUE,
    is_active  INTEGER NOT NULL DEFAULT 1
);
