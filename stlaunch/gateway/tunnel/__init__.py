"""Both ends of the HTTP transport, for pages whose WebSocket does not work."""
