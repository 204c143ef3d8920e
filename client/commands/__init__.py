"""The client's commands by topic; each asks the port (client.desk.api), beside a running daemon or without one."""
