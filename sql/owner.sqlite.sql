-- Who owns what, for a batch of questions.
-- $1  business ids, a JSON array of strings
-- $2  user ids, a JSON array of strings
-- Returns the pairs that hold, as text: negocio_id, user_id. Pairs that were not asked for are ignored.
SELECT CAST(id AS TEXT)               AS negocio_id,
       CAST(admin_negocio_id AS TEXT) AS user_id
  FROM negocios
 WHERE id IN (SELECT value FROM json_each($1))
   AND admin_negocio_id IN (SELECT value FROM json_each($2))
