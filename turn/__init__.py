"""TURN: the embedded relay, credentials, lists of ICE servers, and coturn's configuration."""
