-- access: authenticated
-- key: none
SELECT count(*) AS abiertas FROM citas WHERE estado = 'pendiente'
