//! The two feeds over gRPC. One connection carries both; when either ends, both are begun anew.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use signet_proto::auth::v1::key_service_client::KeyServiceClient;
use signet_proto::auth::v1::revocation::Target as TargetMessage;
use signet_proto::auth::v1::revocation_service_client::RevocationServiceClient;
use signet_proto::auth::v1::{
    Revocation as RevocationMessage, RevocationUpdate, WatchKeysRequest, WatchRevocationsRequest,
};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Request;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use super::backoff::Backoff;
use super::held::{Heard, Held, OutOfStep, Statement};
use super::{Authority, FeedSettings, FetchError};
use crate::public_keys::MAX_KEYS;
use crate::revocations::{Entry, Position, REPLICA_LAG_SECONDS, Target};

/// The authority speaks every second. One that is silent for this long is behind a dead connection.
const SILENCE: Duration = Duration::from_secs(3);

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Largest message that is taken, in bytes; the authority's are below 100 KiB.
const MAX_MESSAGE_BYTES: usize = 1024 * 1024;

/// What the tasks of one verifier share.
#[derive(Clone)]
pub(super) struct SharedState {
    pub authority: Arc<Authority>,
    held: Arc<Mutex<Held>>,
}

impl SharedState {
    pub fn new(authority: Arc<Authority>, held: Held) -> Self {
        Self { authority, held: Arc::new(Mutex::new(held)) }
    }

    pub fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct Feed {
    state: SharedState,
    endpoint: Endpoint,
    credentials: MetadataValue<Ascii>,
    begin: Begin,
}

/// Where the next feed of revocations begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begin {
    /// Behind what is held.
    Behind,
    /// With a snapshot: something is missing.
    Anew,
    /// With a snapshot, also if it ends before what is held: the authority has gone back.
    AnewFromEarlier,
}

impl Feed {
    pub fn new(state: SharedState, settings: &FeedSettings, allow_http: bool) -> Result<Self, FetchError> {
        super::fetch::check_url(&settings.url, allow_http)?;
        let invalid = || FetchError::Url(settings.url.clone());
        let mut endpoint = Endpoint::from_shared(settings.url.clone())
            .map_err(|_| invalid())?
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true);
        if settings.url.starts_with("https://") {
            let mut tls = ClientTlsConfig::new().with_enabled_roots();
            if let Some(pem) = &settings.ca_pem {
                tls = tls.ca_certificate(Certificate::from_pem(pem));
            }
            endpoint = endpoint.tls_config(tls).map_err(|error| FetchError::Tls(error.to_string()))?;
        }
        let basic = STANDARD.encode(format!("{}:{}", settings.client_id, settings.client_secret));
        let mut credentials: MetadataValue<Ascii> =
            format!("Basic {basic}").parse().map_err(|_| FetchError::Credentials)?;
        credentials.set_sensitive(true);
        Ok(Self { state, endpoint, credentials, begin: Begin::Behind })
    }

    pub async fn run(mut self, stop: CancellationToken) {
        let (mut backoff, mut failing) = (Backoff::default(), false);
        loop {
            let begun = Instant::now();
            let ended = tokio::select! {
                () = stop.cancelled() => return,
                ended = self.attend() => ended,
            };
            if begun.elapsed() > SILENCE {
                backoff.succeeded();
                failing = false;
            }
            // Said once: the age of what is held tells the rest.
            if !failing {
                tracing::warn!(
                    cause = ended,
                    "the authority's feed has ended; the last good state stays in use"
                );
                failing = true;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(backoff.next_pause()) => {}
            }
        }
    }

    /// Follows both feeds until one ends, and says why.
    async fn attend(&mut self) -> String {
        let channel = match timeout(CONNECT_TIMEOUT, self.endpoint.connect()).await {
            Ok(Ok(channel)) => channel,
            Ok(Err(error)) => return with_causes(&error),
            Err(_) => return "no connection in time".to_owned(),
        };
        let keys = follow_keys(&self.state, channel.clone(), &self.credentials);
        let revocations = follow_revocations(&self.state, channel, &self.credentials, self.begin);
        tokio::select! {
            ended = keys => format!("keys: {ended}"),
            ended = revocations => {
                self.begin = ended.begin;
                format!("revocations: {}", ended.cause)
            }
        }
    }
}

/// Why a feed of revocations ended, and where the next one begins.
struct Ended {
    cause: String,
    begin: Begin,
}

async fn follow_revocations(
    state: &SharedState,
    channel: Channel,
    credentials: &MetadataValue<Ascii>,
    mut begin: Begin,
) -> Ended {
    let asked = if begin == Begin::Behind { state.held().position } else { Position::default() };
    let mut client = RevocationServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES);
    let request = WatchRevocationsRequest { epoch: asked.epoch, after_seq: asked.seq };
    let mut updates = match timeout(SILENCE, client.watch(with(credentials, request))).await {
        Ok(Ok(updates)) => updates.into_inner(),
        Ok(Err(status)) => return Ended { cause: status.to_string(), begin },
        Err(_) => return Ended { cause: "no answer in time".to_owned(), begin },
    };
    let from_earlier = begin == Begin::AnewFromEarlier;
    let mut snapshot = (asked == Position::default()).then(|| state.held().snapshot(from_earlier));
    let mut behind_since: Option<Instant> = None;
    loop {
        let update = match timeout(SILENCE, updates.message()).await {
            Ok(Ok(Some(update))) => update,
            Ok(Ok(None)) => return Ended { cause: "the authority ended it".to_owned(), begin },
            Ok(Err(status)) => {
                state.authority.refused_update();
                return Ended { cause: status.to_string(), begin };
            }
            Err(_) => return Ended { cause: "the authority is silent".to_owned(), begin },
        };
        let Some(statement) = statement(&update) else {
            state.authority.refused_update();
            return Ended { cause: "an entry is malformed".to_owned(), begin };
        };
        let heard = state.held().apply(&mut snapshot, statement);
        match heard {
            Ok(Heard::Complete) => {
                (behind_since, begin) = (None, Begin::Behind);
                state.authority.last_words.of_revocations();
            }
            Ok(Heard::More) => {}
            Ok(Heard::Behind) => {
                let since = *behind_since.get_or_insert_with(Instant::now);
                if since.elapsed() > Duration::from_secs(REPLICA_LAG_SECONDS) {
                    // No replica is behind for so long: a backup was restored, and it is the truth.
                    let cause = "the authority has gone back".to_owned();
                    return Ended { cause, begin: Begin::AnewFromEarlier };
                }
            }
            Err(why) => {
                state.authority.refused_update();
                let begin = if why == OutOfStep::Gap { Begin::Anew } else { begin };
                return Ended { cause: why.to_string(), begin };
            }
        }
    }
}

/// `None` when an entry names nothing. Kinds that a later authority may know are passed over.
fn statement(update: &RevocationUpdate) -> Option<Statement<'_>> {
    let known = update.entries.iter().filter(|entry| entry.target.is_some());
    let entries: Vec<Entry<'_>> = known.map(entry).collect::<Option<_>>()?;
    let position = Position { epoch: update.epoch, seq: update.seq };
    Some(Statement { after: update.after_seq, position, entries, more: update.more })
}

fn entry(message: &RevocationMessage) -> Option<Entry<'_>> {
    let not_before = message.not_before;
    let (target, id) = match message.target.as_ref()? {
        TargetMessage::Session(sid) => (Target::Session(sid), sid),
        TargetMessage::Token(jti) => (Target::Token(jti), jti),
        TargetMessage::Subject(sub) => (Target::Subject { sub, not_before }, sub),
        TargetMessage::Client(client_id) => (Target::Client { client_id, not_before }, client_id),
    };
    (!id.is_empty() && message.expires_at > 0).then_some(Entry { target, expires_at: message.expires_at })
}

async fn follow_keys(state: &SharedState, channel: Channel, credentials: &MetadataValue<Ascii>) -> String {
    let mut client = KeyServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES);
    let (say, said) = mpsc::channel(MAX_KEYS);
    let held_kids = || WatchKeysRequest { held_kids: state.held().keys.kids() };
    // A full channel means that the authority does not listen: the silence will end this.
    let _ = say.try_send(held_kids());
    let request = with(credentials, ReceiverStream::new(said));
    let mut updates = match timeout(SILENCE, client.watch(request)).await {
        Ok(Ok(updates)) => updates.into_inner(),
        Ok(Err(status)) => return status.to_string(),
        Err(_) => return "no answer in time".to_owned(),
    };
    loop {
        let update = match timeout(SILENCE, updates.message()).await {
            Ok(Ok(Some(update))) => update,
            Ok(Ok(None)) => return "the authority ended it".to_owned(),
            Ok(Err(status)) => {
                state.authority.refused_update();
                return status.to_string();
            }
            Err(_) => return "the authority is silent".to_owned(),
        };
        if !update.jwks.is_empty() {
            let taken = state.held().take_keys(&update.jwks);
            if let Err(why) = taken {
                state.authority.refused_update();
                return format!("key set refused: {why}");
            }
            let _ = say.try_send(held_kids());
        }
        state.authority.last_words.of_keys();
    }
}

fn with<T>(credentials: &MetadataValue<Ascii>, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", credentials.clone());
    request
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
