"""How messages travel between rooms and clients."""
