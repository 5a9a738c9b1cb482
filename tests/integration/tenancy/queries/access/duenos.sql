SELECT id::text, admin_negocio_id::text FROM negocios WHERE id::text = ANY ($1) AND admin_negocio_id::text = ANY ($2)
