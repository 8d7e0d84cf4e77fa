"""The maintenance log of a site or sensor, with photographs."""
