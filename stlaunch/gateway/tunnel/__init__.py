"""The HTTP transport for pages whose WebSocket does not work: both ends."""
