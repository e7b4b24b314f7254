"""Modules without a file of unit tests.

The tests of ``trio_rtc/protocols/x/y.py`` are in ``tests/protocols/x`` or a folder above, in ``test_y.py``, or with
names of folders before it, ``test_x_y.py``; those of a module directly in the package are in ``tests/api``. A module
counts when it has a function of two statements or more, thus no module of plain values, enums, constants or Protocols.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, combinations
from typing import Final

from .package import Package, SourceModule

TOP_LEVEL: Final = "api"
"""The folder of the tests of modules that are directly in the package, and of its private folders."""
SUBJECT_TESTS: Final[Mapping[str, str]] = {
    "_connection/assembly.py": "api/test_peer_connection.py",
    "_connection/bundle_transports.py": "scenarios/test_without_bundle.py",
    "_connection/connection_states.py": "api/test_events_after_calls.py",
    "_connection/media_engine.py": "scenarios/test_media_calls.py",
    "_connection/negotiation.py": "scenarios/test_renegotiation.py",
    "_connection/negotiation_methods.py": "api/test_peer_connection.py",
    "_connection/statistics/collector.py": "stats/test_report.py",
    "_connection/statistics/connection.py": "stats/test_report.py",
    "_connection/statistics/inbound.py": "stats/test_media_stats.py",
    "_connection/statistics/layers.py": "stats/test_layer_stats.py",
    "_connection/statistics/media.py": "stats/test_media_stats.py",
    "_connection/statistics/outbound.py": "stats/test_media_stats.py",
    "_connection/transport_events.py": "scenarios/test_candidates.py",
    "jsep/media_sections.py": "jsep/test_jsep_media.py",
    "jsep/plan.py": "jsep/test_jsep_media_plan.py",
    "protocols/dtls/tls12/version.py": "protocols/dtls/test_dtls_negotiation.py",
    "protocols/sctp/counters.py": "protocols/sctp/test_sctp_statistics.py",
    "protocols/sdp/errors.py": "protocols/sdp/test_sdp_parser.py",
    "_pipeline/send_pipeline.py": "pipeline/test_still_video.py",
    "protocols/rtp/payload/_nal_payloads.py": "protocols/rtp/payload/test_payload_length_fields.py",
    "protocols/rtp/payload/h264_quantizer.py": "protocols/rtp/payload/test_payload_quantizer.py",
    "protocols/rtp/payload/nal_continuity.py": "protocols/rtp/receive/video/test_numbers_without_media.py",
    "protocols/rtp/send/stream.py": "protocols/rtp/send/test_padding.py",
    "tracks/frame_source.py": "tracks/test_media_stream_track.py",
    "transceivers/connection_context.py": "tracks/test_media_stream_track.py",
    "transceivers/media_plans.py": "transceivers/test_rtp_transceiver.py",
    "transceivers/receive_state.py": "transceivers/test_receiver_channels.py",
    "transceivers/send_state.py": "transceivers/test_rtp_sender.py",
    "transceivers/transceiver.py": "transceivers/test_rtp_transceiver.py",
    "cli/demo/second_peer.py": "cli/test_commands.py",
}
"""Modules that a file with the name of its subject tests, from the package and from ``tests`` on."""


def untested_modules(package: Package, subject_tests: Mapping[str, str] = SUBJECT_TESTS) -> Iterator[str]:
    """Yield the modules of substance without a test file of their name or in the list, and the list's errors."""
    tests = package.root / "tests"
    files = {path.relative_to(tests).as_posix() for path in tests.rglob("test_*.py")}
    modules = {module.path.partition("/")[2]: module for module in package.modules.values()}
    for path, file in subject_tests.items():
        if path not in modules:
            yield f"{path}: is listed, but there is no such module"
        elif file not in files:
            yield f"{path}: there is no tests/{file}"
        elif not is_of_substance(modules[path]) or not files.isdisjoint(accepted_files(path)):
            yield f"{path}: need not be listed"
    for path, module in modules.items():
        if path not in subject_tests and is_of_substance(module) and files.isdisjoint(accepted_files(path)):
            yield path


def is_of_substance(module: SourceModule) -> bool:
    """Return whether a module other than ``__init__`` has a function of two statements, docstrings not counted."""
    return not module.is_package and any(_has_two_statements(each) for each in module.functions())


def _has_two_statements(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    statements = sum(isinstance(node, ast.stmt) for node in ast.walk(function)) - 1
    return statements - bool(ast.get_docstring(function)) >= 2


def accepted_files(path: str) -> set[str]:
    """Return the names that a module's test file may have, from ``tests`` on."""
    parts = [part.lstrip("_") for part in path.removesuffix(".py").split("/")]
    *folders, name = parts
    names = ["_".join([*before, name]) for before in _subsets(folders)]
    places = ["/".join(folders[:depth]) for depth in range(1, len(folders) + 1)]
    if not folders or path.startswith("_"):
        places.append(TOP_LEVEL)
    return {f"{place}/test_{each}.py" for place in places for each in names}


def _subsets(parts: Sequence[str]) -> Iterator[tuple[str, ...]]:
    return chain.from_iterable(combinations(parts, size) for size in range(len(parts) + 1))
