"""Writes aeropuertos.txt, the reference data of airports, from airportsdata (PyPI, MIT).

    python3 -m venv /tmp/aeropuertos && /tmp/aeropuertos/bin/pip install airportsdata
    /tmp/aeropuertos/bin/python shared/vuelos/data/generate.py

Records are of one width and sorted by code, so that the program finds one by binary search in the text as it is.
"""

import csv
import importlib.metadata
import importlib.resources
import pathlib
import re

HEADER = """\
# Airports with an IATA code: code (3), latitude (8), longitude (9), in degrees, sorted by code.
# Source: airportsdata {version}, https://pypi.org/project/airportsdata/, {count} rows; written by generate.py.
# Copyright (c) 2020- Mike Borsetti, (c) 2014 mwgg; MIT licence, its text is in LICENSE-airportsdata beside this file.

"""


def main():
    source = importlib.resources.files("airportsdata") / "airports.csv"
    with source.open(encoding="utf-8") as file:
        rows = {row["iata"]: row for row in csv.DictReader(file) if row["iata"]}
    odd = [code for code in rows if not re.fullmatch("[A-Z]{3}", code)]
    if odd:
        raise SystemExit(f"not IATA codes: {odd}")
    header = HEADER.format(
        version=importlib.metadata.version("airportsdata"), count=len(rows)
    )
    records = "".join(
        f"{code}{float(row['lat']):+08.4f}{float(row['lon']):+09.4f}\n"
        for code, row in sorted(rows.items())
    )
    target = pathlib.Path(__file__).with_name("aeropuertos.txt")
    target.write_text(header + records, encoding="ascii", newline="\n")


if __name__ == "__main__":
    main()
