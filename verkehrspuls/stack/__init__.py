"""The embedded PostgreSQL and MQTT broker, and the supervisor of all parts."""
