-- access: authenticated
-- key: none
SELECT count(*) AS todas FROM citas
