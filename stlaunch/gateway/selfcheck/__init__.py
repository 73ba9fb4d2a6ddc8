"""Report on the app's own connection, below `{base}/_stlaunch/`."""
