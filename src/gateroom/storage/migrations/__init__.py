"""The steps by which the database came to be what `schema` says, applied by `migrate`."""
