//! API Gateway: REST APIs in front of functions.
