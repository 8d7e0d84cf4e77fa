"""The registry: towns, sites, sensors, holidays and events, validated and written."""
