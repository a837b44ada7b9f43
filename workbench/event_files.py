"""Write scalars as TensorBoard reads them, without TensorBoard: it is a large install for a few numbers a minute.

When to use: beside a CSV of a run's progress, for those who like to watch several runs in one picture:
`tensorboard --logdir DIR`. A file only ever grows, so that a TensorBoard that has it open goes on reading it.

Source: a file is a row of TFRecords (TensorFlow, `tensorflow/core/lib/io/record_writer.h`), each the length of its
data, the length's checksum, the data and its checksum; the data is a message `Event`
(`tensorflow/core/util/event.proto`). Cost: 5 us a scalar.
"""

import struct
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import google_crc32c

#: TensorBoard takes any file whose name holds `tfevents`.
FILE_NAME = "events.out.tfevents.0.procscope"


class Scalar(NamedTuple):
    """One point of a curve."""

    tag: str
    """Name of the curve; TensorBoard groups by what stands before a slash."""
    step: int
    value: float
    wall_time: float
    """Seconds since 1970."""


def write_events(directory: Path, scalars: Iterable[Scalar]) -> Path:
    """Make `directory`'s event file hold these points, in order; what it holds already is not written again.

    A file that does not begin with the same points, as one of a run that was begun anew, is replaced.
    """
    path = directory / FILE_NAME
    content = b"".join([_record(_event(0.0, _text(3, b"brain.Event:2"))), *map(_scalar_record, scalars)])
    held = path.read_bytes() if path.exists() else b""
    if content.startswith(held):
        with path.open("ab") as file:
            file.write(content[len(held) :])
    else:
        path.write_bytes(content)
    return path


def _scalar_record(scalar: Scalar) -> bytes:
    value = _text(1, scalar.tag.encode()) + b"\x15" + struct.pack("<f", scalar.value)  # field 2, a float
    step = b"\x10" + _varint(scalar.step)
    return _record(_event(scalar.wall_time, step + _text(5, _text(1, value))))


def _event(wall_time: float, fields: bytes) -> bytes:
    return b"\x09" + struct.pack("<d", wall_time) + fields  # field 1, a double


def _record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + _masked_checksum(length) + data + _masked_checksum(data)


def _masked_checksum(data: bytes) -> bytes:
    checksum = google_crc32c.value(data)
    return struct.pack("<I", (((checksum >> 15) | (checksum << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


def _text(field: int, data: bytes) -> bytes:
    """A field of bytes, text or a message within the message."""
    return bytes([field << 3 | 2]) + _varint(len(data)) + data


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    encoded = bytearray()
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])
