"""What vouches for this device: its certificate and its renewal, its siblings, status, logs and trust."""
