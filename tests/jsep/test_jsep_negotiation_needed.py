"""The check whether negotiation is needed."""

from tests.strategies.jsep_sessions import local_media, make_session, negotiate, without

OTHER_SHA_256 = ":".join(["CD"] * 32)


def test_negotiation_is_not_needed_after_an_exchange() -> None:
    offerer, answerer = make_session(1), make_session(2)
    media = local_media("off1")
    assert offerer.needs_negotiation(data_channels=True)
    assert not offerer.needs_negotiation()
    negotiate(offerer, answerer, media)
    assert not offerer.needs_negotiation(data_channels=True)
    assert not answerer.needs_negotiation(data_channels=True)
    assert offerer.needs_negotiation(data_channels=True, ice_restart=True)


def test_after_a_rejection_the_next_channel_needs_negotiation() -> None:
    offerer = make_session()
    offer = offerer.create_offer(local_media())
    offerer.apply_local("offer")
    applied = offerer.apply_remote(
        "answer", without(offer.replace("application 9", "application 0"), "a=group")
    )
    assert (applied.transport, applied.rejected_mids, applied.closed_mids) == (None, ("0",), ("0",))
    assert offerer.needs_negotiation(data_channels=True)
    assert not offerer.needs_negotiation()
