from stomp_tx.net.tls.server import TLSParser

tls = TLSParser()
