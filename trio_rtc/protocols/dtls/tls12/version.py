"""DTLS 1.2 as one of the versions of a connection."""

from trio_rtc.protocols.dtls.handshake import HandshakeParameters, HelloOffer
from trio_rtc.protocols.dtls.messages import ClientHello, HandshakeMessage
from trio_rtc.protocols.dtls.record.codec import VERSION_1_2

from .client import ClientHandshake, build_extensions
from .handshake import PROTECTED_EPOCH
from .server import ServerHandshake


class Dtls12:
    """DTLS 1.2 (RFC 6347)."""

    number = VERSION_1_2
    early_epochs = (PROTECTED_EPOCH,)

    def offer(self, parameters: HandshakeParameters) -> HelloOffer:
        options = parameters.options

        def create_client(hello: ClientHello, message: HandshakeMessage) -> ClientHandshake:
            return ClientHandshake(parameters, hello, message)

        return HelloOffer(
            [suite.identifier for suite in options.cipher_suites], build_extensions(options), create_client
        )

    def create_server(self, parameters: HandshakeParameters) -> ServerHandshake:
        return ServerHandshake(parameters)
