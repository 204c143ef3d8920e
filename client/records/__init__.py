"""What an account remembers: messages, chats, people, and what is on its way out."""
