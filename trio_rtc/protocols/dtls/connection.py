"""The DTLS connection: the core of this package.

What it is: DTLS 1.2 (RFC 6347 on top of RFC 5246) in the profile that WebRTC needs (RFC 8827 section 6.5, RFC 8261,
RFC 5764): ECDHE (RFC 8422), AEAD records (RFC 5288, RFC 7905), extended master secret (RFC 7627) required, both
sides with certificates that are checked by fingerprint (RFC 8122). Left out on purpose: renegotiation (the indication
of RFC 5746 is sent, a wish for one is declined), resumption and tickets, compression, DTLS 1.0, CBC suites.

The states::

    New ── start ──► Connecting ── both Finished are verified ──► Connected
     │                   │                                            │
     └───────────────────┴──── close, close_notify, failure ──────────┴──► Ended

In *Connecting* a handshake machine (``client.py`` or ``server.py``) takes whole messages and answers with
steps: a flight to send, keys to install, the result. The connection makes records of them and back, and runs the
state machine of RFC 6347 section 4.2.4: a flight is sent again when its timer expires, and also when the peer repeats
its own flight that ours has answered, since then ours was lost. The side whose flight was the last (the
server) keeps it in *Connected*, and sends it again when the peer's Finished is repeated. Only that one asks for
it, because only that one is authenticated.

ChangeCipherSpec is sent but not waited for: the epoch in each record says the same, and an order among datagrams
cannot be relied on anyway. What keeps messages in their place instead: each handshake message counts only if
it came in the epoch that it belongs to, so a Finished in the clear is none.

Alerts in the clear can be forged by anyone who can put a datagram on the path. RFC 6347 section 4.1.2.7 lets an
implementation ignore them, but they are also how a peer says that the handshake has failed. Therefore a fatal alert
(or close_notify) in epoch 0 is doubted: it counts only if the handshake makes no progress in the time in which a
working peer would have answered. That is three round trips, or the longest retransmission interval while the round
trip is not known, and at least ``unauthenticated_alert_grace`` seconds. A peer that did fail falls silent; a genuine
one goes on, and the forgery is forgotten. Further alerts do not change the time. Once connected, nothing in the clear
is read at all.

Forged and replayed records are dropped and counted (RFC 6347 section 4.1.2.7). A handshake message that
is wrong, however, ends the connection: in DTLS 1.2 these come in the clear, and there is no way to tell a forged one
from a peer that does not work.

There is no limit on the number of records under one key but that of the 48-bit sequence number; at its end the
connection is closed.
"""

import logging
import math
import random
from collections.abc import Iterable, Sequence
from typing import assert_never

from trio_rtc.enums import RTCDtlsTransportState, RTCErrorDetailType
from trio_rtc.errors import InvalidStateError, ProtocolError
from trio_rtc.protocols.timer import Timer

from .alert import Alert, AlertDescription, AlertLevel, HandshakeFailure
from .counters import DtlsCounters
from .crypto.certificate import Certificate, Fingerprint
from .events import (
    ApplicationDataReceived,
    DtlsClosed,
    DtlsError,
    DtlsEvent,
    FinalFlightRetransmitted,
    HandshakeCompleted,
)
from .flight import Flight, pack_flight
from .handshake import Handshake, HandshakeParameters, HandshakeResult, Step
from .messages import HandshakeType
from .options import DtlsOptions, DtlsRole
from .reassembly import MAX_FRAGMENTS, Outcome, Reassembler, parse_fragments
from .record.codec import VERSION_1_2, ContentType, Record, parse_records
from .record.epochs import RecordLayer
from .state import Connected, Connecting, DoubtedAlert, Ended, New, State
from .tls12.client import ClientHandshake
from .tls12.key_schedule import SrtpKeys
from .tls12.server import ServerHandshake

logger = logging.getLogger("trio_rtc.dtls")


class Connection:
    """One side of a DTLS connection; keeps the contract ``Core[bytes, DtlsEvent]``.

    Args:
        options: The options.
        role: Client or server.
        certificate: Our certificate.
        rng: Source of all randomness: randoms, keys, cookies.
        wall_clock: What to add to ``now`` to get Unix time, in seconds.
    """

    def __init__(
        self,
        options: DtlsOptions,
        *,
        role: DtlsRole,
        certificate: Certificate,
        rng: random.Random,
        wall_clock: float,
    ) -> None:
        self._options = options
        self._role = role
        self._certificate = certificate
        self._rng = rng
        self._wall_clock = wall_clock
        self._counters = DtlsCounters()
        self._records = RecordLayer(options, self._counters)
        self._write_epoch = 0
        self._state: State = New()
        self._outgoing: list[bytes] = []
        self._events: list[DtlsEvent] = []
        self._plaintexts: list[bytes] = []
        self._fragments_left = MAX_FRAGMENTS

    # What can be asked

    @property
    def closed(self) -> bool:
        """Whether the connection has ended."""
        return isinstance(self._state, Ended)

    @property
    def state(self) -> RTCDtlsTransportState:
        """The state in W3C's terms."""
        match self._state:
            case New():
                return RTCDtlsTransportState.NEW
            case Connecting():
                return RTCDtlsTransportState.CONNECTING
            case Connected():
                return RTCDtlsTransportState.CONNECTED
            case Ended(error):
                return RTCDtlsTransportState.CLOSED if error is None else RTCDtlsTransportState.FAILED
            case _:
                assert_never(self._state)

    @property
    def role(self) -> DtlsRole:
        """Which side this is."""
        return self._role

    @property
    def counters(self) -> DtlsCounters:
        """Counts of records sent, received and dropped. Live: copy what must not change."""
        return self._counters

    @property
    def max_application_data(self) -> int:
        """The largest item for ``send``, in bytes: what fits a datagram of ``options.mtu`` with its record."""
        return self._options.mtu - self._connected().writer.overhead

    def export_keying_material(self, label: bytes, context: bytes | None, length: int) -> bytes:
        """Return keying material for another protocol (RFC 5705).

        Raises:
            InvalidStateError: The connection is not connected.
        """
        return self._connected().result.secrets.export(label, context, length)

    def srtp_keys(self) -> SrtpKeys | None:
        """Return the SRTP keys (RFC 5764 section 4.2), or None if no profile was negotiated.

        Raises:
            InvalidStateError: The connection is not connected.
        """
        result = self._connected().result
        return None if result.srtp_profile is None else result.secrets.srtp_keys(result.srtp_profile)

    def _connected(self) -> Connected:
        if not isinstance(self._state, Connected):
            raise InvalidStateError(f"the DTLS connection is {self.state}, not connected")
        return self._state

    # What the layer above does

    def set_remote_fingerprints(self, fingerprints: Sequence[Fingerprint]) -> None:
        """Set what the peer's certificate is checked against: any match will do.

        Raises:
            InvalidStateError: The connection was started.
        """
        if not isinstance(self._state, New):
            raise InvalidStateError("the fingerprints must be known before the handshake starts")
        self._state.remote_fingerprints = tuple(fingerprints)

    def start(self, now: float, *, round_trip_time: float | None = None) -> None:
        """Begin the handshake: a client sends its hello, a server listens.

        Args:
            now: Monotonic seconds.
            round_trip_time: Seconds, as measured on this path before; None if it is not known.

        Raises:
            InvalidStateError: It was started before.
            ValueError: There are no remote fingerprints.
        """
        state = self._state
        if not isinstance(state, New):
            raise InvalidStateError("the DTLS connection was started before")
        if not state.remote_fingerprints:
            raise ValueError("the peer's fingerprints are not set")
        if self._certificate.expires <= now + self._wall_clock:
            logger.warning("the local certificate has expired; a peer that looks at dates will refuse it")
        parameters = HandshakeParameters(
            self._options, self._certificate, state.remote_fingerprints, self._rng
        )
        client = self._role is DtlsRole.CLIENT
        handshake: Handshake = ClientHandshake(parameters) if client else ServerHandshake(parameters)
        options = self._options
        reassembler = Reassembler(options.max_message_size, options.max_reassembly_size)
        connecting = Connecting(handshake, reassembler, round_trip_time=round_trip_time)
        self._state = connecting
        self._apply(connecting, handshake.start(), now)
        if state.early_datagrams:
            self.receive(state.early_datagrams, now)

    def send(self, batch: Sequence[bytes], now: float) -> None:
        """Send application data, one record and datagram per item.

        Raises:
            InvalidStateError: The connection is not connected.
            ValueError: An item is larger than ``max_application_data``; nothing was sent.
        """
        state = self._state
        if not isinstance(state, Connected):
            raise InvalidStateError(f"the DTLS connection is {self.state}, not connected")
        writer = state.writer
        if batch and max(map(len, batch)) > self._options.mtu - writer.overhead:
            raise ValueError(f"application data of more than {self.max_application_data} bytes")
        if len(batch) >= writer.records_left:
            self.close(now)
            return
        self._outgoing += writer.seal_batch(ContentType.APPLICATION_DATA, batch)

    # The contract of a core

    def receive(self, batch: Sequence[bytes], now: float) -> None:
        """Take datagrams. Never raises for what the peer did."""
        index, size = 0, len(batch)
        while index < size:
            state = self._state
            if isinstance(state, Connected):
                index = state.reader.open_run(batch, index, self._plaintexts)
                if index == size:
                    break
            elif isinstance(state, Ended):
                break
            self._receive_datagram(batch[index], now)
            index += 1
        self._announce_application_data()

    def handle_timer(self, now: float) -> None:
        """Send a flight again, give up, or believe an alert, if it is time."""
        state = self._state
        if not isinstance(state, Connecting):
            return
        doubted = state.doubted_alert
        if doubted is not None and now >= doubted.believed_at:
            self._end_by_alert(doubted.alert)
        elif now >= state.gives_up_at:
            self._fail(AlertDescription.USER_CANCELED, "the handshake took too long")
        elif state.flight is not None and state.flight.timer.expire(now):
            self._send_flight_again(state.flight, now)

    def next_timer(self) -> float:
        """Return the next deadline, ``math.inf`` when there is none."""
        return self._state.next_timer() if isinstance(self._state, Connecting) else math.inf

    def datagrams_to_send(self, now: float) -> list[bytes]:
        """Take the datagrams that are to be sent."""
        datagrams, self._outgoing = self._outgoing, []
        return datagrams

    def events(self) -> list[DtlsEvent]:
        """Take the events."""
        events, self._events = self._events, []
        return events

    def close(self, now: float) -> None:
        """Send close_notify if there is a peer to hear it, and end."""
        if isinstance(self._state, Connecting | Connected):
            self._send_alert(AlertLevel.WARNING, AlertDescription.CLOSE_NOTIFY)
        self._end(None)

    def lower_closed(self, now: float) -> None:
        """End without sending anything."""
        self._outgoing.clear()
        self._end(None)

    # Receiving

    def _receive_datagram(self, datagram: bytes, now: float) -> None:
        if isinstance(self._state, New):
            if len(self._state.early_datagrams) < self._options.max_early_records:
                self._state.early_datagrams.append(datagram)
            else:
                self._counters.unexpected += 1
            return
        self._fragments_left = MAX_FRAGMENTS
        self._receive_records(parse_records(datagram), now)
        for record in self._records.take_early_records():
            self._receive_records((record,), now)

    def _receive_records(self, records: Iterable[Record], now: float) -> None:
        try:
            for record in records:
                if not self.closed:
                    self._receive_record(record, now)
        except ProtocolError as error:
            self._counters.malformed += 1
            logger.debug("dropped a record and what came behind it in its datagram: %s", error)

    def _receive_record(self, record: Record, now: float) -> None:
        plaintext = self._records.open(record)
        if plaintext is None:
            return
        match record.content_type:
            case ContentType.APPLICATION_DATA:
                self._receive_application_data(record.epoch, plaintext)
            case ContentType.HANDSHAKE:
                self._receive_handshake(record.epoch, plaintext, now)
            case ContentType.ALERT:
                self._receive_alert(record.epoch, Alert.parse(plaintext), now)
            case _:  # ChangeCipherSpec: the codec lets no fifth type through
                if plaintext != b"\x01":
                    raise ProtocolError("a malformed ChangeCipherSpec")

    def _receive_application_data(self, epoch: int, plaintext: bytes) -> None:
        state = self._state
        if isinstance(state, Connected):
            self._plaintexts.append(plaintext)
        elif (
            isinstance(state, Connecting)
            and epoch
            and len(state.early_data) < self._options.max_early_records
        ):
            state.early_data.append(plaintext)
        else:
            self._counters.unexpected += 1

    def _announce_application_data(self) -> None:
        if self._plaintexts:
            self._events.append(ApplicationDataReceived(self._plaintexts))
            self._plaintexts = []

    def _receive_alert(self, epoch: int, alert: Alert, now: float) -> None:
        logger.debug("received the alert %s in epoch %d", alert.name, epoch)
        if not alert.ends_connection:
            return
        if epoch:
            if alert.description == AlertDescription.CLOSE_NOTIFY:
                self._send_alert(AlertLevel.WARNING, AlertDescription.CLOSE_NOTIFY)
            self._end_by_alert(alert)
        elif isinstance(self._state, Connecting) and self._state.flight is not None:
            if self._state.doubted_alert is None:
                doubt = self._alert_doubt(self._state.round_trip_time)
                self._state.doubted_alert = DoubtedAlert(alert, now + doubt)
        else:
            self._counters.unexpected += 1

    def _alert_doubt(self, round_trip_time: float | None) -> float:
        """Return the seconds in which a working peer would have answered our flight.

        One round trip for the answer, one for a flight that was lost and its repetition, and one more for a path that
        has become slower.
        """
        options = self._options
        answer = options.retransmission_maximum if round_trip_time is None else 3 * round_trip_time
        return max(options.unauthenticated_alert_grace, answer)

    # The handshake

    def _receive_handshake(self, epoch: int, payload: bytes, now: float) -> None:
        state = self._state
        if isinstance(state, Connecting):
            self._reassemble(state, epoch, payload, now)
        elif isinstance(state, Connected):
            self._receive_late_handshake(state, payload, now)

    def _reassemble(self, state: Connecting, epoch: int, payload: bytes, now: float) -> None:
        repeated = False
        fragments = parse_fragments(payload, self._fragments_left)
        self._fragments_left -= len(fragments)
        for fragment in fragments:
            if fragment.message_type == HandshakeType.HELLO_REQUEST:
                # Ignored while negotiating (RFC 5246 section 7.4.1.1). It must not take a message's number either:
                # it means nothing, so whoever forges one would silently keep out the genuine message.
                self._counters.unexpected += 1
                continue
            outcome = state.reassembler.add(epoch, fragment)
            if outcome is Outcome.REPEATED:
                repeated = True
            elif outcome is Outcome.REFUSED:
                self._counters.overflowed += 1
        try:
            self._advance(state, now)
        except HandshakeFailure as failure:
            self._fail(failure.alert, str(failure), failure.detail)
        except ProtocolError as error:
            self._fail(AlertDescription.DECODE_ERROR, str(error))
        if repeated and self._state is state and state.flight is not None:
            self._answer_repetition(state.flight, now)

    def _advance(self, state: Connecting, now: float) -> None:
        while self._state is state:
            message = state.reassembler.take(state.handshake.awaited_epoch)
            if message is None:
                return
            state.doubted_alert = None
            state.record_answer(now)
            self._apply(state, state.handshake.receive(message), now)

    def _apply(self, state: Connecting, step: Step, now: float) -> None:
        if step.keys is not None:
            self._records.install(step.keys)
        if step.flight:
            options = self._options
            timer = Timer(options.retransmission_initial, maximum=options.retransmission_maximum)
            if step.awaits_answer:
                timer.start(now)
            state.flight = Flight(step.flight, timer, now, pause=options.retransmission_initial / 2)
            state.gives_up_at = min(state.gives_up_at, now + options.handshake_timeout)
            self._send_flight(state.flight, now)
        if step.result is not None:
            self._complete(state, step.result, keep_flight=bool(step.flight))

    def _complete(self, state: Connecting, result: HandshakeResult, *, keep_flight: bool) -> None:
        records = self._records
        records.retire_readers()
        last_flight = state.flight if keep_flight else None
        self._state = Connected(result, records.newest_reader, records.newest_writer, last_flight)
        self._events.append(
            HandshakeCompleted(
                cipher_suite=result.secrets.suite.name,
                group=result.group.label,
                srtp_profile=None if result.srtp_profile is None else result.srtp_profile.name,
                remote_certificate=result.peer.der,
                version=f"{VERSION_1_2:04X}",
            )
        )
        self._plaintexts += state.early_data

    def _receive_late_handshake(self, state: Connected, payload: bytes, now: float) -> None:
        match parse_fragments(payload)[0].message_type:
            case HandshakeType.FINISHED if state.last_flight is not None:
                sent_at = state.last_flight.sent_at
                if self._answer_repetition(state.last_flight, now):
                    self._events.append(FinalFlightRetransmitted(now - sent_at))
            case HandshakeType.HELLO_REQUEST | HandshakeType.CLIENT_HELLO:
                self._send_alert(AlertLevel.WARNING, AlertDescription.NO_RENEGOTIATION)
            case _:
                self._counters.unexpected += 1

    # Sending

    def _answer_repetition(self, flight: Flight, now: float) -> bool:
        """Send a flight again because the peer has repeated its own, and return whether it was not just sent."""
        should_answer = flight.should_answer_repetition(now)
        if should_answer:
            self._send_flight_again(flight, now)
        return should_answer

    def _send_flight_again(self, flight: Flight, now: float) -> None:
        self._counters.flights_retransmitted += 1
        self._send_flight(flight, now)

    def _send_flight(self, flight: Flight, now: float) -> None:
        flight.sent_at = now
        self._write_epoch = max(self._write_epoch, flight.items[-1].epoch)
        records = self._records
        self._outgoing += pack_flight(flight.items, self._options.mtu, records.overhead, records.seal)

    def _send_alert(self, level: AlertLevel, description: AlertDescription) -> None:
        alert = Alert(level, description).encode()
        self._outgoing.append(self._records.seal(self._write_epoch, ContentType.ALERT, alert))

    # Ending

    def _fail(
        self,
        alert: AlertDescription,
        message: str,
        detail: RTCErrorDetailType = RTCErrorDetailType.DTLS_FAILURE,
    ) -> None:
        self._send_alert(AlertLevel.FATAL, alert)
        self._end(DtlsError(detail, message, sent_alert=int(alert)))

    def _end_by_alert(self, alert: Alert) -> None:
        if alert.description == AlertDescription.CLOSE_NOTIFY:
            self._end(None)
        else:
            message = f"the peer has sent the alert {alert.name}"
            self._end(DtlsError(RTCErrorDetailType.DTLS_FAILURE, message, received_alert=alert.description))

    def _end(self, error: DtlsError | None) -> None:
        if self.closed:
            return
        self._announce_application_data()
        self._state = Ended(error)
        self._events.append(DtlsClosed(error))
        if error is not None:
            logger.debug("the connection has failed: %s", error.message)
