-- Continuous aggregates of ours: their rows lie in hypertables of another schema.
SELECT view_name::text AS name,
       coalesce(hypertable_size(format('%I.%I', materialization_hypertable_schema, materialization_hypertable_name)), 0)
         AS bytes
FROM timescaledb_information.continuous_aggregates
WHERE view_schema = 'public'
