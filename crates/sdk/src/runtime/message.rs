//! Messages of an application to itself on other chains.

use serde::Serialize;

use crate::{
    base_types::{ChainId, Resources},
    entry::refuse,
    host::{Host, HostCalls, Outgoing},
};

/// A message that is being prepared. It borrows nothing from the runtime.
#[derive(Debug)]
#[must_use = "a message is sent by `send_to`"]
pub struct MessageBuilder<M> {
    host: Host,
    message: M,
    authenticated: bool,
    tracked: bool,
    grant: Resources,
}

/// A message that a contract under test has sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendMessageRequest<M> {
    /// The receiving chain.
    pub destination: ChainId,
    /// Whether the signer is carried.
    pub authenticated: bool,
    /// Whether it bounces when rejected.
    pub is_tracked: bool,
    /// What is paid for the receiver's execution.
    pub grant: Resources,
    /// The message itself.
    pub message: M,
}

impl<M: Serialize> MessageBuilder<M> {
    pub(crate) fn new(host: Host, message: M) -> Self {
        MessageBuilder {
            host,
            message,
            authenticated: false,
            tracked: false,
            grant: Resources::default(),
        }
    }

    /// Carries the signer to the receiver.
    pub fn with_authentication(mut self) -> Self {
        self.authenticated = true;
        self
    }

    /// Lets the message bounce back if the receiver rejects it.
    pub fn with_tracking(mut self) -> Self {
        self.tracked = true;
        self
    }

    /// Pays for the receiver's execution what these resources cost, out of the chain's or the signer's account.
    /// What is left comes back.
    pub fn with_grant(mut self, grant: Resources) -> Self {
        self.grant = grant;
        self
    }

    /// Sends the message.
    pub fn send_to(self, destination: ChainId) {
        let message = bcs::to_bytes(&self.message)
            .unwrap_or_else(|error| refuse("encode the message", &error));
        self.host.send_message(Outgoing {
            destination,
            authenticated: self.authenticated,
            tracked: self.tracked,
            grant: self.grant,
            message,
        });
    }
}
