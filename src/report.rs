//! What leaves an exchange besides the answer: metrics, the access-log record, response headers.
