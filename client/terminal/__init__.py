"""What a terminal and the desktop around it can do, and how things are written there."""
