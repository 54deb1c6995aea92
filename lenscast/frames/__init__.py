"""The phone as a camera for Python: its newest frames, and files of them."""
