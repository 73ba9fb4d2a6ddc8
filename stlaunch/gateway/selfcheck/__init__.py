"""What the app says about its own connection, below `{base}/_stlaunch/`."""
