"""Documents as cdc/packed.h has them, their fields all as strings: what lua/put.lua is given."""
import struct

POLYNOMIAL = 0x95AC9329AC4BC9B5


def _entry(byte):
    for _ in range(8):
        byte = byte >> 1 ^ (POLYNOMIAL if byte & 1 else 0)
    return byte


TABLE = [_entry(byte) for byte in range(256)]


def crc64(data):
    crc = 0
    for byte in data:
        crc = TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return crc


def element(word):
    """Of up to 63 bytes."""
    text = str(word).encode()
    return bytes([0x80 | len(text)]) + text + bytes([len(text) + 1])


def packed(version, digest, fields):
    words = ["_d", digest, "_v", version] + [word for field in fields.items() for word in field]
    elements = b"".join(element(word) for word in words) + b"\xff"
    listpack = struct.pack("<IH", len(elements) + 6, len(words)) + elements
    payload = b"\x10\x80" + struct.pack(">I", len(listpack)) + listpack + struct.pack("<H", 10)
    return payload + struct.pack("<Q", crc64(payload))
