"""Where the fixtures are. Each file in `support` looks after one concern."""

pytest_plugins = ["support.postgres", "support.trees", "support.command", "support.ordinary", "support.encoder"]
