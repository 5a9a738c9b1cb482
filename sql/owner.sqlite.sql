-- Who owns what, for a batch of questions.
-- Set OWNER_SQL to a file of your own for other tables; it must keep to this:
--   $1  business ids, a JSON array of strings
--   $2  user ids, a JSON array of strings
--   exactly these two columns, as text; pairs that nobody asked for do no harm
SELECT CAST(id AS TEXT)               AS negocio_id,
       CAST(admin_negocio_id AS TEXT) AS user_id
  FROM negocios
 WHERE id IN (SELECT value FROM json_each($1))
   AND admin_negocio_id IN (SELECT value FROM json_each($2))
