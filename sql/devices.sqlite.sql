-- Which devices (kiosks) exist, for a batch of questions.
-- Set DEVICE_SQL to a file of your own for other tables; it must keep to this:
--   $1  what devices call themselves, a JSON array of strings
--   $2  device ids, a JSON array of strings
--   exactly these three columns: text, text, and 0 or 1; devices that nobody asked for do no harm
SELECT CAST(id AS TEXT)         AS device_id,
       CAST(device_uid AS TEXT) AS device_uid,
       is_active
  FROM devices
 WHERE device_uid IN (SELECT value FROM json_each($1))
    OR id IN (SELECT value FROM json_each($2))
