"""Who is calling: principals, tokens, keys, passwords, accounts."""
