//! The flags that say which way a message may take.

use crate::api::wishes::Wishes;
use crate::capabilities::TransportKey;
use crate::config::Span;

/// What a message asks of its way.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Way {
    /// Nobody may learn who talks with whom: it waits for a transport that hides that
    #[arg(long)]
    private: bool,
    /// Over all transports at once
    #[arg(long)]
    urgent: bool,
    /// Over this transport first, then over the others: bitchat, betanet or direct
    #[arg(long, value_name = "TRANSPORT", conflicts_with = "only")]
    via: Option<TransportKey>,
    /// Over this transport and no other
    #[arg(long, value_name = "TRANSPORT")]
    only: Option<TransportKey>,
}

impl Way {
    /// The same for the interface.
    pub(super) fn wishes(&self, max_age: Option<Span>) -> Wishes {
        Wishes {
            private: self.private,
            urgent: self.urgent,
            max_age_ms: max_age.map(|Span(age)| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
            prefer: self.only.or(self.via).map(|transport| transport.to_string()),
            only: self.only.is_some(),
        }
    }
}
