"""TURN: credentials, ICE server lists and coturn. Imports nothing else of the project."""
