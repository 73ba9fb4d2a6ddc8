"""The listener, and our own uvicorn with its pings and signals."""
