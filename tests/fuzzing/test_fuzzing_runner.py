"""The runner's reading of the fuzzer's output, and its report of a finding, without the fuzzer itself."""

import textwrap
from pathlib import Path

import pytest

from tests.fuzzing.__main__ import main
from tests.fuzzing.cores import encode_script
from tests.fuzzing.cover import run_corpus
from tests.fuzzing.report import Result, read_failure, read_figures, table
from tests.fuzzing.target import Target
from tests.fuzzing.workplace import Workplace
from tests.protocols.contract import Elapsed, Sealed, Stage

# The format of libFuzzer under atheris 3.0.
FAILED = textwrap.dedent("""\
    #2\tINITED cov: 2 ft: 2 corp: 1/1b exec/s: 0 rss: 60Mb

     === Uncaught Python exception: ===
    IndexError: index out of range
    Traceback (most recent call last):
      File "parse.py", line 3, in parse
    IndexError: index out of range

    ==123== ERROR: libFuzzer: fuzz target exited
    SUMMARY: libFuzzer: fuzz target exited
    stat::number_of_executed_units: 1234
    stat::average_exec_per_sec:     56
    stat::new_units_added:          7
""")


def toy(seen: list[bytes]) -> Target:
    return Target("toy", seen.append, lambda: [b"long", b"a"], ("toy",), max_length=3)


def test_figures_and_traceback_are_parsed() -> None:
    assert read_figures(FAILED) == (1234, 56)
    failure = read_failure(FAILED)
    assert failure.startswith("IndexError: index out of range\nTraceback")
    assert "libFuzzer" not in failure


def test_output_without_figures_is_shown_as_it_is() -> None:
    assert read_figures("killed") == (0, 0)
    assert read_failure("killed") == "killed"


def test_the_table_has_speed_coverage_and_findings() -> None:
    results = [
        Result("stun", 12345, 678, reached=3, branches=4),
        Result("sdp", 55, 1, ("findings/sdp/crash-1",), "IndexError", 1, 2),
    ]
    text = table(results)
    assert "| stun | 12,345 | 678 | 3 of 4 (75 %) | 0 |" in text
    assert "| sdp | 55 | 1 | 1 of 2 (50 %) | 1 |" in text
    assert "12,400 inputs in all" in text
    assert [result.failed for result in results] == [False, True]
    assert Result("rtp", failure="out of memory").failed


def test_a_corpus_begins_with_the_seeds_and_keeps_what_was_found(tmp_path: Path) -> None:
    workplace, seen = Workplace(tmp_path), list[bytes]()
    folder = workplace.corpus(toy(seen))
    (folder / "found").write_bytes(b"xy")
    assert workplace.corpus(toy(seen)) == folder
    run_corpus(toy(seen), folder, 60.0)
    assert seen == [b"a", b"xy", b"lon"]


def test_a_finding_of_a_core_is_shown_as_an_example(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "crash"
    path.write_bytes(encode_script(Stage.UP, [Sealed(b"data"), Elapsed(0.5)], tuple(Stage)))
    assert main(["--show", "core-sctp-listening", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "@example(stage=Stage.UP, script=[Sealed(data=b'data'), Elapsed(seconds=0.5)])" in shown


def test_a_finding_of_a_parser_is_shown_as_an_example(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "crash"
    path.write_bytes(b"\x00\x01")
    assert main(["--show", "stun", str(path)]) == 0
    assert "@example(data=b'\\x00\\x01')" in capsys.readouterr().out
