-- Who owns what, for a batch of questions.
-- Set OWNER_SQL to a file of your own for other tables; it must keep to this:
--   $1  business ids, an array in the type of the id column
--   $2  user ids, an array in the type of the owner column
--   exactly these two columns, as text; pairs that nobody asked for do no harm
SELECT id::text               AS negocio_id,
       admin_negocio_id::text AS user_id
  FROM negocios
 WHERE id = ANY ($1)
   AND admin_negocio_id = ANY ($2)
