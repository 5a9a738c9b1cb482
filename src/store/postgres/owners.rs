//! Which of the asked pairs of a business and a user hold.
//!
//! Must not know who asks.

use std::collections::HashSet;

use sqlx::Row as _;
use sqlx::postgres::{PgArguments, PgRow};

use super::description::OwnerDescription;
use super::{PostgresStore, bind};
use crate::model::Ownership;
use crate::store::StoreError;
use crate::store::ownership::OwnerQuery;

impl PostgresStore {
    pub(super) async fn owners_together(
        &self,
        owner: OwnerDescription,
        asked: &[Ownership],
    ) -> Result<HashSet<Ownership>, StoreError> {
        let questions = OwnerQuery::new(asked, owner.negocio, owner.user);
        if questions.is_empty() {
            return Ok(HashSet::new());
        }
        let mut arguments = PgArguments::default();
        bind::ids(&mut arguments, owner.negocio, &questions.things())?;
        bind::ids(&mut arguments, owner.user, &questions.users())?;
        let rows = self.rows(&self.queries.owner, arguments).await?;
        // A business without an owner has NULL there.
        let text = |row: &PgRow, name| row.try_get::<Option<String>, _>(name).ok().flatten();
        let pairs = rows.iter().filter_map(|row| text(row, "negocio_id").zip(text(row, "user_id")));
        Ok(questions.confirmed(pairs))
    }
}
