"""The screens that open over the chats, one file each."""
