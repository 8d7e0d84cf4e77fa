"""The history of a site for engineers: devices, what was done, messages, and traces."""
