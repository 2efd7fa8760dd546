"""Who a session belongs to, and what they may do: credentials, roles, twisted.cred's realm and avatars."""
