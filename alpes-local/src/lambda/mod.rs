//! Lambda: functions as processes behind the Runtime API.
