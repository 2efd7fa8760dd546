from stomp_tx.auth.factories import certificates, directory, passwd, tokens

__all__ = ["certificates", "directory", "passwd", "tokens"]
