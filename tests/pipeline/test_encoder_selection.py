"""Selection of shared encoders for senders with different bandwidths."""

from hypothesis import given
from hypothesis import strategies as st

from trio_rtc._pipeline.encoder_selection import MAX_GROUPS, EncoderSelection


def test_a_sender_joins_those_of_similar_bitrates() -> None:
    groups = [[3_000_000.0], [1_000_000.0, 900_000.0]]
    assert EncoderSelection().first(2_500_000, groups) == 0
    assert EncoderSelection().first(1_100_000, groups) == 1
    assert EncoderSelection().first(300_000, groups) == 2


def test_without_a_free_encoder_no_sender_is_slowed_down_if_possible() -> None:
    groups = [[8e6], [4e6], [1e6], [0.5e6]]
    assert len(groups) == MAX_GROUPS
    assert EncoderSelection().first(2e6, groups) == 2
    assert EncoderSelection().first(0.1e6, groups) == 3


def test_a_sender_that_slows_others_down_leaves_after_a_second() -> None:
    choice = EncoderSelection()
    groups = [[3e6, 3e6]]
    moved = [now / 10 for now in range(30) if choice.next(5e5, groups, 0, now / 10) == 1]
    assert moved[0] == 1.0


def test_a_slowed_down_sender_stays() -> None:
    choice = EncoderSelection()
    assert all(choice.next(3e6, [[5e5, 3e6]], 0, float(now)) == 0 for now in range(30))


def test_a_dip_is_no_reason_to_leave() -> None:
    choice = EncoderSelection()
    for step in range(100):
        bitrate = 5e5 if step % 10 < 9 else 3e6
        assert choice.next(bitrate, [[3e6]], 0, step / 10) == 0


def test_similar_senders_rejoin_the_larger_group() -> None:
    one = EncoderSelection()
    joined = [now for now in range(20) if one.next(2.9e6, [[3e6, 3e6], []], 1, float(now)) == 0]
    assert joined[0] == 4
    many = EncoderSelection()
    assert all(many.next(3e6, [[3e6], [2.9e6]], 0, float(now)) == 0 for now in range(20))


def test_of_two_single_senders_the_later_joins_the_earlier() -> None:
    early, late = EncoderSelection(), EncoderSelection()
    assert all(early.next(3e6, [[], [3e6]], 0, float(now)) == 0 for now in range(20))
    assert {late.next(3e6, [[3e6], []], 1, float(now)) for now in range(20)} == {0, 1}


BITRATES = st.floats(30_000, 10_000_000)


@given(st.lists(BITRATES, min_size=2, max_size=8), st.integers(5, 8))
def test_after_some_seconds_no_sender_is_slowed_down_much_unless_all_encoders_are_used(
    bitrates: list[float], seconds: int
) -> None:
    """All begin together; each selects four times per second, in turn."""
    choices = [EncoderSelection() for _ in bitrates]
    groups: list[list[int]] = [list(range(len(bitrates)))]
    for step in range(4 * seconds):
        for user, choice in enumerate(choices):
            present = next(index for index, group in enumerate(groups) if user in group)
            others = [[bitrates[each] for each in group if each != user] for group in groups]
            chosen = choice.next(bitrates[user], others, present, step / 4)
            if chosen != present:
                groups.append([])
                groups[chosen].append(user)
                groups[present].remove(user)
                groups = [group for group in groups if group]
    assert len(groups) <= MAX_GROUPS
    shares = [
        min(bitrates[user] for user in group) / max(bitrates[user] for user in group) for group in groups
    ]
    assert min(shares) >= 0.7 or len(groups) == MAX_GROUPS
