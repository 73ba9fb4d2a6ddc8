"""What the app reports about its own connection, below `{base}/_stlaunch/`."""
