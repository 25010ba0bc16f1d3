"""Changes of the schema, one file a step (Alembic)."""
