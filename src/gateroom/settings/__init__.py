"""What an operator or an embedding application can set, and how it is read."""

from gateroom.settings.issuers import IssuerSettings
from gateroom.settings.load import SettingsError, load_settings
from gateroom.settings.model import (
    AuthSettings,
    BrokerSettings,
    ConsoleSettings,
    KindSettings,
    ObservabilitySettings,
    RealtimeSettings,
    RoomsSettings,
    ServerSettings,
    Settings,
    StorageSettings,
)

__all__ = [
    "AuthSettings",
    "BrokerSettings",
    "ConsoleSettings",
    "IssuerSettings",
    "KindSettings",
    "ObservabilitySettings",
    "RealtimeSettings",
    "RoomsSettings",
    "ServerSettings",
    "Settings",
    "SettingsError",
    "StorageSettings",
    "load_settings",
]
