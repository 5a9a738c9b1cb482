-- What a business is called, for PostgreSQL and SQLite.
-- Name a file of your own in NAME_SQL for other tables; it must keep to this:
--   $1  the id of a business, in the type of the column that it is compared with
--   exactly this column, as text; no row and NULL mean that it has no name
SELECT nombre AS name
  FROM negocios
 WHERE id = $1
