"""PostgreSQL access: connections, migrations, and the queries in `queries/*.sql`."""
