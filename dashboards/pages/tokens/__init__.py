"""The pages of tokens, below the own account."""
