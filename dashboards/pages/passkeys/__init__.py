"""The page of a person's passkeys, and logging in by one."""
