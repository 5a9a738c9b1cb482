-- What the customers' own APIs write in `pulso demo`, and its live queries (sql/queries) read. Times are UTC, as SQLite's are.
CREATE TABLE pedidos (
    id             TEXT PRIMARY KEY,
    restaurante_id TEXT NOT NULL,
    mesa           TEXT NOT NULL,
    estado         TEXT NOT NULL,
    productos      TEXT NOT NULL, -- JSON
    confirmado_en  TEXT NOT NULL,
    prometido_para TEXT NOT NULL
);

CREATE INDEX pedidos_restaurante ON pedidos (restaurante_id);

CREATE TABLE pedidos_clinica (
    id          INTEGER PRIMARY KEY,
    negocio_id  TEXT NOT NULL,
    dispositivo TEXT NOT NULL,
    habitacion  TEXT,
    estado      TEXT NOT NULL,
    pedido_en   TEXT NOT NULL
);

CREATE INDEX pedidos_clinica_negocio ON pedidos_clinica (negocio_id);

CREATE TABLE ventas (
    id         INTEGER PRIMARY KEY,
    negocio_id TEXT    NOT NULL,
    mesa       INTEGER,
    centavos   INTEGER NOT NULL,
    hecha_en   TEXT    NOT NULL
);

CREATE INDEX ventas_negocio ON ventas (negocio_id, hecha_en);

-- Who has come for an appointment and waits; `limite` is when that has been long.
CREATE TABLE sala_de_espera (
    cita_id    TEXT PRIMARY KEY REFERENCES citas (id) ON DELETE CASCADE,
    negocio_id TEXT NOT NULL,
    llegada    TEXT NOT NULL,
    limite     TEXT NOT NULL
);

CREATE INDEX sala_de_espera_negocio ON sala_de_espera (negocio_id);
