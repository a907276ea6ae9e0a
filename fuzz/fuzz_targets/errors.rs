//! Error bodies: never without a message, and the message survives every format.
#![no_main]

use conduit_fuzz::FORMATS;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    for format in FORMATS {
        for status in [400, 429, 500, 529] {
            let error = format.read_error(status, data);
            assert!(!error.message.is_empty());
            assert_eq!(error.status, status);
            for target in FORMATS {
                let written = target.write_error(&error);
                serde_json::from_slice::<Value>(&written).expect("what is written is JSON");
                let again = target.read_error(status, &written);
                assert_eq!(again.message, error.message);
            }
        }
    }
});
