-- access: claim role=chef
SELECT count(*) AS todas, $1::text AS de FROM citas
