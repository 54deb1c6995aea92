"""The kinds of rooms, one for each use. Data alone: a kind of room is a file here."""
