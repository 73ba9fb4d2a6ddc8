"""The layers around the app, one concern per file, all plain ASGI."""
