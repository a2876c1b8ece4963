"""The live path: connections, the hub that knows them, sessions that drive them, dispatch of what they ask."""
