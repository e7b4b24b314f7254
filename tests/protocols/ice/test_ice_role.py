"""Resolution of role conflicts (RFC 8445 sections 7.2.5.1 and 7.3.1.1)."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.ice import IceRole
from trio_rtc.protocols.ice.role import ConflictOutcome, RoleConflictResolver
from trio_rtc.protocols.stun import AttributeType, Message, StunAttribute, binding_request

CONTROLLING, CONTROLLED = IceRole.CONTROLLING, IceRole.CONTROLLED
ATTRIBUTES = {CONTROLLING: AttributeType.ICE_CONTROLLING, CONTROLLED: AttributeType.ICE_CONTROLLED}


def make_request(role: IceRole, tie_breaker: bytes) -> Message:
    return binding_request(bytes(12), [StunAttribute(ATTRIBUTES[role], tie_breaker)])


@pytest.mark.parametrize("role", list(IceRole))
def test_attribute_has_the_role_and_64_bits(role: IceRole) -> None:
    resolver = RoleConflictResolver(role, random.Random(1))
    attribute = resolver.attribute
    assert attribute.type == ATTRIBUTES[role]
    assert int.from_bytes(attribute.value, "big") == random.Random(1).getrandbits(64)
    resolver.role = role.opposite
    assert resolver.attribute == (ATTRIBUTES[role.opposite], attribute.value)


@pytest.mark.parametrize("role", list(IceRole))
def test_switch_changes_role_and_tie_breaker(role: IceRole) -> None:
    resolver = RoleConflictResolver(role, random.Random(1))
    first = resolver.attribute.value
    resolver.switch()
    assert resolver.role is role.opposite
    assert resolver.attribute.value != first
    assert len(resolver.attribute.value) == 8


@pytest.mark.parametrize(
    ("role", "difference", "outcome"),
    [
        (CONTROLLING, -1, ConflictOutcome.SEND_487),
        (CONTROLLING, 0, ConflictOutcome.SEND_487),
        (CONTROLLING, 1, ConflictOutcome.SWITCH_ROLE),
        (CONTROLLED, -1, ConflictOutcome.SWITCH_ROLE),
        (CONTROLLED, 0, ConflictOutcome.SWITCH_ROLE),
        (CONTROLLED, 1, ConflictOutcome.SEND_487),
    ],
)
def test_agent_with_the_larger_or_equal_tie_breaker_is_controlling(
    role: IceRole, difference: int, outcome: ConflictOutcome
) -> None:
    """RFC 8445 section 7.3.1.1: "larger than or equal to". The role itself is left to the caller."""
    resolver = RoleConflictResolver(role, random.Random(1))
    ours = int.from_bytes(resolver.attribute.value, "big")
    request = make_request(role, (ours + difference).to_bytes(8, "big"))
    assert resolver.resolve(request) is outcome
    assert resolver.role is role


@given(st.sampled_from(IceRole), st.binary(min_size=8, max_size=8))
def test_different_roles_are_no_conflict(role: IceRole, tie_breaker: bytes) -> None:
    resolver = RoleConflictResolver(role, random.Random(1))
    assert resolver.resolve(make_request(role.opposite, tie_breaker)) is ConflictOutcome.NO_CONFLICT


@given(st.integers(0, 2**32), st.integers(0, 2**32), st.sampled_from(IceRole))
def test_a_conflict_ends_with_different_roles(ours: int, theirs: int, role: IceRole) -> None:
    first, second = (RoleConflictResolver(role, random.Random(seed)) for seed in (ours, theirs + 2**33))
    request = binding_request(bytes(12), [second.attribute])
    if first.resolve(request) is ConflictOutcome.SWITCH_ROLE:
        first.role = first.role.opposite
    else:
        second.switch()
    assert {first.role, second.role} == set(IceRole)


@pytest.mark.parametrize("size", [0, 7, 9])
@pytest.mark.parametrize("role", list(IceRole))
def test_a_malformed_tie_breaker_raises(role: IceRole, size: int) -> None:
    resolver = RoleConflictResolver(role, random.Random(1))
    with pytest.raises(ProtocolError, match=f"{size} bytes instead of 8"):
        resolver.resolve(make_request(role, bytes(size)))
