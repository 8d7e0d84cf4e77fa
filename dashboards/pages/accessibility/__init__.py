"""The page that says how accessible the pages are."""
