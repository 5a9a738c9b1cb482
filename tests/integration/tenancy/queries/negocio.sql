-- access: negocio
SELECT count(*) AS todas, $1::text AS de FROM citas
