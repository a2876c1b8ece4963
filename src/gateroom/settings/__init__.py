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
from gateroom.settings.production import RULES

__all__ = [
    "RULES",
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
