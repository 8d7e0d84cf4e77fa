-- How fast clients ask. See 0051_shared_pace.sql.

-- name: fill_buckets
-- Add to the buckets of clients, and return how full these are, in the same order.
select fill from shown.fill_buckets(%(clients)s::text[], %(added)s::double precision[]);
