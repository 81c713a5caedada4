"""curri keeps a curriculum of folders, a PostgreSQL catalog and Cloudflare Stream in step."""

__version__ = "0.1.0"
