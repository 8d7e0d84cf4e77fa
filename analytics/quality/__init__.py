"""How complete data is, and what may be said from it."""
