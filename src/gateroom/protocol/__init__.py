"""The wire: commands in, events out, JSON both ways, WebSocket frames around them. Sans-I/O."""
