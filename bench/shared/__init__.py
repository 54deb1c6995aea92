"""What more than one bench needs."""
