use std::fmt;

use crate::clients::ClientId;

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    User(String),
    Client(ClientId),
    /// A command line, by the system's number of its user.
    Operator(u32),
    /// The authority by itself.
    Authority,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => write!(f, "user:{id}"),
            Self::Client(id) => write!(f, "client:{id}"),
            Self::Operator(uid) => write!(f, "operator:{uid}"),
            Self::Authority => f.write_str("authority"),
        }
    }
}
