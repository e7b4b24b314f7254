import math
import random

import attrs
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from trio_rtc.protocols._contract import Address, Datagram
from trio_rtc.protocols.stun import (
    COMPREHENDED,
    Client,
    ErrorCode,
    FailureReason,
    Message,
    MessageClass,
    Method,
    ResponseReceived,
    StunAttribute,
    TransactionFailed,
    TransactionOptions,
    binding_request,
    error_response,
    success_response,
)

LOCAL = Address("10.0.0.1", 1000)
SERVER = Address("10.0.0.2", 3478)
KEY = b"secret"


def make_client(**options: float) -> Client:
    return Client(TransactionOptions(**options))  # type: ignore[arg-type]


def answer(datagram: Datagram, *, key: bytes | None = None) -> Datagram:
    """Return the success response to a request, as the client receives it."""
    response = success_response(Message.parse(datagram.data), datagram.local)
    return Datagram(response.encode(key=key), datagram.local, datagram.remote)


def run_until_end(client: Client, now: float) -> list[float]:
    """Run until the end; return the times of the requests."""
    times = []
    while client.next_timer() != math.inf:
        now = client.next_timer()
        client.handle_timer(now)
        times += [now] * len(client.datagrams_to_send(now))
    return [*times, now]


def test_a_request_is_retransmitted_as_in_rfc_8489() -> None:
    client = make_client()
    client.start(binding_request(bytes(12)), LOCAL, SERVER, now=0.0)
    assert len(client.datagrams_to_send(0.0)) == 1
    assert run_until_end(client, 0.0) == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 39.5]
    assert client.events() == [TransactionFailed(bytes(12), FailureReason.TIMED_OUT)]


def test_a_request_may_have_fewer_transmissions_than_the_option() -> None:
    client = make_client()
    client.start(binding_request(bytes(12)), LOCAL, SERVER, now=0.0, max_transmissions=2)
    assert len(client.datagrams_to_send(0.0)) == 1
    assert run_until_end(client, 0.0) == [0.5, 8.5]


def test_the_next_timer_is_that_of_the_earliest_transaction() -> None:
    client = make_client()
    client.start(binding_request(bytes(12)), LOCAL, SERVER, now=0.0)
    client.start(binding_request(bytes([1] * 12)), LOCAL, SERVER, now=0.3)
    assert client.next_timer() == 0.5
    client.handle_timer(0.5)
    assert client.next_timer() == 0.8


def test_a_response_ends_the_transaction() -> None:
    client = make_client()
    client.start(binding_request(bytes(12)), LOCAL, SERVER, now=0.0)
    (request,) = client.datagrams_to_send(0.0)
    client.receive([answer(request), answer(request)], 0.25)
    (event,) = client.events()
    assert isinstance(event, ResponseReceived)
    assert event.round_trip_time == 0.25
    assert event.response.mapped_address == LOCAL
    assert client.next_timer() == math.inf
    assert client.dropped == {"unexpected": 1}


def test_a_retransmitted_request_gives_no_round_trip_time() -> None:
    client = make_client()
    client.start(binding_request(bytes(12)), LOCAL, SERVER, now=0.0)
    (request,) = client.datagrams_to_send(0.0)
    client.handle_timer(0.5)
    client.receive([answer(request)], 0.6)
    (event,) = client.events()
    assert isinstance(event, ResponseReceived)
    assert event.round_trip_time is None


@pytest.mark.parametrize("key", [None, b"guess"])
def test_an_unauthenticated_response_is_ignored(key: bytes | None) -> None:
    client = make_client()
    client.start(binding_request(bytes(12)), LOCAL, SERVER, now=0.0, key=KEY)
    (request,) = client.datagrams_to_send(0.0)
    deadline = client.next_timer()
    client.receive([answer(request, key=key)], 0.1)
    assert client.events() == []
    assert client.next_timer() == deadline
    client.receive([answer(request, key=KEY)], 0.2)
    assert len(client.events()) == 1


def test_an_error_response_ends_the_transaction() -> None:
    client = make_client()
    request = binding_request(bytes(12))
    client.start(request, LOCAL, SERVER, now=0.0)
    response = error_response(request, ErrorCode(500, "Server Error")).encode()
    client.receive([Datagram(response, LOCAL, SERVER)], 0.1)
    (event,) = client.events()
    assert isinstance(event, ResponseReceived)
    assert event.response.error_code == ErrorCode(500, "Server Error")


def test_a_response_with_unknown_attributes_fails_the_transaction() -> None:
    client = make_client()
    request = binding_request(bytes(12))
    client.start(request, LOCAL, SERVER, now=0.0)
    response = success_response(request, LOCAL)
    response = Message(
        response.method, response.message_class, bytes(12), (*response.attributes, StunAttribute(0x7777, b""))
    )
    client.receive([Datagram(response.encode(), LOCAL, SERVER)], 0.1)
    assert client.events() == [TransactionFailed(bytes(12), FailureReason.NOT_UNDERSTOOD)]


def test_attributes_that_the_caller_understands_are_accepted() -> None:
    """XOR-RELAYED-ADDRESS and LIFETIME of TURN (RFC 8656 section 18)."""
    client = Client(TransactionOptions(), comprehended=COMPREHENDED | {0x16, 0x0D})
    client.start(binding_request(bytes(12)), LOCAL, SERVER, now=0.0)
    attributes = (StunAttribute(0x16, bytes(8)), StunAttribute(0x0D, bytes(4)))
    response = Message(Method.BINDING, MessageClass.SUCCESS_RESPONSE, bytes(12), attributes)
    client.receive([Datagram(response.encode(), LOCAL, SERVER)], 0.1)
    (event,) = client.events()
    assert isinstance(event, ResponseReceived)
    assert event.response.attributes == attributes


CHALLENGE = (StunAttribute(0x14, b"realm"), StunAttribute(0x15, b"nonce"))


@pytest.mark.parametrize(
    ("code", "long_term", "key", "accepted"),
    [
        (401, True, None, True),
        (438, True, None, True),
        (438, True, KEY, True),
        (438, True, b"guess", False),
        (400, True, None, False),
        (486, True, None, False),
        (486, True, KEY, True),
        (401, False, None, False),
        (438, False, None, False),
    ],
)
def test_challenges_of_long_term_credentials_need_no_integrity(
    code: int, long_term: bool, key: bytes | None, accepted: bool
) -> None:
    """RFC 8489 section 9.2.5; of short-term credentials each response must be authentic (section 9.1.4)."""
    client = Client(TransactionOptions(), long_term_credentials=long_term)
    request = binding_request(bytes(12))
    client.start(request, LOCAL, SERVER, now=0.0, key=KEY)
    response = error_response(request, ErrorCode(code, "reason"))
    response = attrs.evolve(response, attributes=(*response.attributes, *CHALLENGE))
    client.receive([Datagram(response.encode(key=key), LOCAL, SERVER)], 0.1)
    events = client.events()
    assert len(events) == accepted
    assert client.dropped == ({} if accepted else {"unauthenticated": 1})
    for event in events:
        assert isinstance(event, ResponseReceived)
        assert event.response.error_code == ErrorCode(code, "reason")
        assert (event.response.realm, event.response.nonce) == ("realm", b"nonce")


@pytest.mark.parametrize("value", [None, b"", b"\0\0\x07\x01"])
def test_a_malformed_error_code_is_no_challenge(value: bytes | None) -> None:
    client = Client(TransactionOptions(), long_term_credentials=True)
    client.start(binding_request(bytes(12)), LOCAL, SERVER, now=0.0, key=KEY)
    attributes = () if value is None else (StunAttribute(0x09, value),)
    for message_class in (MessageClass.ERROR_RESPONSE, MessageClass.SUCCESS_RESPONSE):
        response = Message(Method.BINDING, message_class, bytes(12), attributes)
        client.receive([Datagram(response.encode(), LOCAL, SERVER)], 0.1)
    assert client.events() == []
    assert client.dropped == {"unauthenticated": 2}


def test_a_full_table_fails_the_new_transaction() -> None:
    client = make_client(max_transactions=1)
    client.start(binding_request(bytes(12)), LOCAL, SERVER, now=0.0)
    client.start(binding_request(b"x" * 12), LOCAL, SERVER, now=0.0)
    assert client.events() == [TransactionFailed(b"x" * 12, FailureReason.TOO_MANY)]
    assert len(client.datagrams_to_send(0.0)) == 1


def test_a_timeout_ends_the_transaction_before_the_retransmissions() -> None:
    client = make_client()
    client.start(binding_request(bytes(12)), LOCAL, SERVER, now=0.0, timeout=2.0)
    assert len(client.datagrams_to_send(0.0)) == 1
    assert run_until_end(client, 0.0) == [0.5, 1.5, 2.0]


def test_after_stopped_retransmission_the_response_is_accepted() -> None:
    client = make_client()
    client.start(binding_request(bytes(12)), LOCAL, SERVER, now=0.0)
    (request,) = client.datagrams_to_send(0.0)
    client.stop_retransmitting(bytes(12), 0.1)
    client.handle_timer(8.0)
    assert client.datagrams_to_send(8.0) == []
    client.receive([answer(request)], 8.05)
    assert isinstance(client.events()[0], ResponseReceived)


def test_cancelled_transactions_have_no_events() -> None:
    client = make_client()
    client.start(binding_request(bytes(12)), LOCAL, SERVER, now=0.0)
    client.cancel(bytes(12))
    client.start(binding_request(b"x" * 12), LOCAL, SERVER, now=0.0)
    client.cancel_from(LOCAL)
    assert client.next_timer() == math.inf
    assert client.events() == []


def transaction_ids(client: Client, now: float) -> list[bytes]:
    return [Message.parse(datagram.data).transaction_id for datagram in client.datagrams_to_send(now)]


def test_a_cancelled_transaction_is_not_retransmitted() -> None:
    client = make_client()
    for number in range(2):
        client.start(binding_request(bytes([number]) * 12), LOCAL, SERVER, now=0.0)
    client.cancel(bytes(12))
    client.cancel(b"unknown" * 2)
    client.handle_timer(0.5)
    assert transaction_ids(client, 0.5) == [bytes(12), b"\1" * 12, b"\1" * 12]


def test_queued_datagrams_of_a_closed_socket_are_dropped() -> None:
    client = make_client()
    for number, local in enumerate((LOCAL, SERVER)):
        client.start(binding_request(bytes([number]) * 12), local, SERVER, now=0.0)
    client.cancel_from(LOCAL)
    assert transaction_ids(client, 0.0) == [b"\1" * 12]
    client.handle_timer(0.5)
    assert transaction_ids(client, 0.5) == [b"\1" * 12]


@pytest.mark.parametrize("transmissions", [1, 2])
def test_the_final_wait_begins_when_retransmission_stops(transmissions: int) -> None:
    client = make_client()
    client.start(binding_request(bytes(12)), LOCAL, SERVER, now=1.0, max_transmissions=transmissions)
    client.stop_retransmitting(b"unknown" * 2, 1.0)
    client.stop_retransmitting(bytes(12), 1.25)
    # 16 times the RTO after the last request, or after retransmission was stopped.
    ends = 9.25 if transmissions > 1 else 9.0
    client.stop_retransmitting(bytes(12), 1.5)
    assert client.next_timer() == ends
    client.handle_timer(ends - 0.01)
    assert client.events() == []
    client.handle_timer(ends)
    assert client.events() == [TransactionFailed(bytes(12), FailureReason.TIMED_OUT)]
    assert transaction_ids(client, ends) == [bytes(12)]


def test_drops_are_counted_by_reason() -> None:
    client = make_client()
    client.start(binding_request(bytes(12)), LOCAL, SERVER, now=3.0, key=KEY)
    (request,) = client.datagrams_to_send(3.0)
    noise = Datagram(b"noise", LOCAL, SERVER)
    client.receive([noise, answer(request), noise, answer(request, key=KEY), answer(request, key=KEY)], 3.25)
    assert client.dropped == {"malformed": 2, "unauthenticated": 1, "unexpected": 1}
    (event,) = client.events()
    assert isinstance(event, ResponseReceived)
    assert event.round_trip_time == 0.25


@pytest.mark.parametrize("end", ["close", "lower_closed"])
def test_a_closed_client_has_no_transactions(end: str) -> None:
    client = make_client()
    assert not client.closed
    client.start(binding_request(bytes(12)), LOCAL, SERVER, now=0.0)
    getattr(client, end)(0.1)
    assert client.closed
    assert client.datagrams_to_send(0.1) == []
    assert client.next_timer() == math.inf
    client.start(binding_request(bytes(12)), LOCAL, SERVER, now=0.2)
    assert client.datagrams_to_send(0.2) == []
    assert client.next_timer() == math.inf


class StunClientMachine(RuleBasedStateMachine):
    """A client and a server with a hostile network: every transaction ends exactly once and correctly."""

    def __init__(self) -> None:
        super().__init__()
        self.rng = random.Random(1)
        self.now = 0.0
        self.client = make_client()
        self.network: list[Datagram] = []
        self.answers: list[Datagram] = []
        self.open: dict[bytes, bytes | None] = {}
        self.ended: dict[bytes, object] = {}
        self.sent: dict[bytes, int] = {}
        self.answered: set[bytes] = set()

    def pump(self) -> None:
        for datagram in self.client.datagrams_to_send(self.now):
            transaction_id = Message.parse(datagram.data).transaction_id
            self.sent[transaction_id] = self.sent.get(transaction_id, 0) + 1
            self.network.append(datagram)
        for event in self.client.events():
            assert event.transaction_id not in self.ended, "a transaction ended twice"
            self.ended[event.transaction_id] = event
            key = self.open.pop(event.transaction_id)
            if isinstance(event, ResponseReceived):
                assert event.transaction_id in self.answered
                assert key is None or event.response.has_valid_integrity(key)

    @rule(key=st.none() | st.just(KEY))
    def start(self, key: bytes | None) -> None:
        request = binding_request(self.rng.randbytes(12))
        self.open[request.transaction_id] = key
        self.client.start(request, LOCAL, SERVER, now=self.now, key=key)
        self.pump()

    @precondition(lambda self: self.network)
    @rule(data=st.data())
    def serve(self, data: st.DataObject) -> None:
        datagram = self.network.pop(data.draw(st.integers(0, len(self.network) - 1)))
        transaction_id = Message.parse(datagram.data).transaction_id
        self.answered.add(transaction_id)
        key = KEY if Message.parse(datagram.data).has_integrity else None
        self.answers.append(answer(datagram, key=key))

    @precondition(lambda self: self.answers)
    @rule(data=st.data(), duplicate=st.booleans())
    def deliver(self, data: st.DataObject, duplicate: bool) -> None:
        index = data.draw(st.integers(0, len(self.answers) - 1))
        datagram = self.answers[index] if duplicate else self.answers.pop(index)
        self.client.receive([datagram], self.now)
        self.pump()

    @precondition(lambda self: self.network)
    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        self.network.pop(data.draw(st.integers(0, len(self.network) - 1)))

    @precondition(lambda self: self.network)
    @rule(data=st.data(), key=st.none() | st.just(b"guess"))
    def forge(self, data: st.DataObject, key: bytes | None) -> None:
        """An attacker who sees requests, but does not have the key, answers those with integrity."""
        datagram = data.draw(st.sampled_from(self.network))
        if Message.parse(datagram.data).has_integrity:
            self.client.receive([answer(datagram, key=key)], self.now)
            self.pump()

    @rule(noise=st.binary(max_size=60))
    def inject(self, noise: bytes) -> None:
        self.client.receive([Datagram(noise, LOCAL, SERVER)], self.now)
        self.pump()

    @precondition(lambda self: self.answers)
    @rule(data=st.data())
    def corrupt(self, data: st.DataObject) -> None:
        datagram = data.draw(st.sampled_from(self.answers))
        damaged = bytearray(datagram.data)
        damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
        self.client.receive([datagram._replace(data=bytes(damaged))], self.now)
        self.pump()

    @rule(seconds=st.floats(0.001, 10.0))
    def advance(self, seconds: float) -> None:
        self.now += seconds
        self.client.handle_timer(self.now)
        assert self.client.next_timer() > self.now
        self.pump()

    @invariant()
    def sent_no_more_than_allowed(self) -> None:
        assert all(count <= 7 for count in self.sent.values())

    @invariant()
    def a_timer_runs_while_anything_is_open(self) -> None:
        assert (self.client.next_timer() == math.inf) == (not self.open)

    def teardown(self) -> None:
        while self.client.next_timer() != math.inf:
            self.now = max(self.now, self.client.next_timer())
            self.client.handle_timer(self.now)
            self.pump()
        assert not self.open


TestStunClientMachine = StunClientMachine.TestCase


@pytest.mark.parametrize("method", [2, 3, 0x101, 0xFFF])
@pytest.mark.parametrize("key", [None, KEY])
def test_an_authentic_response_of_another_method_is_dropped(method: int, key: bytes | None) -> None:
    client = make_client()
    request = binding_request(bytes(12))
    client.start(request, LOCAL, SERVER, now=0.0, key=key)
    deadline = client.next_timer()
    for right in (success_response(request, LOCAL), error_response(request, ErrorCode(500, "Server Error"))):
        other = Message(method, right.message_class, right.transaction_id, right.attributes)
        client.receive([Datagram(other.encode(key=key), LOCAL, SERVER)], 0.1)
    assert client.events() == []
    assert client.dropped == {"unexpected": 2}
    assert client.next_timer() == deadline
    client.receive([Datagram(success_response(request, LOCAL).encode(key=key), LOCAL, SERVER)], 0.2)
    assert [type(event) for event in client.events()] == [ResponseReceived]


@pytest.mark.parametrize("message_class", [MessageClass.REQUEST, MessageClass.INDICATION])
def test_only_responses_end_transactions(message_class: MessageClass) -> None:
    client = make_client()
    request = binding_request(bytes(12))
    client.start(request, LOCAL, SERVER, now=0.0, key=KEY)
    other = Message(request.method, message_class, request.transaction_id)
    client.receive([Datagram(other.encode(key=KEY), LOCAL, SERVER)], 0.1)
    assert client.events() == []


@pytest.mark.parametrize(("local", "remote"), [(LOCAL, LOCAL), (SERVER, SERVER), (SERVER, LOCAL)])
def test_an_authentic_response_of_another_path_is_counted_and_dropped(
    local: Address, remote: Address
) -> None:
    client = make_client()
    request = binding_request(bytes(12))
    client.start(request, LOCAL, SERVER, now=0.0, key=KEY)
    response = success_response(request, LOCAL).encode(key=KEY)
    client.receive([Datagram(response, local, remote)], 0.1)
    assert client.events() == []
    assert client.dropped == {"misdirected": 1}
    client.receive([Datagram(response, LOCAL, SERVER)], 0.2)
    assert len(client.events()) == 1


def test_documented_option_defaults() -> None:
    assert attrs.asdict(TransactionOptions()) == {
        "rto": 0.5,
        "max_transmissions": 7,
        "final_wait": 16.0,
        "max_transactions": 512,
    }
