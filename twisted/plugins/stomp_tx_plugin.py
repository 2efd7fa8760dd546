from twisted.application.service import ServiceMaker

stomp = ServiceMaker("STOMP broker", "stomp_tx.tap", "A STOMP 1.0, 1.1 and 1.2 message broker.", "stomp")
