"""Bounds of what the parser accepts."""

import attrs


@attrs.frozen
class SdpOptions:
    """How large a description may be before it is refused.

    A browser's offer with twenty media sections and full codec lists is about 100 kB in 3,000 lines.

    Attributes:
        maximum_length: Characters of the whole text.
        maximum_lines: Lines of the whole text.
        maximum_sections: Media sections (``m=`` lines).
        maximum_session_lines: Lines before the first of them. There are a dozen in practice, and every section
            inherits from them: together with the number of sections this bounds the work.
    """

    maximum_length: int = 1_000_000
    maximum_lines: int = 20_000
    maximum_sections: int = 256
    maximum_session_lines: int = 256
