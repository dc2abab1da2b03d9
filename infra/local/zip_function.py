"""Zips a function's binary as `bootstrap`, for Lambda.

    python zip_function.py BINARY ZIP [LEVEL]

LEVEL is that of the compression, from 1, fast, to 9; 1 if left out. Debug information is stripped from the copy where
binutils are at hand. The zip holds no times, so that the same binary gives the same bytes and nothing is deployed for
nothing. A zip made of this very binary before is left alone.
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile


def stripped(binary: pathlib.Path) -> bytes:
    if strip := shutil.which("strip"):
        with tempfile.TemporaryDirectory() as folder:
            copy = pathlib.Path(folder, "bootstrap")
            done = subprocess.run([strip, "-o", str(copy), str(binary)], capture_output=True, check=False)
            if done.returncode == 0:
                return copy.read_bytes()
    return binary.read_bytes()


def main() -> None:
    binary, target = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
    level = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    found = binary.stat()
    source = f"{binary} {found.st_mtime_ns} {found.st_size}\n"
    stamp = target.with_suffix(".source")
    if target.is_file() and stamp.is_file() and stamp.read_text() == source:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    entry = zipfile.ZipInfo("bootstrap", (1980, 1, 1, 0, 0, 0))
    entry.external_attr = 0o755 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    partial = target.with_suffix(".part")
    with zipfile.ZipFile(partial, "w", compresslevel=level) as archive:
        archive.writestr(entry, stripped(binary), compresslevel=level)
    partial.replace(target)
    stamp.write_text(source)


main()
