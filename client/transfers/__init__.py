"""Files on their way: encrypted, taken up and down a piece at a time, and kept until they are through."""
