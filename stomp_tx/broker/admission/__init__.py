"""Who may connect, and how much one peer may use: limits of connections, logins and frames; lockout."""
