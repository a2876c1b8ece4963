"""What Gateroom asks other servers for."""
