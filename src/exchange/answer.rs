//! The end of the path: the answer that the client sees, and how the exchange ended.

use super::admission::Bill;
use super::{
    ANSWERED_HEADER, Endpoint, Exchange, HeaderEdits, Headers, Tried, decide, headers, known_word, reason_text,
};
use crate::admit::rules::Scope;
use crate::config::Target;
use crate::cost::Usd;
use crate::formats::canonical::ApiError;
use crate::host::Time;
use crate::report::{Outcome, Record};
use crate::route;
use crate::usage::{Known, Tokens, Usage};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the gateway shall do with an answer's headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerEdits {
    /// Header edits.
    pub headers: HeaderEdits,
    /// The whole body to put in place of what comes: Envoy's own error, in the client's format.
    pub body: Option<Vec<u8>>,
}

impl Exchange {
    /// The status that the client sees, once an answer's headers came.
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// Takes the headers of the answer that the client will see; `ends`: nothing follows them.
    pub fn answer_head(&mut self, headers: &Headers, ends: bool, now: Time) -> AnswerEdits {
        let status = headers.get(":status").and_then(|s| s.parse().ok()).unwrap_or(0);
        self.status = Some(status);
        let mut edits = HeaderEdits::default();
        edits.remove(ANSWERED_HEADER);
        let mut body = None;
        if self.replied.is_none() && headers.get(ANSWERED_HEADER).is_none() {
            // Envoy's own words: no provider answered.
            self.local_failure = true;
            let (error, names) = match self.decision {
                Some(_) => self.unreachable(status),
                None => (incomplete(status), Vec::new()),
            };
            body = Some(self.put_error(&error, &names, &mut edits));
        } else if ends && self.replied.is_none() && self.endpoint.is_read() {
            // The upstream role has made a 502 of an empty 2xx already, so that the next target could be tried.
            let from = self.ledger.answered.as_ref().map_or("the provider", |target| target.name.as_str());
            let message = format!("{from} answered without a body (status {status})");
            let error = ApiError::new(if status < 400 { 502 } else { status }, message);
            body = Some(self.put_error(&error, &[], &mut edits));
        }
        // Each vendor's SDK looks for the request id under its own vendor's name.
        for name in ["x-request-id", "request-id"] {
            if let Some(id) = self.request_id.as_deref().filter(|_| headers.get(name).is_none()) {
                edits.set(name, headers::value(id));
            }
        }
        self.count_embeddings();
        self.name_decision(&mut edits);
        if self.endpoint.is_read() && !self.ledger.streamed && self.replied.is_none() {
            // A whole answer is known to its end, and what it used is what its headers shall speak of.
            self.settle_at_end(now);
        }
        self.name_limits(&mut edits, headers, now);
        if self.first_byte.is_none() && !self.ledger.streamed {
            self.first_byte = Some(now);
        }
        AnswerEdits { headers: edits, body }
    }

    /// Puts an error in the place of an answer: the edits of its headers, and its body.
    fn put_error(&mut self, error: &ApiError, names: &[String], edits: &mut HeaderEdits) -> Vec<u8> {
        let text = decide::with_suggestions(self.format, self.format.write_error(error), names);
        edits.set(":status", error.status.to_string());
        edits.set("content-type", "application/json".into());
        edits.set("content-length", text.len().to_string());
        self.status = Some(error.status);
        text
    }

    /// Embeddings are their prompt: where the provider did not report it, our own count stands for it.
    fn count_embeddings(&mut self) {
        let answered = self.replied.is_none() && self.status.is_some_and(|status| (200..300).contains(&status));
        if answered && self.endpoint == Endpoint::Embeddings && self.ledger.usage.input.is_none() {
            self.ledger.usage.input = self.counted.map(|count| count.tokens);
            self.estimated = true;
        }
    }

    fn name_decision(&self, edits: &mut HeaderEdits) {
        if let Some(decision) = &self.decision {
            let target = self.ledger.answered.as_ref().or_else(|| decision.targets.first());
            if let Some(target) = target {
                edits.set("x-conduit-target", headers::value(&target.name));
            }
            edits.set("x-conduit-reason", headers::value(&reason_text(&decision.reason)));
            edits.set("x-conduit-attempts", self.ledger.tried.len().to_string());
        }
        if let Some(count) = self.counted {
            edits.set("x-conduit-tokens", count.tokens.0.to_string());
            edits.set("x-conduit-tokens-known", known_word(count.known).to_owned());
        }
        let whole = !self.ledger.streamed && self.status.is_some_and(|s| (200..300).contains(&s));
        if whole && self.decision.is_some() && !self.ledger.usage.is_empty() {
            let cost = self.cost().map_or_else(|| "unpriced".to_owned(), |usd| usd.to_string());
            edits.set("x-conduit-cost-usd", cost);
        }
    }

    /// The error for targets that did not answer, and names that can be used in their place.
    fn unreachable(&self, status: u16) -> (ApiError, Vec<String>) {
        let tried: Vec<&str> = self.ledger.tried.iter().map(|t| t.target.as_str()).collect();
        let targets = if tried.is_empty() {
            self.decision.iter().flat_map(|d| &d.targets).map(|t| t.name.as_str()).collect()
        } else {
            tried
        };
        let (status, what) = match status {
            504 | 408 => (504, "did not answer in time"),
            413 => (413, "sent an answer larger than this gateway takes"),
            _ => (503, "could not be reached"),
        };
        let code = if status == 504 { "provider_timeout" } else { "provider_unreachable" };
        let failed = self.decision.as_ref().map(|decision| decision.targets.as_slice()).unwrap_or_default();
        // Whoever cannot be reached for one model cannot be for another.
        let health = |target: &Target| match failed.iter().any(|failed| failed.provider == target.provider) {
            true => Some("unreachable".to_owned()),
            false => self.health(target),
        };
        let mut names = route::alternatives(&self.plan, failed, &health);
        names.retain(|name| self.may_ask(name));
        let hint = if names.is_empty() { String::new() } else { format!("; {}", decide::ready(&names)) };
        let message = format!("{} {what}; try again later{hint}", targets.join(", "));
        (ApiError::new(status, message).with_code(code), names)
    }

    /// Takes a piece of the answer's body on its way to the client.
    pub fn answer_body(&mut self, bytes: usize, ends: bool, now: Time) {
        if bytes > 0 && self.first_byte.is_none() {
            self.first_byte = Some(now);
        }
        self.answer_ended |= ends;
        if ends {
            // Before the client has the last byte: what it asks next finds the accounts as they are.
            self.settle_at_end(now);
        }
    }

    /// The answer ended without a body (or with trailers).
    pub fn answer_ended(&mut self) {
        self.answer_ended = true;
    }

    /// Whether this exchange is to be recorded: all are but those that ask how the gateway does.
    pub fn is_recorded(&self) -> bool {
        !matches!(self.endpoint, Endpoint::Health | Endpoint::Status)
    }

    /// The exchange is over. `details` is Envoy's word for how the response ended (`response.code_details`).
    pub fn finish(&mut self, details: &str, now: Time) -> Record {
        self.settle_at_end(now);
        let known = if self.estimated { Known::Estimated } else { Known::Reported };
        let outcome = self.outcome(details);
        Record::of(self, outcome, known, now)
    }

    /// What was used is known now as well as it ever will be: it takes the place of what was reserved.
    fn settle_at_end(&mut self, now: Time) {
        if std::mem::replace(&mut self.settled, true) {
            return;
        }
        self.estimate();
        self.settle(now);
        self.learn();
    }

    /// Our own count of what was used, where the provider did not report it: the client hung up, or the provider broke
    /// off, or never reports, or not all. Where only the prompt was reported yet, as Anthropic's streams begin, nothing
    /// was said, and the prompt is billed.
    fn estimate(&mut self) {
        let left = self.is_left();
        if left && self.endpoint == Endpoint::Embeddings {
            self.estimate_input();
            return;
        }
        // An answer that began, or one that its client did not wait for: the provider had the prompt.
        let asks = self.endpoint.is_chat();
        let ledger = &mut self.ledger;
        let answered = asks && ledger.tried.last().is_some_and(is_2xx);
        let begun = !ledger.said.is_empty() || (answered && (ledger.streamed || !ledger.usage.is_empty()));
        if !(begun || left && asks) {
            return;
        }
        let said = ledger.said.tokens().tokens;
        // Some report as they go: what was said after the last report is not in it.
        let unfinished = !self.answer_ended || ledger.cut;
        let late = unfinished && ledger.said.len() > ledger.reported_at;
        if ledger.usage.output.is_none_or(|output| late && said > output) {
            ledger.usage.output = Some(said);
            self.estimated = true;
        }
        self.estimate_input();
    }

    fn estimate_input(&mut self) {
        if self.ledger.usage.input.is_none() {
            self.ledger.usage.input = self.counted.map(|count| count.tokens);
            self.estimated = true;
        }
    }

    /// Whether the client left while a provider was at work.
    fn is_left(&self) -> bool {
        self.status.is_none() && self.replied.is_none() && self.ledger.tried.last().is_some_and(is_open)
    }

    /// What budgets hold for spent because nobody knows the cost: all that was reserved.
    pub fn held(&self) -> Option<Usd> {
        self.held
    }

    /// The budget or limit that the request did not fit.
    pub fn exceeded(&self) -> Option<&str> {
        self.exceeded.as_deref()
    }

    /// The values of request headers that budgets add up over, for the record: totals are rebuilt from these.
    pub fn counted_headers(&self) -> BTreeMap<String, String> {
        let scopes = self.plan.budgets.iter().map(|budget| &budget.per);
        let names = scopes.filter_map(|scope| match scope {
            Scope::Header(name) if self.plan.hears(name) => Some(name),
            _ => None,
        });
        let value = |name: &String| Some((name.clone(), crate::admit::bounded(self.headers.get(name)?)));
        names.filter_map(value).collect()
    }

    /// What an attempt before the last used, where its provider reported it, and what that cost.
    pub fn billed<'a>(&self, tried: &'a Tried) -> Option<(&'a Usage, Option<Usd>)> {
        let (target, usage) = (tried.at.as_ref()?, tried.billed.as_ref()?);
        Some((usage, self.cost_of(target, usage)))
    }

    /// What each attempt used that its provider bills, in their order.
    pub(super) fn bills(&self) -> Vec<Bill> {
        let bill = |target: &Arc<Target>, usage: &Usage| Bill {
            tokens: (!usage.is_empty())
                .then(|| usage.input.unwrap_or_default().plus(usage.output.unwrap_or_default()).0),
            cost: self.cost_of(target, usage),
            priced: target.price.is_some(),
            target: Arc::clone(target),
        };
        let tried = &self.ledger.tried;
        let before = tried.iter().filter_map(|tried| Some(bill(tried.at.as_ref()?, tried.billed.as_ref()?)));
        let answered = self.ledger.answered.as_ref();
        // A provider that answered without a word of usage may bill all the same, and so may one that was left at work.
        let works = tried.last().is_some_and(is_2xx) || self.is_left();
        let silent = self.ledger.usage.is_empty() && !works;
        let last = answered.filter(|_| !silent).map(|target| bill(target, &self.ledger.usage));
        before.chain(last).collect()
    }

    fn cost_of(&self, target: &Target, usage: &Usage) -> Option<Usd> {
        let price = target.price.as_ref()?;
        let mut usage = std::borrow::Cow::Borrowed(usage);
        if self.endpoint == Endpoint::Embeddings && usage.output.is_none() {
            // There is no such thing as their output, though some price lists name one.
            usage.to_mut().output = Some(Tokens(0));
        }
        crate::cost::cost_at(price, &usage, self.began)
    }

    fn outcome(&self, details: &str) -> Outcome {
        let status = self.status.or(self.replied).unwrap_or(0);
        if self.replied.is_some() {
            return if status < 400 { Outcome::Ok } else { Outcome::Refused };
        }
        if self.ledger.refused || (self.local_failure && self.decision.is_none()) {
            return Outcome::Refused;
        }
        if self.local_failure {
            return if status == 504 { Outcome::Timeout } else { Outcome::Unreachable };
        }
        if !self.answer_ended {
            let provider_died = details.contains("upstream_reset") || details.contains("upstream_response_timeout");
            return if provider_died { Outcome::Cut } else { Outcome::ClientGone };
        }
        match status {
            _ if self.ledger.cut => Outcome::Cut,
            200..=399 => Outcome::Ok,
            _ => Outcome::ProviderError,
        }
    }

    /// What it cost, as far as known: nothing where nothing was used.
    pub fn cost(&self) -> Option<crate::cost::Usd> {
        let bills = self.bills();
        let costs = bills.iter().map(|bill| bill.cost);
        let sum = costs.into_iter().try_fold(Usd(0), |sum, cost| Some(sum.plus(cost?)));
        sum.filter(|_| !bills.is_empty())
    }
}

/// Whether a provider answered that all is well.
fn is_2xx(tried: &Tried) -> bool {
    tried.status.is_some_and(|status| (200..300).contains(&status))
}

/// Whether an attempt got no answer.
fn is_open(tried: &Tried) -> bool {
    tried.status.is_none()
}

/// Envoy's own error before the request was whole: its client was too slow or sent what Envoy does not take.
fn incomplete(status: u16) -> ApiError {
    match status {
        408 => ApiError::new(408, "the request's body did not come in time; send it again"),
        _ => ApiError::new(status.max(400), format!("the request could not be read to its end (status {status})")),
    }
}
