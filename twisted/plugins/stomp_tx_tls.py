from stomp_tx.tls import TLSParser

tls = TLSParser()
