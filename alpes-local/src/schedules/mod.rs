//! Schedules: functions that are invoked at times.
