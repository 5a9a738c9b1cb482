//! What all works share: the runtime, the server's binary, and one PostgreSQL with a hundred businesses.

use pulso_harness::{Database, Postgres, Pulso, Scratch};
use tokio::runtime::Runtime;

use crate::town;

/// The name of the file with the keys of those who sign tokens.
pub const JWKS: &str = "jwks.json";
/// Businesses; 200 appointments each.
pub const NEGOCIOS: u32 = 100;
const CITAS: u32 = 20_000;
/// Appointments of each of two states that the first business has today beside these.
const BUSY: u32 = 1_000;
/// Users of the hard storm, a hundred to a business.
const MEMBERS: u32 = 20_000;

/// The shipped table gives a business one owner; here each has many, the hardest case for ownership.
const OWNERS: &str = "SELECT negocio_id::text AS negocio_id, user_id::text AS user_id FROM miembros
    WHERE negocio_id = ANY ($1) AND user_id = ANY ($2)";

pub struct World {
    pub runtime: Runtime,
    pub database: Database,
    binary: String,
    scratch: Scratch,
    postgres: Postgres,
}

impl World {
    pub fn new(runtime: Runtime, binary: String) -> Self {
        println!("-- starting PostgreSQL: {NEGOCIOS} businesses with {} appointments each", CITAS / NEGOCIOS);
        let postgres = Postgres::own();
        let database = runtime.block_on(furnish(&postgres));
        let scratch = Scratch::new();
        scratch.write("owners.sql", OWNERS);
        let world = Self { runtime, database, binary, scratch, postgres };
        // The tables of the order synchronisation; all else needs none.
        world.runtime.block_on(world.pulso().migrate());
        world
    }

    /// The server as it ships, on this database.
    pub fn pulso(&self) -> Pulso {
        self.pulso_of(&self.binary)
    }

    /// Another build of it.
    pub fn pulso_of(&self, binary: &str) -> Pulso {
        town::pulso(binary, &self.database.url())
    }

    /// The ownership query where a business has many people.
    pub fn owners(&self) -> String {
        self.scratch.path().join("owners.sql").to_string_lossy().into_owned()
    }

    /// The keys of those who sign tokens, once they are written.
    pub fn jwks(&self) -> String {
        self.scratch.path().join(JWKS).to_string_lossy().into_owned()
    }

    pub fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    pub fn postgres_port(&self) -> u16 {
        self.postgres.port()
    }

    /// Runs SQL on the database.
    pub fn execute(&self, sql: &str) {
        self.runtime.block_on(self.database.execute(sql));
    }
}

async fn furnish(postgres: &Postgres) -> Database {
    let database = postgres.database().await;
    town::found(&database, NEGOCIOS).await;
    town::book(&database, CITAS, NEGOCIOS, NEGOCIOS - 1).await;
    database
        .execute(&format!(
            "CREATE TABLE miembros (user_id uuid, negocio_id uuid, PRIMARY KEY (user_id, negocio_id));
             INSERT INTO miembros
             SELECT (lpad(to_hex(i), 8, '0') || '-0000-4000-8000-00000000bbbb')::uuid,
                    (lpad(to_hex(i % {NEGOCIOS}), 8, '0') || '-0000-4000-8000-00000000aaaa')::uuid
               FROM generate_series(0, {MEMBERS} - 1) AS i"
        ))
        .await;
    // So that the figures of the business in `fanout` have four digits each, and its message is as long as the peers'.
    database
        .execute(&format!(
            "INSERT INTO citas (cliente_id, negocio_id, servicio_id, fecha, hora_inicio, hora_fin, estado)
             SELECT gen_random_uuid(), '{}', gen_random_uuid(), {}, '10:00', '10:30',
                    (ARRAY['atendida', 'cancelada'])[1 + i % 2]::estado_cita FROM generate_series(1, 2 * {BUSY}) AS i",
            town::negocio(0),
            town::TODAY
        ))
        .await;
    database.execute("VACUUM (ANALYZE)").await;
    database
}
