-- Who owns what, for a batch of questions.
-- $1  business ids, an array in the type of the id column
-- $2  user ids, an array in the type of the owner column
-- Returns the pairs that hold, as text: negocio_id, user_id. Pairs that were not asked for are ignored.
SELECT id::text               AS negocio_id,
       admin_negocio_id::text AS user_id
  FROM negocios
 WHERE id = ANY ($1)
   AND admin_negocio_id = ANY ($2)
