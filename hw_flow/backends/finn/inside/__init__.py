"""What runs inside the child process, where FINN is imported. Nothing else imports this package."""
