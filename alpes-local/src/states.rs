//! Step Functions: executions of state machines, by `states-language`.
