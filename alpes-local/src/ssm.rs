//! SSM: parameters.
