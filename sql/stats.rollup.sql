-- The figures of one business from the counters of sql/rollup.postgres.sql: the same parameters and columns as
-- sql/stats.sql, and the same figures. A handful of rows are read, however many appointments there are.
SELECT coalesce(sum(citas), 0)::bigint                                       AS total_citas,
       coalesce(sum(de_hoy), 0)::bigint                                      AS citas_hoy,
       coalesce(sum(citas) FILTER (WHERE estado = 'atendida'), 0)::bigint    AS citas_completadas,
       coalesce(sum(citas) FILTER (WHERE estado = 'cancelada'), 0)::bigint   AS citas_canceladas
  FROM (SELECT estado, citas, 0 AS de_hoy
          FROM pulso_stats_total WHERE negocio_id = $1
        UNION ALL
        SELECT '', 0, citas
          FROM pulso_stats_day WHERE negocio_id = $1 AND fecha = $2
        UNION ALL
        SELECT estado, citas, CASE WHEN fecha = $2 THEN citas ELSE 0 END
          FROM pulso_stats_delta WHERE negocio_id = $1) AS counted
