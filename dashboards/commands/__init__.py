"""Commands of the web server, one file a noun."""
