//! The budgets and limits that the file names, compiled.

mod zone;

use super::Caller;
use super::accounts::Gauge;
use crate::config::{ChainId, Target};
use crate::cost::Usd;
use crate::exchange::Headers;
use crate::host::Time;
use jiff::tz::TimeZone;
use std::net::Ipv6Addr;

/// Over what a budget or limit adds up: each value has an account of its own. Requests without a value share one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything.
    All,
    /// The consumer.
    Consumer,
    /// The API key.
    Key,
    /// The client's IP address; of IPv6 the network, its first 64 bits, for a client has all addresses of one.
    Ip,
    /// The project.
    Project,
    /// The agent.
    Agent,
    /// The session.
    Session,
    /// The provider that a request goes to, by its name in the file.
    Provider,
    /// The target that a request goes to, `provider/model`.
    Model,
    /// A request header, by its lower-case name.
    Header(String),
}

impl Scope {
    /// Whether the account is known only once a target is.
    pub fn is_of_target(&self) -> bool {
        matches!(self, Self::Provider | Self::Model)
    }

    /// The word for it in the file, in records and in errors: `all`, `consumer`, …, `header.x-team`.
    pub fn word(&self) -> String {
        match self {
            Self::All => "all".into(),
            Self::Consumer => "consumer".into(),
            Self::Key => "key".into(),
            Self::Ip => "ip".into(),
            Self::Project => "project".into(),
            Self::Agent => "agent".into(),
            Self::Session => "session".into(),
            Self::Provider => "provider".into(),
            Self::Model => "model".into(),
            Self::Header(name) => format!("header.{name}"),
        }
    }

    /// The value of a request; empty where it has none. `provider` is the target's provider by name.
    pub fn value(&self, caller: &Caller, headers: &Headers, target: &Target, provider: &str) -> String {
        let known = |value: &Option<String>| value.clone().unwrap_or_default();
        match self {
            Self::All => String::new(),
            Self::Consumer => known(&caller.consumer),
            Self::Key => known(&caller.key),
            Self::Ip => caller.address.as_deref().map(network).unwrap_or_default(),
            Self::Project => known(&caller.project),
            Self::Agent => known(&caller.agent),
            Self::Session => known(&caller.session),
            Self::Provider => provider.to_owned(),
            Self::Model => target.name.clone(),
            Self::Header(name) => super::bounded(headers.get(name).unwrap_or_default()),
        }
    }
}

/// The network of an address that one client has for itself: an IPv4 address, the first 64 bits of an IPv6 one
/// (<https://www.rfc-editor.org/rfc/rfc6177>, 2026-11-21).
fn network(address: &str) -> String {
    match address.parse::<Ipv6Addr>() {
        Ok(address) => match address.to_ipv4_mapped() {
            Some(address) => address.to_string(),
            None => format!("{}/64", Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        },
        Err(_) => address.to_owned(),
    }
}

/// How long a budget's amount is for. Periods begin with the calendar's, in the budget's zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Period {
    /// From a full hour on.
    Hour,
    /// From midnight on.
    Day,
    /// From the first of a month on.
    Month,
}

impl Period {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
        }
    }
}

/// The clock that a budget's days begin by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Zone(Option<TimeZone>);

/// A stretch of time: seconds since the Unix epoch, the end excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its first second.
    pub starts: u64,
    /// The first second after it.
    pub ends: u64,
}

impl Zone {
    /// The zone of that IANA name, such as `Europe/Berlin`; `UTC` is one. `None`: there is none.
    pub fn named(name: &str) -> Option<Self> {
        if name == "UTC" {
            return Some(Self(None));
        }
        jiff::tz::db().get(name).ok().map(|zone| Self(Some(zone)))
    }

    /// The window of a period that holds at `now`.
    ///
    /// An hour has 3,600 seconds and begins with a full hour of the zone's clock. Where a clock is put forward or back by
    /// half an hour, the first hour after it overlaps the last before it. Days and months begin with the first moment of
    /// their first date: a day may have 23 or 25 hours, and one that a zone skips has none.
    pub fn window(&self, period: Period, now: Time) -> Window {
        let seconds = now.unix_seconds();
        self.0
            .as_ref()
            .and_then(|zone| zone::local(zone, period, seconds))
            .unwrap_or_else(|| zone::utc(period, seconds))
    }
}

/// What happens to a request that does not fit a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExceed {
    /// It is refused.
    Block,
    /// It goes to these targets instead; where it does not fit with them either, it is refused.
    Downgrade(ChainId),
    /// It goes on, and the answer says so.
    Warn,
}

/// A budget.
#[derive(Clone, Debug)]
pub struct Budget {
    /// Its name, unique in the file. A consumer's own is `consumer.name`.
    pub name: String,
    /// Over what it adds up.
    pub per: Scope,
    /// For how long.
    pub period: Period,
    /// By which clock.
    pub zone: Zone,
    /// How much.
    pub limit: Usd,
    /// Shares of the amount, in thousandths, rising, from which on an answer warns.
    pub warn_at: Vec<u32>,
    /// What happens to what does not fit.
    pub on_exceed: OnExceed,
    /// Whether a request's output limit is lowered to what the budget still affords, before it counts as not fitting.
    pub clamp: bool,
    /// Whether requests to models without a price are let through, unpriced; else they are refused.
    pub unpriced: bool,
    /// The consumer (by its place in [`super::Consumers::list`]) that alone it is for.
    pub of: Option<usize>,
}

impl Budget {
    /// The name of the account of one of its values ([`Scope::value`]): no other budget's account and no other value's
    /// has it. The window is no part of it: that is in the [`gauge`](Self::gauge).
    pub fn account(&self, value: &str) -> String {
        // The name is quoted because it may hold anything; with the scope in it, a reload that changes what a budget
        // adds up over does not take one value's spending for another's.
        format!("b {:?} {}={value}", self.name, self.per.word())
    }

    /// How its accounts count at `now`.
    pub fn gauge(&self, now: Time) -> Gauge {
        let Window { starts, ends } = self.zone.window(self.period, now);
        Gauge::Window { limit: self.limit.0, starts, ends }
    }
}

/// A limit. At least one of the three numbers is there.
#[derive(Clone, Debug)]
pub struct Limit {
    /// Its name, unique in the file.
    pub name: String,
    /// Over what it adds up.
    pub per: Scope,
    /// Requests per minute.
    pub requests: Option<u64>,
    /// Tokens per minute, prompt and completion together.
    pub tokens: Option<u64>,
    /// Requests at the same time.
    pub concurrent: Option<u64>,
    /// The consumer that alone it is for.
    pub of: Option<usize>,
}

impl Limit {
    /// The name of the account of one of its numbers (`requests`, `tokens`, `concurrent`) and values.
    pub fn account(&self, number: &str, value: &str) -> String {
        format!("l {:?} {number} {}={value}", self.name, self.per.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    fn budget(name: &str, per: Scope) -> Budget {
        Budget {
            name: name.into(),
            per,
            period: Period::Day,
            zone: Zone::default(),
            limit: Usd(7),
            warn_at: Vec::new(),
            on_exceed: OnExceed::Block,
            clamp: false,
            unpriced: false,
            of: None,
        }
    }

    #[test]
    fn accounts_are_told_apart_by_budget_scope_and_value() {
        let names = ["a", "a b", "a\" project=x", "a\\", ""];
        let scopes = [Scope::All, Scope::Project, Scope::Agent, Scope::Header("project".into())];
        let values = ["", "x", "b project=x", "\" project=x", "="];
        let mut seen = std::collections::BTreeSet::new();
        for name in names {
            for scope in &scopes {
                for value in values {
                    let account = budget(name, scope.clone()).account(value);
                    assert!(seen.insert(account.clone()), "{account}");
                }
            }
        }
        assert_eq!(budget("day", Scope::Project).account("web"), "b \"day\" project=web");
    }

    #[test]
    fn a_client_has_one_account_whatever_address_of_its_network_it_uses() {
        for (address, account) in [
            ("10.0.0.9", "10.0.0.9"),
            ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
            ("2001:db8:1:2:ffff::9", "2001:db8:1:2::/64"),
            ("2001:DB8:1:3::1", "2001:db8:1:3::/64"),
            ("::ffff:10.0.0.9", "10.0.0.9"),
            ("@/pipe", "@/pipe"),
        ] {
            assert_eq!(network(address), account, "{address}");
        }
    }

    #[test]
    fn a_gauge_has_the_limit_and_the_window_at_hand() {
        let budget = budget("day", Scope::All);
        let now = Time(1_763_688_298_000_000_000);
        let Window { starts, ends } = budget.zone.window(budget.period, now);
        assert_eq!(budget.gauge(now), Gauge::Window { limit: 7, starts, ends });
    }
}
