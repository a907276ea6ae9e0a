//! The path of one request as a state machine.
