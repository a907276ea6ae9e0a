//! Behaviour of the format, as tables of cases.
