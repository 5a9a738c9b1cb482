/** What the back ends of these tests sell, in a real database. */

import pg from 'pg';

export interface Sale {
  negocio: string;
  saleId: number;
  total: string;
}

const pool = new pg.Pool({ connectionString: process.env['DATABASE_URL'], max: 4 });

/** One transaction; rolled back where `work` fails. */
export async function transaction<T>(work: (db: pg.PoolClient) => Promise<T>): Promise<T> {
  const db = await pool.connect();
  try {
    await db.query('BEGIN');
    const made = await work(db);
    await db.query('COMMIT');
    return made;
  } catch (cause) {
    await db.query('ROLLBACK');
    throw cause;
  } finally {
    db.release();
  }
}

/** The database refuses what costs less than nothing. */
export async function sell(db: pg.PoolClient, { negocio, saleId, total }: Sale) {
  const text = 'INSERT INTO ventas (id, negocio_id, total) VALUES ($1, $2, $3) RETURNING id, total';
  const { rows } = await db.query<{ id: number; total: string }>(text, [saleId, negocio, total]);
  const [row] = rows;
  if (row === undefined) throw new Error('nothing was sold');
  return { negocio_id: negocio, saleId: row.id, tableId: null, total: row.total, timestamp: new Date().toISOString() };
}

/** Books an appointment; gives the transaction that it is booked in. */
export async function book(db: pg.PoolClient, negocio: string): Promise<string> {
  const text = `INSERT INTO citas (cliente_id, negocio_id, servicio_id, fecha, hora_inicio, hora_fin, estado)
                VALUES (gen_random_uuid(), $1, gen_random_uuid(), '2020-01-01', '10:00', '10:30', 'pendiente')`;
  await db.query(text, [negocio]);
  const { rows } = await db.query<{ xid: string }>('SELECT pg_current_xact_id()::text AS xid');
  return rows[0]?.xid ?? '';
}

export function listening(port: number): void {
  console.log(JSON.stringify({ event: 'listening', port, pid: process.pid }));
}
