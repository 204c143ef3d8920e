"""The one encrypted file of an account: its key, its folder, its tables."""
