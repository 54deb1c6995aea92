"""The commands for whoever runs a server: each asks the one that runs on this computer."""
