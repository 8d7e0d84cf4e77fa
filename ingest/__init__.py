"""From MQTT messages to stored readings: receive, decode, resolve, check, write."""
