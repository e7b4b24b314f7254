"""From the tree to the text."""

from collections.abc import Iterator

from .description import MediaDescription, Section, SessionDescription


def write(description: SessionDescription) -> str:
    """Return the text of a description, every line ended by CRLF (RFC 8866 section 5).

    Fields come before attributes, as the grammar wants them; the order within each is kept.
    """
    return "".join(f"{line}\r\n" for line in _lines(description))


def _lines(description: SessionDescription) -> Iterator[str]:
    origin = description.origin
    yield "v=0"
    yield (
        f"o={origin.username} {origin.session_id} {origin.session_version}"
        f" {origin.network_type} {origin.address_type} {origin.address}"
    )
    yield f"s={description.name}"
    yield from _section_lines(description)
    for media in description.media:
        yield _media_line(media)
        yield from _section_lines(media)


def _media_line(media: MediaDescription) -> str:
    port = str(media.port) if media.port_count == 1 else f"{media.port}/{media.port_count}"
    return " ".join((f"m={media.kind}", port, media.protocol, *media.formats))


def _section_lines(section: Section) -> Iterator[str]:
    for field in section.fields:
        yield f"{field.type}={field.value}"
    for attribute in section.attributes:
        yield f"a={attribute.name}" if attribute.value is None else f"a={attribute.name}:{attribute.value}"
