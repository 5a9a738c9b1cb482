-- Which devices (kiosks) exist, for a batch of questions.
-- Set DEVICE_SQL to a file of your own for other tables; it must keep to this:
--   $1  what devices call themselves, an array in the type of that column
--   $2  device ids, an array in the type of the id column; compared with the column itself, never with a cast of it
--   exactly these three columns: text, text, boolean; devices that nobody asked for do no harm
SELECT id::text         AS device_id,
       device_uid::text AS device_uid,
       is_active
  FROM devices
 WHERE device_uid = ANY ($1)
    OR id = ANY ($2)
