"""SQL, all of it: the database, its schema and migrations, the stores."""
