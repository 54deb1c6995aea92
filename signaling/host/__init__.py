"""This computer: its addresses, its state folder, its certificates, what it prints."""
