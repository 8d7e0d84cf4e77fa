"""The pages of all towns and of one town."""
