-- access: authenticated
SELECT count(*) AS pedidos FROM citas WHERE negocio_id = $1
