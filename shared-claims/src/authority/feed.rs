//! The two feeds over gRPC. One connection carries both; when either ends, both are begun again.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
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
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Response, Status, Streaming};
use tracing::{Instrument, trace_span};

use super::backoff::Backoff;
use super::held::{Applied, Begin, Next, OutOfStep, Statement, is_possible};
use super::settings::{check_url, with_causes};
use super::shared::SharedState;
use super::{AuthoritySettings, FeedSettings, StartError};
use crate::clock::unix_now;
use crate::public_keys::MAX_KEYS;
use crate::revocations::{Position, REPLICA_LAG_SECONDS, RevocationEntry, SignedTime, Target, is_current};

/// The authority speaks every second. One that is silent for this long is behind a dead connection.
const SILENCE: Duration = Duration::from_secs(3);

/// A feed that is followed for this long has brought updates, or the silence would have ended it.
const LASTS: Duration = Duration::from_millis(3500);

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Largest message that is taken, in bytes; the authority's are below 100 KiB.
const MAX_MESSAGE_BYTES: usize = 1024 * 1024;

pub(super) struct Feed {
    state: SharedState,
    endpoint: Endpoint,
    credentials: MetadataValue<Ascii>,
    trace: Option<fn(&mut HeaderMap)>,
    /// Either feed may end both.
    next: Mutex<Next>,
    issuer: String,
    /// The authority signs the time: what does not bear it is no contact any more.
    signs_time: AtomicBool,
}

/// What an update says of the time.
enum Evidence {
    /// Nothing: of an authority that does not sign it.
    None,
    /// By a key that is not held, or not by a key of the authority.
    Unverified,
    Signed(SignedTime),
}

impl Feed {
    pub(super) fn new(
        state: SharedState,
        settings: &FeedSettings,
        of_authority: &AuthoritySettings,
    ) -> Result<Self, StartError> {
        check_url(&settings.url, of_authority.allow_http)?;
        let invalid = || StartError::Url(settings.url.clone());
        let mut endpoint = Endpoint::from_shared(settings.url.clone())
            .map_err(|_| invalid())?
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true);
        if settings.url.starts_with("https://") {
            let mut tls = ClientTlsConfig::new().with_enabled_roots();
            if let Some(pem) = &of_authority.ca_pem {
                tls = tls.ca_certificate(Certificate::from_pem(pem));
            }
            endpoint = endpoint.tls_config(tls).map_err(|error| StartError::Tls(error.to_string()))?;
        }
        let basic = STANDARD.encode(format!("{}:{}", settings.client_id, settings.client_secret));
        let mut credentials: MetadataValue<Ascii> =
            format!("Basic {basic}").parse().map_err(|_| StartError::Credentials)?;
        credentials.set_sensitive(true);
        let (next, signs_time) = (Mutex::new(Next::new()), AtomicBool::new(false));
        let (issuer, trace) = (of_authority.issuer.clone(), of_authority.trace);
        Ok(Self { state, endpoint, credentials, trace, next, issuer, signs_time })
    }

    pub(super) async fn run(self, stop: CancellationToken) {
        let (mut backoff, mut failing) = (Backoff::default(), false);
        loop {
            let attended = async {
                let attending = self.attend();
                tokio::pin!(attending);
                if let Ok(ended) = timeout(LASTS, &mut attending).await {
                    return ended;
                }
                backoff.succeeded();
                if std::mem::take(&mut failing) {
                    tracing::info!("the authority's feed is back");
                }
                attending.await
            };
            let ended = tokio::select! {
                () = stop.cancelled() => return,
                ended = attended => ended,
            };
            // Logged once: the staleness shows the rest.
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
    async fn attend(&self) -> String {
        let channel = match timeout(CONNECT_TIMEOUT, self.endpoint.connect()).await {
            Ok(Ok(channel)) => channel,
            Ok(Err(error)) => return with_causes(&error),
            Err(_) => return "no connection in time".to_owned(),
        };
        let keys = trace_span!(target: "traces", parent: None, "KeyService/Watch", otel.kind = "client");
        let keys = self.follow_keys(channel.clone()).instrument(keys);
        let revocations =
            trace_span!(target: "traces", parent: None, "RevocationService/Watch", otel.kind = "client");
        let revocations = self.follow_revocations(channel).instrument(revocations);
        tokio::select! {
            Err(ended) = keys => format!("keys: {ended}"),
            Err(ended) = revocations => format!("revocations: {ended}"),
        }
    }

    /// Follows until the feed ends; the error says why.
    async fn follow_revocations(&self, channel: Channel) -> Result<Infallible, String> {
        let state = &self.state;
        let begin = self.next().begin;
        let asked = if begin == Begin::Behind { state.held().position } else { Position::default() };
        let mut client = RevocationServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES);
        let request = WatchRevocationsRequest { epoch: asked.epoch, after_seq: asked.seq };
        let mut updates = begun(client.watch(self.signed(request))).await?;
        let from_earlier = begin == Begin::AgainFromEarlier;
        let mut snapshot = (asked == Position::default()).then(|| state.held().snapshot(from_earlier));
        loop {
            let update = self.next_of(&mut updates).await?;
            let evidence = self.evidence(&update.signed_time);
            let signed = matches!(evidence, Evidence::Signed(time) if time.epoch == update.epoch);
            let Some(statement) = statement(&update, signed) else {
                state.authority.refused_update();
                return Err("an entry is malformed".to_owned());
            };
            let applied = state.held().apply(&mut snapshot, statement, unix_now());
            self.act_on(applied, &evidence)?;
        }
    }

    fn evidence(&self, signed_time: &str) -> Evidence {
        if signed_time.is_empty() {
            return Evidence::None;
        }
        let keys = self.state.held().keys.clone();
        SignedTime::read(signed_time, &self.issuer, &keys).map_or(Evidence::Unverified, Evidence::Signed)
    }

    /// Whether an update says that the authority is there now. Once it has signed the time, nothing else does.
    fn is_contact(&self, evidence: &Evidence) -> bool {
        match evidence {
            Evidence::Signed(time) => {
                self.signs_time.store(true, Ordering::Relaxed);
                is_current(time.issued_at, unix_now())
            }
            Evidence::None | Evidence::Unverified => !self.signs_time.load(Ordering::Relaxed),
        }
    }

    /// What follows from a statement; an error when the feed must begin again.
    fn act_on(&self, applied: Result<Applied, OutOfStep>, evidence: &Evidence) -> Result<(), String> {
        let authority = &self.state.authority;
        match self.next().act_on(applied) {
            Ok(Applied::Complete) => {
                // What is repeated is no state of now.
                if self.is_contact(evidence) {
                    authority.last_contact.of_revocations();
                    if authority.is_complete() {
                        self.state.held().unsaved = true;
                    }
                }
                Ok(())
            }
            Ok(Applied::Behind | Applied::More) => Ok(()),
            Err((why, counts)) => {
                if counts {
                    authority.refused_update();
                }
                Err(why)
            }
        }
    }

    /// Follows the keys likewise, and acknowledges what is held of them.
    async fn follow_keys(&self, channel: Channel) -> Result<Infallible, String> {
        let state = &self.state;
        let mut client = KeyServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES);
        let (say, said) = mpsc::channel(MAX_KEYS);
        let held_kids = || WatchKeysRequest { held_kids: state.held().keys.kids() };
        // A full channel means that the authority does not listen: the silence will end this.
        let _ = say.try_send(held_kids());
        let mut updates = begun(client.watch(self.signed(ReceiverStream::new(said)))).await?;
        let (mut behind_since, mut passed_over) = (None, false);
        loop {
            let update = self.next_of(&mut updates).await?;
            let said = Position { epoch: update.epoch, seq: update.seq };
            // The epoch of the revocations was signed, or is possible by itself.
            let is_known = said.epoch == state.held().position.epoch;
            if !is_known && !is_possible(said.epoch, unix_now()) {
                state.authority.refused_update();
                return Err(OutOfStep::EpochInTheFuture.to_string());
            }
            let held = state.held().keys_position;
            if said < held {
                // A replica that is late: it may not know that a key was revoked.
                let since = *behind_since.get_or_insert_with(Instant::now);
                let restored = since.elapsed() > Duration::from_secs(REPLICA_LAG_SECONDS);
                if !restored {
                    passed_over |= !update.jwks.is_empty();
                    continue;
                }
                if passed_over {
                    // What it has to say was said before it was trusted.
                    state.held().keys_position = said;
                    return Err("the authority has gone back".to_owned());
                }
            }
            behind_since = None;
            let taken = state.held().take_announced_keys(&update.jwks, said);
            match taken {
                Ok(true) => drop(say.try_send(held_kids())),
                Ok(false) => {}
                Err(why) => {
                    state.authority.refused_update();
                    return Err(format!("key set refused: {why}"));
                }
            }
            state.authority.last_contact.of_keys();
        }
    }

    /// The next message of a feed; one that could not be read is counted, a connection that broke is not.
    async fn next_of<T>(&self, updates: &mut Streaming<T>) -> Result<T, String> {
        match timeout(SILENCE, updates.message()).await {
            Ok(Ok(Some(update))) => Ok(update),
            Ok(Ok(None)) => Err("the authority ended it".to_owned()),
            Ok(Err(status)) => {
                if matches!(status.code(), Code::OutOfRange | Code::Internal | Code::ResourceExhausted) {
                    self.state.authority.refused_update();
                }
                Err(status.to_string())
            }
            Err(_) => Err("the authority is silent".to_owned()),
        }
    }

    fn signed<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.credentials.clone());
        if let Some(trace) = self.trace {
            trace(request.metadata_mut().as_mut());
        }
        request
    }

    fn next(&self) -> MutexGuard<'_, Next> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The messages of a feed, once the authority has answered.
async fn begun<T>(
    answer: impl Future<Output = Result<Response<Streaming<T>>, Status>>,
) -> Result<Streaming<T>, String> {
    match timeout(SILENCE, answer).await {
        Ok(Ok(updates)) => Ok(updates.into_inner()),
        Ok(Err(status)) => Err(status.to_string()),
        Err(_) => Err("no answer in time".to_owned()),
    }
}

/// `None` when an entry names nothing. Kinds that a later authority may know are passed over.
fn statement(update: &RevocationUpdate, signed: bool) -> Option<Statement<'_>> {
    let known = update.entries.iter().filter(|entry| entry.target.is_some());
    let entries: Vec<RevocationEntry<'_>> = known.map(entry).collect::<Option<_>>()?;
    let position = Position { epoch: update.epoch, seq: update.seq };
    Some(Statement { after: update.after_seq, position, entries, more: update.more, signed })
}

fn entry(message: &RevocationMessage) -> Option<RevocationEntry<'_>> {
    let not_before = message.not_before;
    let (target, id) = match message.target.as_ref()? {
        TargetMessage::Session(sid) => (Target::Session(sid), sid),
        TargetMessage::Token(jti) => (Target::Token(jti), jti),
        TargetMessage::Subject(sub) => (Target::Subject { sub, not_before }, sub),
        TargetMessage::Client(client_id) => (Target::Client { client_id, not_before }, client_id),
    };
    (!id.is_empty() && message.expires_at > 0)
        .then_some(RevocationEntry { target, expires_at: message.expires_at })
}
