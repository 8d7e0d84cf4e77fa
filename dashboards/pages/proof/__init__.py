"""The page where somebody shows who they are."""
