"""The SDP writer: tree to text."""

from collections.abc import Iterable, Iterator

from .description import Attribute, MediaDescription, Section, SessionDescription


def write(description: SessionDescription) -> str:
    """Return the text of a description, each line terminated by CRLF (RFC 8866 section 5).

    Fields precede attributes, as the grammar requires; the order within each is kept.
    """
    return "\r\n".join([*_lines(description), ""])


def append_attributes(text: str, index: int, attributes: Iterable[Attribute]) -> str:
    """Return a description's text with attributes appended to a media section, otherwise unchanged.

    Args:
        text: A valid description.
        index: The index of the media section.
        attributes: The attributes to append.
    """
    body = text.rstrip("\r\n")
    lines = body.split("\n")
    carriage_return = "\r" if lines[0].endswith("\r") else ""
    blank_lines = text[len(body) :] or f"{carriage_return}\n"
    lines[-1] += carriage_return
    starts = [number for number, line in enumerate(lines) if line.startswith("m=")]
    end = starts[index + 1] if index + 1 < len(starts) else len(lines)
    lines[end:end] = [_attribute_line(attribute) + carriage_return for attribute in attributes]
    return "\n".join(lines).removesuffix("\r") + blank_lines


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
        yield _attribute_line(attribute)


def _attribute_line(attribute: Attribute) -> str:
    return f"a={attribute.name}" if attribute.value is None else f"a={attribute.name}:{attribute.value}"
