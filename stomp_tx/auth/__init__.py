"""Who a session belongs to, and what they may do: twisted.cred's realm and avatars."""
