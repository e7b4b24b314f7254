"""The DTLS connection: one side of a DTLS association.

Supported is DTLS 1.2 (RFC 6347, RFC 5246) in the profile of WebRTC (RFC 8827 section 6.5, RFC 8261, RFC 5764): ECDHE
(RFC 8422), AEAD records (RFC 5288, RFC 7905), the extended master secret (RFC 7627) required, and certificates on both
sides that are authenticated by fingerprint (RFC 8122). Not supported, on purpose: renegotiation (the indication of RFC
5746 is sent, attempts are declined), resumption and tickets, compression, DTLS 1.0, CBC suites.

This module has no code of a particular version. It is given a list of :class:`.handshake.Version`, and the two hellos
select one (:mod:`.negotiation`); ``tls12`` is the only one so far.

States::

    New ── start ──► Connecting ── both Finished are verified ──► Connected
     │                   │                                            │
     └───────────────────┴──── close, close_notify, failure ──────────┴──► Ended

In *Connecting* a handshake receives complete messages and answers with steps: keys to install, a flight to send, the
result. The connection converts between messages and records, and runs the retransmission of RFC 6347 section 4.2.4: a
flight is retransmitted when its timer expires, and also when the peer retransmits the flight that ours answers, since
then ours was lost. In *Connected* the handshake decides about late messages. In DTLS 1.2 the server has sent the final
flight: it keeps that and retransmits it when the peer retransmits its Finished, the only message of the peer's flight
that is authenticated.

A handshake message counts only if it arrived in the epoch that the handshake expects, so a Finished in the clear is
ignored.

**Alerts in the clear** can be forged by anyone who can put a datagram on the path. RFC 6347 section 4.1.2.7 permits to
ignore them, but they are also how a peer reports that its handshake has failed. Therefore a fatal alert or close_notify
in epoch 0 is pending at first: it takes effect only if the handshake makes no progress in the time in which a working
peer would have answered. This time is three round trips, or the longest retransmission interval if the round trip is
unknown, and at least ``unauthenticated_alert_grace`` seconds. A peer that has failed is silent; a working one goes on,
and the alert is discarded. Further alerts do not change the deadline. In *Connected*, records in the clear are dropped.

Forged and replayed records are dropped and counted (RFC 6347 section 4.1.2.7). A handshake message that is wrong,
however, ends the connection: in DTLS 1.2 these are in the clear, and a forged one cannot be told from that of a broken
peer.

The number of records under one key is limited by the 48-bit sequence number only; before it wraps, the connection is
closed.
"""

import logging
import math
import random
from collections.abc import Iterable, Sequence
from typing import assert_never

from trio_rtc.enums import RTCDtlsTransportState, RTCErrorDetailType
from trio_rtc.errors import InvalidStateError, ProtocolError
from trio_rtc.protocols._contract import QueuedCore
from trio_rtc.protocols.timer import Timer

from .alert import Alert, AlertDescription, AlertLevel, HandshakeFailure
from .counters import DtlsCounters
from .crypto.certificate import Certificate, Fingerprint
from .crypto.srtp import SrtpKeys
from .events import (
    ApplicationDataReceived,
    DtlsClosed,
    DtlsError,
    DtlsEvent,
    FinalFlightRetransmitted,
    HandshakeCompleted,
)
from .flight import Flight, pack_flight
from .handshake import Admission, HandshakeParameters, HandshakeResult, Step, Version
from .negotiation import VersionNegotiation
from .options import DtlsOptions, DtlsRole
from .reassembly import MAX_FRAGMENTS, Outcome, Reassembler, parse_fragments
from .record.codec import ContentType, Record, parse_records
from .record.epochs import RecordLayer
from .state import Connected, Connecting, Ended, New, PendingAlert, State
from .tls12.version import Dtls12

logger = logging.getLogger("trio_rtc.dtls")

VERSIONS: tuple[Version, ...] = (Dtls12(),)
"""Supported versions of DTLS, the preferred one first."""
_ACTIVE = (Connecting, Connected)


class Connection(QueuedCore[bytes, DtlsEvent]):
    """One side of a DTLS connection.

    Args:
        options: The options.
        role: Client or server.
        certificate: Local certificate.
        rng: Source of all randomness: randoms, keys, cookies.
        wall_clock: Unix time minus ``now``, in seconds.
        versions: Versions of DTLS, the preferred one first.
    """

    def __init__(
        self,
        options: DtlsOptions,
        *,
        role: DtlsRole,
        certificate: Certificate,
        rng: random.Random,
        wall_clock: float,
        versions: Sequence[Version] = VERSIONS,
    ) -> None:
        super().__init__()
        self._options = options
        self._role = role
        self._certificate = certificate
        self._rng = rng
        self._wall_clock = wall_clock
        self._versions = versions
        self._counters = DtlsCounters()
        early_epochs = {epoch for version in versions for epoch in version.early_epochs}
        self._records = RecordLayer(
            options.replay_window, early_epochs, options.max_early_records, self._counters
        )
        self._write_epoch = 0
        self._state: State = New()
        self._plaintexts: list[bytes] = []
        self._fragments_left = MAX_FRAGMENTS

    # Properties

    @property
    def closed(self) -> bool:
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
        """Role in the handshake."""
        return self._role

    @property
    def counters(self) -> DtlsCounters:
        """Counts of records sent, received and dropped, updated as they change."""
        return self._counters

    @property
    def max_application_data(self) -> int:
        """Largest item for ``send`` in bytes: its record fits a datagram of ``options.mtu``."""
        return self._options.mtu - self._connected().writer.overhead

    def export_keying_material(self, label: bytes, context: bytes | None, length: int) -> bytes:
        """Return keying material for another protocol (RFC 5705).

        Raises:
            InvalidStateError: The connection is not connected.
        """
        return self._connected().result.export(label, context, length)

    def srtp_keys(self) -> SrtpKeys | None:
        """Return the SRTP keys (RFC 5764 section 4.2), or None if no profile was negotiated.

        Raises:
            InvalidStateError: The connection is not connected.
        """
        result = self._connected().result
        return None if result.srtp_profile is None else SrtpKeys.derive(result.srtp_profile, result.export)

    def _connected(self) -> Connected:
        if not isinstance(self._state, Connected):
            raise InvalidStateError(f"the DTLS connection is {self.state}, must be connected")
        return self._state

    # Methods for the layer above

    def set_remote_fingerprints(self, fingerprints: Sequence[Fingerprint]) -> None:
        """Set the fingerprints of which the peer's certificate must have one.

        Raises:
            InvalidStateError: The handshake has started.
        """
        if not isinstance(self._state, New):
            raise InvalidStateError(f"the DTLS connection is {self.state}, must be new to set fingerprints")
        self._state.remote_fingerprints = tuple(fingerprints)

    def start(self, now: float, *, round_trip_time: float | None = None) -> None:
        """Start the handshake: a client sends its hello, a server waits for one.

        Args:
            now: Monotonic seconds.
            round_trip_time: Round trip time of the path in seconds, None if unknown.

        Raises:
            InvalidStateError: It has started already.
            ValueError: There are no remote fingerprints.
        """
        state = self._state
        if not isinstance(state, New):
            raise InvalidStateError(f"the DTLS connection is {self.state}, must be new to start")
        if not state.remote_fingerprints:
            raise ValueError("the peer's fingerprints are not set: call set_remote_fingerprints() first")
        if self._certificate.expires <= now + self._wall_clock:
            logger.warning("the local certificate has expired; a peer that checks dates will refuse it")
        parameters = HandshakeParameters(
            self._options, self._certificate, state.remote_fingerprints, self._rng
        )
        negotiation = VersionNegotiation(self._versions, self._role, parameters)
        options = self._options
        reassembler = Reassembler(options.max_message_size, options.max_reassembly_size)
        self._state = Connecting(negotiation, reassembler, round_trip_time=round_trip_time)
        self._apply(self._state, negotiation.start(), now)
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
            raise InvalidStateError(f"the DTLS connection is {self.state}, must be connected")
        writer = state.writer
        if batch and max(map(len, batch)) > self._options.mtu - writer.overhead:
            raise ValueError(
                f"application data of {max(map(len, batch))} bytes, must be at most {self.max_application_data}"
            )
        if len(batch) >= writer.records_left:
            self.close(now)
            return
        self._outgoing += writer.seal_batch(ContentType.APPLICATION_DATA, batch)

    # Methods of a core

    def receive(self, batch: Sequence[bytes], now: float) -> None:
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
        self._emit_application_data()

    def handle_timer(self, now: float) -> None:
        """Retransmit a flight, apply a pending alert or fail, if it is due."""
        state = self._state
        if isinstance(state, Connecting) and state.pending_alert is not None:
            if now >= state.pending_alert.deadline:
                self._end_by_alert(state.pending_alert.alert)
                return
        elif not isinstance(state, _ACTIVE):
            return
        if now >= state.deadline:
            self._fail(AlertDescription.USER_CANCELED, "the handshake timed out")
        elif state.flight is not None and state.flight.timer.expire(now):
            self._retransmit(state.flight, now)

    def next_timer(self) -> float:
        state = self._state
        if isinstance(state, Connected) and state.deadline == math.inf:
            return math.inf  # of almost every connection, without a call
        return state.next_timer() if isinstance(state, _ACTIVE) else math.inf

    def close(self, now: float) -> None:
        """Send close_notify if the handshake has started, and end. Idempotent."""
        if isinstance(self._state, _ACTIVE):
            self._send_alert(AlertLevel.WARNING, AlertDescription.CLOSE_NOTIFY)
        self._end(None)

    def lower_closed(self, now: float) -> None:
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
        for record in self._records.pop_early_records():
            self._receive_records((record,), now)

    def _receive_records(self, records: Iterable[Record], now: float) -> None:
        try:
            for record in records:
                if not self.closed:
                    self._receive_record(record, now)
        except ProtocolError as error:
            self._counters.malformed += 1
            logger.debug("dropped a record and the rest of its datagram: %s", error)

    def _receive_record(self, record: Record, now: float) -> None:
        opened = self._records.open(record)
        if opened is None:
            return
        content_type, plaintext = opened
        match content_type:
            case ContentType.APPLICATION_DATA:
                self._receive_application_data(record.epoch, plaintext)
            case ContentType.HANDSHAKE:
                self._receive_handshake(record.epoch, plaintext, now)
            case ContentType.ALERT:
                self._receive_alert(record.epoch, Alert.parse(plaintext), now)
            case _:
                state = self._state
                assert isinstance(state, _ACTIVE)
                self._apply(state, state.handshake.receive_record(record.epoch, content_type, plaintext), now)

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

    def _emit_application_data(self) -> None:
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
            if self._state.pending_alert is None:
                grace = self._alert_grace(self._state.round_trip_time)
                self._state.pending_alert = PendingAlert(alert, now + grace)
        else:
            self._counters.unexpected += 1

    def _alert_grace(self, round_trip_time: float | None) -> float:
        """Return the seconds in which a working peer would have answered our flight.

        One round trip for the answer, one for a lost flight and its retransmission, and one more for a path that has
        become slower.
        """
        options = self._options
        answer = options.retransmission_maximum if round_trip_time is None else 3 * round_trip_time
        return max(options.unauthenticated_alert_grace, answer)

    # The handshake

    def _receive_handshake(self, epoch: int, payload: bytes, now: float) -> None:
        state = self._state
        assert isinstance(state, _ACTIVE)
        repeated = declined = False
        fragments = parse_fragments(payload, self._fragments_left)
        self._fragments_left -= len(fragments)
        for fragment in fragments:
            admission = state.handshake.admit(fragment.message_type)
            if admission is Admission.REASSEMBLE:
                outcome = state.reassembler.add_fragment(epoch, fragment)
                repeated |= outcome is Outcome.REPEATED
                self._counters.overflowed += outcome is Outcome.REFUSED
            elif admission is Admission.IGNORE:
                self._counters.unexpected += 1
            else:
                repeated |= admission is Admission.RETRANSMIT
                declined |= admission is Admission.DECLINE_RENEGOTIATION
        try:
            self._process_messages(now)
        except HandshakeFailure as failure:
            self._fail(failure.alert, str(failure), failure.detail)
        except ProtocolError as error:
            self._fail(AlertDescription.DECODE_ERROR, str(error))
        if declined:
            self._send_alert(AlertLevel.WARNING, AlertDescription.NO_RENEGOTIATION)
        if repeated and self._state is state and state.flight is not None:
            self._retransmit_for_peer(state.flight, now)

    def _process_messages(self, now: float) -> None:
        """Pass the complete messages to the handshake, in order, and apply its steps."""
        while isinstance(state := self._state, _ACTIVE):
            epoch = state.handshake.next_epoch
            message = None if epoch is None else state.reassembler.pop_message(epoch)
            if message is None:
                return
            if isinstance(state, Connecting):
                state.record_progress(now)
            self._apply(state, state.handshake.receive(message), now)

    def _apply(self, state: Connecting | Connected, step: Step, now: float) -> None:
        records = self._records
        if step.handshake is not None:
            state.handshake = step.handshake
        for keys in step.keys:
            records.install_keys(keys)
        if step.flight_acknowledged:
            state.set_flight(None, math.inf)
        if step.flight:
            options = self._options
            timer = Timer(options.retransmission_initial, maximum=options.retransmission_maximum)
            if step.awaits_answer:
                timer.start(now)
            flight = Flight(step.flight, timer, now, pause=options.retransmission_initial / 2)
            state.set_flight(flight, now + options.handshake_timeout)
            self._send_flight(flight, now)
        if step.oldest_epoch is not None:
            records.retire_readers(step.oldest_epoch)
        if isinstance(state, Connected):
            state.reader, state.writer = records.newest_reader, records.newest_writer
        elif step.result is not None:
            self._complete(state, step.result, keep_flight=bool(step.flight))

    def _complete(self, state: Connecting, result: HandshakeResult, *, keep_flight: bool) -> None:
        records = self._records
        connected = Connected(
            state.handshake, state.reassembler, result, records.newest_reader, records.newest_writer
        )
        if keep_flight:
            connected.set_flight(state.flight, state.deadline)
        if state.handshake.next_epoch is None:
            state.reassembler.clear()
        self._state = connected
        self._write_epoch = records.newest_writer.epoch
        self._events.append(
            HandshakeCompleted(
                cipher_suite=result.cipher_suite.name,
                group=result.group.label,
                srtp_profile=None if result.srtp_profile is None else result.srtp_profile.name,
                remote_certificate=result.peer.der,
                version=f"{result.version:04X}",
            )
        )
        self._plaintexts += state.early_data

    # Sending

    def _retransmit_for_peer(self, flight: Flight, now: float) -> None:
        """Retransmit a flight because the peer has retransmitted its own, unless ours was sent just now."""
        waited = now - flight.sent_at
        if flight.should_retransmit_for_peer(now):
            self._retransmit(flight, now)
            if isinstance(self._state, Connected):
                self._events.append(FinalFlightRetransmitted(waited))

    def _retransmit(self, flight: Flight, now: float) -> None:
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
            message = f"received the fatal alert {alert.name}"
            self._end(DtlsError(RTCErrorDetailType.DTLS_FAILURE, message, received_alert=alert.description))

    def _end(self, error: DtlsError | None) -> None:
        if self.closed:
            return
        self._emit_application_data()
        self._state = Ended(error)
        self._events.append(DtlsClosed(error))
        if error is not None:
            logger.debug("the connection has failed: %s", error.message)
