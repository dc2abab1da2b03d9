//! Times on the command line: parsing `--since`, and printing times. All are in UTC.

const SECOND: i64 = 1_000;
const DAY: i64 = 86_400 * SECOND;

/// Parses `--since` into milliseconds of Unix time: a length of time before `now`, such as `5m`, or a time, such as
/// `2026-11-22T19:36:14.212Z`.
#[must_use]
pub fn since(word: &str, now: i64) -> Option<i64> {
    match before(word) {
        Some(length) => now.checked_sub(length),
        None => time(word),
    }
}

/// Parses a length of time: `30s`, `5m`, `1h` or `2d`.
fn before(word: &str) -> Option<i64> {
    let unit = word.chars().next_back()?;
    let length = match unit {
        's' => SECOND,
        'm' => 60 * SECOND,
        'h' => 3_600 * SECOND,
        'd' => DAY,
        _ => return None,
    };
    number(word.strip_suffix(unit)?)?.checked_mul(length)
}

/// Parses `2026-11-22`, `2026-11-22T19:36`, `2026-11-22T19:36:14` or `2026-11-22T19:36:14.212`, with or without a Z.
fn time(word: &str) -> Option<i64> {
    let word = word.strip_suffix('Z').unwrap_or(word);
    let (date, clock) = word.split_once('T').unwrap_or((word, "00:00"));
    let (year, month, day) = three(date, '-')?;
    let (year, month, day) = (year?, month?, day?);
    if date.len() != 10 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let days = days(year, month, day);
    if civil(days) != (year, month, day) {
        return None;
    }
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let (hour, minute, second) = match clock.len() {
        5 => {
            let (hour, minute) = clock.split_once(':')?;
            (number(hour)?, number(minute)?, 0)
        }
        8 => {
            let (hour, minute, second) = three(clock, ':')?;
            (hour?, minute?, second?)
        }
        _ => return None,
    };
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    number(fraction)?;
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    let seconds = (hour * 60 + minute) * 60 + second;
    Some(days * DAY + seconds * SECOND + number(&digits)?)
}

/// Formats a time as `2026-11-22T19:36:14.212Z`.
#[must_use]
pub fn moment(milliseconds: i64) -> String {
    let (days, left) = (milliseconds.div_euclid(DAY), milliseconds.rem_euclid(DAY));
    let (year, month, day) = civil(days);
    let seconds = left / SECOND;
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let left = left % SECOND;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{left:03}Z")
}

fn three(text: &str, between: char) -> Option<(Option<i64>, Option<i64>, Option<i64>)> {
    let mut parts = text.split(between);
    let three = (parts.next()?, parts.next()?, parts.next()?);
    let (one, two, three) = three;
    parts
        .next()
        .is_none()
        .then(|| (number(one), number(two), number(three)))
}

/// Parses digits without a sign.
fn number(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// The number of days since 1970-01-01. The year begins in March here, so that a leap day is its last day.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The year, month and day that is this many days after 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (year + era * 400 + later, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_376_174_212; // 2026-11-22T19:36:14.212Z

    #[test]
    fn a_length_of_time_counts_back_from_now() {
        for (word, length) in [
            ("30s", 30 * SECOND),
            ("5m", 300 * SECOND),
            ("1h", 3_600 * SECOND),
            ("2d", 2 * DAY),
        ] {
            assert_eq!(since(word, NOW), Some(NOW - length), "{word}");
        }
    }

    #[test]
    fn a_time_is_one_of_utc_with_as_much_of_it_as_is_given() {
        for (word, shown) in [
            ("2026-11-22", "2026-11-22T00:00:00.000Z"),
            ("2026-11-22T19:36", "2026-11-22T19:36:00.000Z"),
            ("2026-11-22T19:36:14Z", "2026-11-22T19:36:14.000Z"),
            ("2026-11-22T19:36:14.2", "2026-11-22T19:36:14.200Z"),
            ("2026-11-22T19:36:14.212999Z", "2026-11-22T19:36:14.212Z"),
            ("2028-02-29", "2028-02-29T00:00:00.000Z"),
            ("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(since(word, 0).map(moment).as_deref(), Some(shown), "{word}");
        }
        assert_eq!(moment(NOW), "2026-11-22T19:36:14.212Z");
        assert_eq!(since("2026-11-22T19:36:14.212Z", 0), Some(NOW));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for word in [
            "",
            "m",
            "5",
            "-5m",
            "+5m",
            "5 m",
            "ayer",
            "2026",
            "2026-11",
            "2026-13-01",
            "2026-11-31",
            "2027-02-29",
            "2026-11-22T",
            "2026-11-22T24:00",
            "2026-11-22T19:60",
            "2026-11-22T19:36:60",
            "2026-11-22T19:36:14.",
            "2026-11-22T19:36:14-05:00",
            "2026-11-22 19:36",
            "é",
            "9223372036854775807d",
        ] {
            assert_eq!(since(word, NOW), None, "{word}");
        }
    }

    #[test]
    fn every_day_of_four_centuries_is_read_as_it_is_shown() {
        for day in 0..146_097 {
            let shown = moment(day * DAY);
            assert_eq!(since(&shown, 0), Some(day * DAY), "{shown}");
        }
    }
}
