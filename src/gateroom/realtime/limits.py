"""How much one connection may ask for: the numbers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the live path (contract section 7); 0 means no limit. Times in seconds, sizes in bytes."""

    max_connections: int = 0
    max_connections_per_user: int = 50
    max_connections_per_address: int = 0
    handshake_rate: float = 0  # a second, for the whole process; twice that at once
    max_rooms_per_connection: int = 128
    max_message_bytes: int = 65536
    publish_rate: float = 50  # a second, for each connection
    publish_burst: int = 100
    command_rate: float = 50  # the same for all other commands together
    command_burst: int = 300
    max_backlog_bytes: int = 1024 * 1024
    ping_interval: float = 25
    ping_timeout: float = 10
    stall_timeout: float = 10
    max_connection_age: float = 0
    max_violations: int = 10  # a minute
    expiry_notice: float = 60
