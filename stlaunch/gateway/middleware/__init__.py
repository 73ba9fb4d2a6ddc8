"""The layers around the app, one concern a file, each plain ASGI; `gateway.compose` stacks them."""
