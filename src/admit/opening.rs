//! What earlier processes spent, as it is handed to the module: `conduit up` writes it, the filter opens accounts with it.

use super::accounts::Gauge;

/// The variable of the module's environment that carries it.
pub const VARIABLE: &str = "CONDUIT_OPENING";

/// Balances as compact JSON: `[[account, starts, ends, limit, spent], …]`, seconds since the Unix epoch and picodollars.
/// Only windows have balances that outlast a process; other gauges are left out.
pub fn write(balances: &[(String, Gauge, u128)]) -> String {
    let rows: Vec<(&str, u64, u64, u128, u128)> = balances
        .iter()
        .filter_map(|(account, gauge, spent)| match gauge {
            Gauge::Window { limit, starts, ends } => Some((account.as_str(), *starts, *ends, *limit, *spent)),
            Gauge::Bucket { .. } | Gauge::Slots { .. } => None,
        })
        .collect();
    // Text and numbers always serialise.
    serde_json::to_string(&rows).unwrap_or_else(|_| "[]".to_owned())
}

/// Reads what [`write`] wrote.
///
/// # Errors
/// What is wrong with it.
pub fn read(text: &str) -> Result<Vec<(String, Gauge, u128)>, String> {
    let rows: Vec<(String, u64, u64, u128, u128)> = serde_json::from_str(text)
        .map_err(|e| format!("{VARIABLE}: {e}; expected [[account, starts, ends, limit, spent], …]"))?;
    rows.into_iter()
        .map(|(account, starts, ends, limit, spent)| {
            if starts < ends {
                Ok((account, Gauge::Window { limit, starts, ends }, spent))
            } else {
                Err(format!(
                    "{VARIABLE}: {account:?}: found a window from {starts} to {ends}, expected one that ends later"
                ))
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn balances_come_back_as_they_were() {
        let window = Gauge::Window { limit: u128::MAX, starts: 5, ends: u64::MAX };
        let balances = vec![
            ("b \"day\" all=".to_owned(), window, u128::MAX),
            ("b \"p\" project=a \"b\"\n\u{1F600}".to_owned(), Gauge::Window { limit: 0, starts: 0, ends: 1 }, 0),
        ];
        assert_eq!(read(&write(&balances)), Ok(balances.clone()));
        let mut more = balances.clone();
        more.push(("l".to_owned(), Gauge::Bucket { capacity: 1 }, 1));
        more.push(("c".to_owned(), Gauge::Slots { most: 1 }, 1));
        assert_eq!(read(&write(&more)), Ok(balances));
        assert_eq!((write(&[]).as_str(), read("[]")), ("[]", Ok(Vec::new())));
    }

    #[test]
    fn what_is_malformed_is_said() {
        for (text, part) in [
            ("", "expected [["),
            ("{}", "expected [["),
            (r#"[["a",1,2,3]]"#, "expected [["),
            (r#"[["a",1,2,3,-4]]"#, "expected [["),
            (r#"[["a",1,2,3,4.5]]"#, "expected [["),
            (r#"[["a",2,2,3,4]]"#, "found a window from 2 to 2"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(VARIABLE) && error.contains(part), "{text}: {error}");
        }
    }
}
