"""What a room is: messages, roles, who is in it. Pure: no await, no clock, no socket."""
