//! Event source mappings: Kinesis and SQS to functions, by the rules of `source-mapping`.
