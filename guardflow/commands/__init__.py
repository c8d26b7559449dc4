"""The commands of the `guardflow` program, a group a file. What a command needs is imported when it runs."""
